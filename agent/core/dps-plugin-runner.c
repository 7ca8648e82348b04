/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-runner.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "core/dps-plugin-call.h"
#include "core/dps-plugin-reply.h"
#include "core/dps-plugin-request.h"

#include <errno.h>

struct _DpsPluginRunner
{
  GObject parent_instance;
  char *host_path;
  char *plugin_dir;
  char *name;
  int tpm;
  DpsPluginAllowed allowed;
  guint start_deadline; /* ms, 0 = that of the table */
  guint verb_deadline;  /* the same */
  gint64 start_time;
};

G_DEFINE_FINAL_TYPE (DpsPluginRunner, dps_plugin_runner, G_TYPE_OBJECT)
/* The verbs. For each the sending and the checking of the reply. */

static void
on_probe (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  g_autofree char *availability = NULL;
  g_autofree char *reason = NULL;
  DpsPluginProbe *probe = NULL;
  GError *error = NULL;

  if (dps_attestor1_call_probe_finish (call->proxy,
                                       &availability,
                                       &reason,
                                       result,
                                       &error))
    probe = dps_plugin_reply_probe (availability, reason, &error);
  if (probe != NULL)
    probe->confinement = call->confinement;
  call->result = probe;
  dps_plugin_call_end (data, error);
}

static void
on_describe (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  g_autofree char *registration_id = NULL;
  g_autofree char *kind = NULL;
  g_autofree char *enrollment = NULL;
  g_autoptr (GVariant) material = NULL;
  g_autoptr (GVariant) key = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  DpsPluginDescription *description = NULL;
  GError *error = NULL;

  if (dps_attestor1_call_describe_finish (call->proxy,
                                          &registration_id,
                                          &kind,
                                          &material,
                                          &enrollment,
                                          &key,
                                          &fds,
                                          result,
                                          &error))
    description = dps_plugin_reply_description (registration_id,
                                                kind,
                                                material,
                                                enrollment,
                                                key,
                                                fds,
                                                &error);
  if (description != NULL)
    description->confinement = call->confinement;
  call->result = description;
  dps_plugin_call_end (data, error);
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) blob = NULL;
  GError *error = NULL;

  if (dps_attestor1_call_answer_finish (call->proxy, &blob, &fds, result, &error))
    call->result = dps_plugin_reply_bytes (fds,
                                           g_variant_get_handle (blob),
                                           1,
                                           DPS_PLUGIN_RUNNER_BLOB_MAX,
                                           "a blob",
                                           &error);
  dps_plugin_call_end (data, error);
}

static void
on_sign (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  g_autoptr (GVariant) signature = NULL;
  GError *error = NULL;

  if (dps_attestor1_call_sign_finish (call->proxy, &signature, NULL, result, &error))
    call->result = dps_plugin_reply_signature (signature, &error);
  dps_plugin_call_end (data, error);
}

static void
on_forget (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  GError *error = NULL;

  dps_attestor1_call_forget_finish (call->proxy, result, &error);
  dps_plugin_call_end (data, error);
}

static void
send_answer (GTask *task, GUnixFDList *fds, int handle)
{
  DpsPluginCall *call = g_task_get_task_data (task);

  dps_attestor1_call_answer (call->proxy,
                             g_variant_new_handle (handle),
                             G_DBUS_CALL_FLAGS_NONE,
                             -1,
                             fds,
                             call->cancellable,
                             on_answer,
                             task);
}

static void
send_sign (GTask *task, GUnixFDList *fds, int handle)
{
  DpsPluginCall *call = g_task_get_task_data (task);
  GVariantBuilder blob;

  g_variant_builder_init (&blob, G_VARIANT_TYPE ("ah"));
  if (handle >= 0)
    g_variant_builder_add (&blob, "h", handle);
  dps_attestor1_call_sign (call->proxy,
                           call->slot,
                           call->mechanism,
                           g_variant_builder_end (&blob),
                           g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING,
                                                     call->data,
                                                     TRUE),
                           G_DBUS_CALL_FLAGS_NONE,
                           -1,
                           fds,
                           call->cancellable,
                           on_sign,
                           task);
}

static void
send_verb (GTask *task)
{
  DpsPluginCall *call = g_task_get_task_data (task);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  GError *error = NULL;
  int handle = -1;

  dps_plugin_call_enter (task, call->verb);
  if (call->input != NULL)
    {
      handle = dps_plugin_request_append_secret (fds, call->input, &error);
      if (handle < 0)
        {
          dps_plugin_call_end (task, error);
          return;
        }
    }
  if (call->verb == DPS_PLUGIN_PHASE_PROBE)
    dps_attestor1_call_probe (call->proxy,
                              G_DBUS_CALL_FLAGS_NONE,
                              -1,
                              call->cancellable,
                              on_probe,
                              task);
  else if (call->verb == DPS_PLUGIN_PHASE_DESCRIBE)
    dps_attestor1_call_describe (call->proxy,
                                 G_DBUS_CALL_FLAGS_NONE,
                                 -1,
                                 NULL,
                                 call->cancellable,
                                 on_describe,
                                 task);
  else if (call->verb == DPS_PLUGIN_PHASE_ANSWER)
    send_answer (task, fds, handle);
  else if (call->verb == DPS_PLUGIN_PHASE_FORGET)
    dps_attestor1_call_forget (call->proxy,
                               G_DBUS_CALL_FLAGS_NONE,
                               -1,
                               call->cancellable,
                               on_forget,
                               task);
  else
    send_sign (task, fds, handle);
}

static void
on_configured (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  GError *error = NULL;

  if (dps_attestor1_call_configure_finish (call->proxy, NULL, result, &error))
    send_verb (data);
  else
    dps_plugin_call_end (data, error);
}

static void
send_configure (GTask *task)
{
  DpsPluginRunner *self = g_task_get_source_object (task);
  DpsPluginCall *call = g_task_get_task_data (task);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  g_autoptr (GVariant) secrets = NULL;
  g_autoptr (GVariant) tpm = NULL;
  GError *error = NULL;

  self->start_time = call->start_time;
  dps_plugin_call_enter (task, DPS_PLUGIN_PHASE_CONFIGURE);
  secrets = dps_plugin_request_pack_secrets (call->secrets, fds, &error);
  if (secrets != NULL)
    tpm = dps_plugin_request_pack_tpm (self->tpm, fds, &error);
  if (tpm == NULL)
    {
      dps_plugin_call_end (task, error);
      return;
    }
  dps_attestor1_call_configure (call->proxy,
                                call->settings,
                                g_steal_pointer (&secrets),
                                g_steal_pointer (&tpm),
                                G_DBUS_CALL_FLAGS_NONE,
                                -1,
                                fds,
                                call->cancellable,
                                on_configured,
                                task);
}

static GHashTable *
copy_secrets (GHashTable *secrets)
{
  GHashTable *copy = g_hash_table_new_full (g_str_hash,
                                            g_str_equal,
                                            g_free,
                                            (GDestroyNotify) dps_secret_unref);
  GHashTableIter iter;
  gpointer name, secret;

  if (secrets == NULL)
    return copy;
  g_hash_table_iter_init (&iter, secrets);
  while (g_hash_table_iter_next (&iter, &name, &secret))
    g_hash_table_insert (copy, g_strdup (name), dps_secret_ref (secret));
  return copy;
}

/* The task, with a Call for the verb that wants only its arguments. */
static GTask *
new_call (DpsPluginRunner *self,
          DpsPluginPhase verb,
          GHashTable *settings,
          GHashTable *secrets,
          GDestroyNotify free_result,
          GCancellable *cancellable,
          GAsyncReadyCallback callback,
          gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  DpsPluginCall *call = g_new0 (DpsPluginCall, 1);

  call->host_path = self->host_path;
  call->plugin_dir = self->plugin_dir;
  call->name = self->name;
  call->allowed = self->allowed;
  call->start_override = self->start_deadline;
  call->verb_override = self->verb_deadline;
  call->loaded = send_configure;
  call->verb = verb;
  call->settings = dps_plugin_request_pack_settings (settings);
  call->secrets = copy_secrets (secrets);
  call->cancellable = g_cancellable_new ();
  call->free_result = free_result;
  g_task_set_task_data (task, call, dps_plugin_call_free);
  g_task_set_source_tag (task, GINT_TO_POINTER (verb));
  g_task_set_check_cancellable (task, FALSE);
  return task;
}

static gpointer
finish_call (DpsPluginRunner *self,
             DpsPluginPhase verb,
             GAsyncResult *result,
             GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_task_get_source_tag (G_TASK (result)) == GINT_TO_POINTER (verb),
                        NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

void
dps_plugin_runner_probe_async (DpsPluginRunner *self,
                               GHashTable *settings,
                               GHashTable *secrets,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer data)
{
  dps_plugin_call_start (new_call (self,
                                   DPS_PLUGIN_PHASE_PROBE,
                                   settings,
                                   secrets,
                                   (GDestroyNotify) dps_plugin_probe_free,
                                   cancellable,
                                   callback,
                                   data));
}

DpsPluginProbe *
dps_plugin_runner_probe_finish (DpsPluginRunner *self,
                                GAsyncResult *result,
                                GError **error)
{
  return finish_call (self, DPS_PLUGIN_PHASE_PROBE, result, error);
}

void
dps_plugin_runner_describe_async (DpsPluginRunner *self,
                                  GHashTable *settings,
                                  GHashTable *secrets,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer data)
{
  dps_plugin_call_start (new_call (self,
                                   DPS_PLUGIN_PHASE_DESCRIBE,
                                   settings,
                                   secrets,
                                   (GDestroyNotify) dps_plugin_description_free,
                                   cancellable,
                                   callback,
                                   data));
}

DpsPluginDescription *
dps_plugin_runner_describe_finish (DpsPluginRunner *self,
                                   GAsyncResult *result,
                                   GError **error)
{
  return finish_call (self, DPS_PLUGIN_PHASE_DESCRIBE, result, error);
}

void
dps_plugin_runner_answer_async (DpsPluginRunner *self,
                                GHashTable *settings,
                                GHashTable *secrets,
                                DpsSecret *challenge,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer data)
{
  GTask *task = new_call (self,
                          DPS_PLUGIN_PHASE_ANSWER,
                          settings,
                          secrets,
                          (GDestroyNotify) dps_secret_unref,
                          cancellable,
                          callback,
                          data);
  DpsPluginCall *call = g_task_get_task_data (task);

  call->input = dps_secret_ref (challenge);
  dps_plugin_call_start (task);
}

DpsSecret *
dps_plugin_runner_answer_finish (DpsPluginRunner *self,
                                 GAsyncResult *result,
                                 GError **error)
{
  return finish_call (self, DPS_PLUGIN_PHASE_ANSWER, result, error);
}

void
dps_plugin_runner_sign_async (DpsPluginRunner *self,
                              GHashTable *settings,
                              GHashTable *secrets,
                              const char *slot,
                              const char *mechanism,
                              DpsSecret *blob,
                              GBytes *data_to_sign,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer data)
{
  GTask *task = new_call (self,
                          DPS_PLUGIN_PHASE_SIGN,
                          settings,
                          secrets,
                          (GDestroyNotify) g_bytes_unref,
                          cancellable,
                          callback,
                          data);
  DpsPluginCall *call = g_task_get_task_data (task);

  call->slot = g_strdup (slot);
  call->mechanism = g_strdup (mechanism);
  call->input = blob != NULL ? dps_secret_ref (blob) : NULL;
  call->data = g_bytes_ref (data_to_sign);
  dps_plugin_call_start (task);
}

GBytes *
dps_plugin_runner_sign_finish (DpsPluginRunner *self,
                               GAsyncResult *result,
                               GError **error)
{
  return finish_call (self, DPS_PLUGIN_PHASE_SIGN, result, error);
}

void
dps_plugin_runner_forget_async (DpsPluginRunner *self,
                                GHashTable *settings,
                                GHashTable *secrets,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer data)
{
  dps_plugin_call_start (new_call (self,
                                   DPS_PLUGIN_PHASE_FORGET,
                                   settings,
                                   secrets,
                                   NULL,
                                   cancellable,
                                   callback,
                                   data));
}

gboolean
dps_plugin_runner_forget_finish (DpsPluginRunner *self,
                                 GAsyncResult *result,
                                 GError **error)
{
  finish_call (self, DPS_PLUGIN_PHASE_FORGET, result, error);
  return !g_task_had_error (G_TASK (result));
}

const char *
dps_plugin_runner_get_name (DpsPluginRunner *self)
{
  return self->name;
}

void
dps_plugin_runner_set_deadlines (DpsPluginRunner *self, guint start, guint verb)
{
  self->start_deadline = start;
  self->verb_deadline = verb;
}

static void
allow (DpsPluginRunner *self, DpsPluginAllowed what, gboolean allowed)
{
  self->allowed = allowed ? self->allowed | what : self->allowed & ~what;
}

void
dps_plugin_runner_set_any_owner (DpsPluginRunner *self, gboolean any_owner)
{
  allow (self, DPS_PLUGIN_ALLOW_ANY_OWNER, any_owner);
}

gboolean
dps_plugin_runner_set_tpm_fd (DpsPluginRunner *self, int fd, GError **error)
{
  dps_autofd copy = -1;

  if (fd >= 0)
    {
      copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);
      if (copy < 0)
        return dps_set_errno (error, errno, "duplicating the TPM's descriptor");
    }
  dps_close_fd (&self->tpm);
  self->tpm = dps_steal_fd (&copy);
  return TRUE;
}

void
dps_plugin_runner_set_allow_unix (DpsPluginRunner *self, gboolean allow_unix)
{
  allow (self, DPS_PLUGIN_ALLOW_UNIX, allow_unix);
}

gint64
dps_plugin_runner_get_start_time (DpsPluginRunner *self)
{
  return self->start_time;
}

static void
dps_plugin_runner_finalize (GObject *object)
{
  DpsPluginRunner *self = DPS_PLUGIN_RUNNER (object);

  g_free (self->host_path);
  g_free (self->plugin_dir);
  g_free (self->name);
  dps_close_fd (&self->tpm);
  G_OBJECT_CLASS (dps_plugin_runner_parent_class)->finalize (object);
}

static void
dps_plugin_runner_class_init (DpsPluginRunnerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_plugin_runner_finalize;
  /* Registers the names, so that a child's errors arrive with their codes. */
  dps_error_quark ();
}

static void
dps_plugin_runner_init (DpsPluginRunner *self)
{
  self->tpm = -1;
}

DpsPluginRunner *
dps_plugin_runner_new (const char *host_path, const char *plugin_dir, const char *name)
{
  DpsPluginRunner *self = g_object_new (DPS_TYPE_PLUGIN_RUNNER, NULL);

  self->host_path = g_strdup (host_path);
  self->plugin_dir = g_strdup (plugin_dir);
  self->name = g_strdup (name);
  return self;
}
