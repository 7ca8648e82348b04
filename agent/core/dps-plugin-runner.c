/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-runner.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "core/dps-plugin-call.h"
#include "core/dps-plugin-reply.h"
#include "core/dps-plugin-request.h"

struct _DpsPluginRunner
{
  GObject parent_instance;
  char *host_path;
  char *plugin_dir;
  char *name;
  DpsPluginQueue *queue;
  DpsPluginTpmOpen open_tpm; /* NULL = none */
  gpointer open_tpm_data;
  GDestroyNotify open_tpm_destroy;
  guint tpm;  /* the number of the one that is set; 0 = none */
  guint tpms; /* that were set so far */
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

  if (dps_attestor1_call_probe_finish (call->process->proxy,
                                       &availability,
                                       &reason,
                                       result,
                                       &error))
    probe = dps_plugin_reply_probe (availability, reason, &error);
  if (probe != NULL)
    probe->confinement = call->process->confinement;
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

  if (dps_attestor1_call_describe_finish (call->process->proxy,
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
    description->confinement = call->process->confinement;
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

  if (dps_attestor1_call_answer_finish (call->process->proxy,
                                        &blob,
                                        &fds,
                                        result,
                                        &error))
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

  if (dps_attestor1_call_sign_finish (call->process->proxy,
                                      &signature,
                                      NULL,
                                      result,
                                      &error))
    call->result = dps_plugin_reply_signature (signature, &error);
  dps_plugin_call_end (data, error);
}

static void
on_forget (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  GError *error = NULL;

  dps_attestor1_call_forget_finish (call->process->proxy, result, &error);
  dps_plugin_call_end (data, error);
}

static void
send_answer (GTask *task, GUnixFDList *fds, int handle)
{
  DpsPluginCall *call = g_task_get_task_data (task);

  dps_attestor1_call_answer (call->process->proxy,
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
  dps_attestor1_call_sign (call->process->proxy,
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
    dps_attestor1_call_probe (call->process->proxy,
                              G_DBUS_CALL_FLAGS_NONE,
                              -1,
                              call->cancellable,
                              on_probe,
                              task);
  else if (call->verb == DPS_PLUGIN_PHASE_DESCRIBE)
    dps_attestor1_call_describe (call->process->proxy,
                                 G_DBUS_CALL_FLAGS_NONE,
                                 -1,
                                 NULL,
                                 call->cancellable,
                                 on_describe,
                                 task);
  else if (call->verb == DPS_PLUGIN_PHASE_ANSWER)
    send_answer (task, fds, handle);
  else if (call->verb == DPS_PLUGIN_PHASE_FORGET)
    dps_attestor1_call_forget (call->process->proxy,
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

  if (dps_attestor1_call_configure_finish (call->process->proxy, NULL, result, &error))
    call->configured (data);
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

  self->start_time = call->process->start_time;
  dps_plugin_call_enter (task, DPS_PLUGIN_PHASE_CONFIGURE);
  secrets = dps_plugin_request_pack_secrets (call->terms.secrets, fds, &error);
  if (secrets != NULL)
    tpm = dps_plugin_request_pack_tpm (call->tpm, fds, &error);
  dps_close_fd (&call->tpm);
  if (tpm == NULL)
    {
      dps_plugin_call_end (task, error);
      return;
    }
  dps_attestor1_call_configure (call->process->proxy,
                                call->terms.settings,
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
  call->open_tpm = self->open_tpm;
  call->open_tpm_data = self->open_tpm_data;
  call->tpm = -1;
  call->start_override = self->start_deadline;
  call->verb_override = self->verb_deadline;
  call->loaded = send_configure;
  call->configured = send_verb;
  call->verb = verb;
  call->terms = (DpsPluginTerms){ .settings = dps_plugin_request_pack_settings (settings),
                                  .secrets = copy_secrets (secrets),
                                  .allowed = self->allowed,
                                  .tpm = self->tpm };
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
  dps_plugin_queue_push (self->queue,
                         new_call (self,
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
  dps_plugin_queue_push (self->queue,
                         new_call (self,
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
  dps_plugin_queue_push (self->queue, task);
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
  dps_plugin_queue_push (self->queue, task);
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
  dps_plugin_queue_push (self->queue,
                         new_call (self,
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

void
dps_plugin_runner_set_tpm (DpsPluginRunner *self,
                           DpsPluginTpmOpen open,
                           gpointer data,
                           GDestroyNotify destroy)
{
  if (self->open_tpm_destroy != NULL)
    self->open_tpm_destroy (self->open_tpm_data);
  self->open_tpm = open;
  self->open_tpm_data = data;
  self->open_tpm_destroy = destroy;
  self->tpm = open != NULL ? ++self->tpms : 0;
}

void
dps_plugin_runner_set_linger (DpsPluginRunner *self, guint ms)
{
  dps_plugin_queue_set_linger (self->queue, ms);
}

void
dps_plugin_runner_set_guard (DpsPluginRunner *self, const DpsPluginGuard *guard)
{
  dps_plugin_queue_set_guard (self->queue, guard);
}

guint
dps_plugin_runner_count_processes (void)
{
  return dps_plugin_process_count ();
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

  dps_plugin_queue_free (self->queue);
  dps_plugin_runner_set_tpm (self, NULL, NULL, NULL);
  g_free (self->host_path);
  g_free (self->plugin_dir);
  g_free (self->name);
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
}

DpsPluginRunner *
dps_plugin_runner_new (const char *host_path, const char *plugin_dir, const char *name)
{
  DpsPluginRunner *self = g_object_new (DPS_TYPE_PLUGIN_RUNNER, NULL);

  self->host_path = g_strdup (host_path);
  self->plugin_dir = g_strdup (plugin_dir);
  self->name = g_strdup (name);
  self->queue = dps_plugin_queue_new (self->name);
  return self;
}
