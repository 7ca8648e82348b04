/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-runner.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-name.h"
#include "core/dps-plugin-child.h"
#include "core/dps-plugin-reply.h"
#include "dbus/dps-attestor1.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define ATTESTOR_PATH "/org/dpsagent/Attestor1"
#define ERROR_TEXT_MAX 1024

struct _DpsPluginRunner
{
  GObject parent_instance;
  char *host_path;
  char *plugin_dir;
  char *name;
  int tpm;
  guint deadline; /* ms, 0 = those of the table */
  gint64 start_time;
};

G_DEFINE_FINAL_TYPE (DpsPluginRunner, dps_plugin_runner, G_TYPE_OBJECT)

typedef enum
{
  PHASE_START,
  PHASE_LOAD,
  PHASE_CONFIGURE,
  PHASE_PROBE,
  PHASE_DESCRIBE,
  PHASE_ANSWER,
  PHASE_SIGN,
  N_PHASES
} Phase;

/* Each phase has its own name in messages; a deadline of 0 is what is left of that of the
 * phase before. */
static const struct
{
  const char *name;
  guint deadline; /* ms */
} phases[N_PHASES] = {
  [PHASE_START] = { "start", 5000 },        [PHASE_LOAD] = { "load", 0 },
  [PHASE_CONFIGURE] = { "configure", 0 },   [PHASE_PROBE] = { "probe", 2000 },
  [PHASE_DESCRIBE] = { "describe", 10000 }, [PHASE_ANSWER] = { "answer", 20000 },
  [PHASE_SIGN] = { "sign", 5000 },
};

/* One call of a verb: a child, a connection to it, and the way there. Owned by its task,
 * which in turn is owned by whatever it waits for: always exactly one asynchronous step,
 * and at the end the closing and the reaping. */
typedef struct
{
  Phase verb;
  GVariant *settings;  /* a{ss} */
  GHashTable *secrets; /* char * → DpsSecret * */
  DpsSecret *input;    /* the challenge or the blob; may be NULL */
  char *slot;
  char *mechanism;
  GBytes *data;

  Phase phase;
  DpsPluginChild *child;
  GDBusConnection *connection;
  DpsAttestor1 *proxy;
  GCancellable *cancellable; /* of the step under way */
  gulong user_cancelled;
  guint timer;
  guint deadline; /* ms, the one that the timer runs for */
  gint64 spawned; /* 0 = there was no process */

  gboolean landlock;
  gboolean timed_out;
  gboolean garbled;
  gboolean ending;
  gboolean closed;
  gboolean reaped;
  int wait_status;
  GError *error;
  gpointer result;
  GDestroyNotify free_result;
} Call;

static void
call_free (gpointer data)
{
  Call *call = data;

  g_variant_unref (call->settings);
  g_hash_table_unref (call->secrets);
  g_clear_pointer (&call->input, dps_secret_unref);
  g_free (call->slot);
  g_free (call->mechanism);
  g_clear_pointer (&call->data, g_bytes_unref);
  g_clear_pointer (&call->child, dps_plugin_child_free);
  g_clear_object (&call->proxy);
  g_clear_object (&call->connection);
  g_clear_object (&call->cancellable);
  g_clear_error (&call->error);
  if (call->result != NULL)
    call->free_result (call->result);
  g_free (call);
}

/* What became of the process, in words; only the wait status tells a crash from an exit,
 * which is why errors wait for it. */
static char *
describe_end (const Call *call)
{
  int status = call->wait_status;

  if (WIFSIGNALED (status) && WTERMSIG (status) != SIGKILL)
    return g_strdup_printf ("crashed with signal %d", WTERMSIG (status));
  if (call->garbled)
    return g_strdup ("sent bytes that are no D-Bus message");
  if (WIFEXITED (status))
    return g_strdup_printf ("left with status %d", WEXITSTATUS (status));
  return g_strdup ("closed its connection");
}

/* The text of a remote error as one bounded, printable line. */
static GError *
name_remote (GError *remote)
{
  g_autofree char *text = NULL;
  GLogLevelFlags level;

  g_dbus_error_strip_remote_error (remote);
  text = dps_plugin_child_parse_line (remote->message,
                                      strnlen (remote->message, ERROR_TEXT_MAX),
                                      &level);
  return g_error_new (DPS_ERROR,
                      remote->domain == DPS_ERROR ? remote->code : DPS_ERROR_REJECTED,
                      "%s",
                      text);
}

static GError *
name_error (const Call *call, GCancellable *user)
{
  const char *phase = phases[call->phase].name;
  g_autofree char *end = NULL;

  if (call->timed_out)
    return g_error_new (DPS_ERROR,
                        DPS_ERROR_TIMED_OUT,
                        "no answer in %s within %u ms, it was ended",
                        phase,
                        call->deadline);
  if (g_cancellable_is_cancelled (user))
    return g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, "cancelled in %s", phase);
  if (g_dbus_error_is_remote_error (call->error))
    return name_remote (call->error);
  if (call->spawned == 0)
    return g_error_new (DPS_ERROR,
                        call->error->domain == DPS_ERROR ? call->error->code
                                                         : DPS_ERROR_FAILED,
                        "%s",
                        call->error->message);
  if (call->error->domain == DPS_ERROR)
    return g_error_new (DPS_ERROR,
                        call->error->code,
                        "%s: %s",
                        phase,
                        call->error->message);
  end = describe_end (call);
  return g_error_new (DPS_ERROR, DPS_ERROR_FAILED, "%s in %s", end, phase);
}

/* Answers the caller, once the socket is closed and the process reaped. */
static void
maybe_finish (GTask *task)
{
  Call *call = g_task_get_task_data (task);
  DpsPluginRunner *self = g_task_get_source_object (task);
  GError *error;

  if (!call->ending || !call->closed || !call->reaped)
    return;
  if (call->error == NULL)
    g_task_return_pointer (task, g_steal_pointer (&call->result), call->free_result);
  else
    {
      error = name_error (call, g_task_get_cancellable (task));
      g_prefix_error (&error, "plugin %s: ", self->name);
      g_task_return_error (task, error);
    }
  g_object_unref (task);
}

static void
on_ended (int wait_status, gpointer data)
{
  GTask *task = data;
  Call *call = g_task_get_task_data (task);

  call->wait_status = wait_status;
  call->reaped = TRUE;
  maybe_finish (task);
}

static void
on_connection_closed (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Call *call = g_task_get_task_data (task);

  /* Closed already is closed as well. */
  g_dbus_connection_close_finish (G_DBUS_CONNECTION (source), result, NULL);
  call->closed = TRUE;
  maybe_finish (task);
}

/* Takes error; NULL = the call has its result. Only from the callback of the one step
 * under way, so nothing else can come for this call but the two ends waited for here. */
static void
end_call (GTask *task, GError *error)
{
  Call *call = g_task_get_task_data (task);

  call->ending = TRUE;
  call->error = error;
  g_clear_handle_id (&call->timer, g_source_remove);
  g_cancellable_disconnect (g_task_get_cancellable (task), call->user_cancelled);
  call->user_cancelled = 0;
  if (call->child != NULL)
    dps_plugin_child_kill (call->child);
  if (call->connection != NULL)
    g_dbus_connection_close (call->connection, NULL, on_connection_closed, task);
  else
    call->closed = TRUE;
  maybe_finish (task);
}

static gboolean
on_deadline (gpointer data)
{
  GTask *task = data;
  Call *call = g_task_get_task_data (task);

  call->timer = 0;
  call->timed_out = TRUE;
  dps_plugin_child_kill (call->child);
  g_cancellable_cancel (call->cancellable);
  return G_SOURCE_REMOVE;
}

static void
enter_phase (GTask *task, Phase phase)
{
  DpsPluginRunner *self = g_task_get_source_object (task);
  Call *call = g_task_get_task_data (task);

  call->phase = phase;
  if (phases[phase].deadline == 0)
    return;
  g_clear_handle_id (&call->timer, g_source_remove);
  call->deadline = self->deadline > 0 ? self->deadline : phases[phase].deadline;
  call->timer = g_timeout_add (call->deadline, on_deadline, task);
}

/* The verbs. For each the sending and the checking of the reply. */

static void
on_probe (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = g_task_get_task_data (data);
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
    probe->landlock = call->landlock;
  call->result = probe;
  end_call (data, error);
}

static void
on_describe (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = g_task_get_task_data (data);
  g_autofree char *registration_id = NULL;
  g_autofree char *kind = NULL;
  g_autofree char *enrollment = NULL;
  g_autoptr (GVariant) material = NULL;
  g_autoptr (GVariant) key = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
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
    call->result = dps_plugin_reply_description (registration_id,
                                                 kind,
                                                 material,
                                                 enrollment,
                                                 key,
                                                 fds,
                                                 &error);
  end_call (data, error);
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = g_task_get_task_data (data);
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
  end_call (data, error);
}

static void
on_sign (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = g_task_get_task_data (data);
  g_autoptr (GVariant) signature = NULL;
  GError *error = NULL;

  if (dps_attestor1_call_sign_finish (call->proxy, &signature, NULL, result, &error))
    call->result = dps_plugin_reply_signature (signature, &error);
  end_call (data, error);
}

/* Appends secret as a sealed memory file; its handle, or -1. */
static int
append_secret (GUnixFDList *fds, DpsSecret *secret, GError **error)
{
  dps_autofd fd = dps_secret_to_memfd (secret, error);

  return fd < 0 ? -1 : g_unix_fd_list_append (fds, fd, error);
}

static void
send_answer (GTask *task, GUnixFDList *fds, int handle)
{
  Call *call = g_task_get_task_data (task);

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
  Call *call = g_task_get_task_data (task);
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
  Call *call = g_task_get_task_data (task);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  GError *error = NULL;
  int handle = -1;

  enter_phase (task, call->verb);
  if (call->input != NULL)
    {
      handle = append_secret (fds, call->input, &error);
      if (handle < 0)
        {
          end_call (task, error);
          return;
        }
    }
  if (call->verb == PHASE_PROBE)
    dps_attestor1_call_probe (call->proxy,
                              G_DBUS_CALL_FLAGS_NONE,
                              -1,
                              call->cancellable,
                              on_probe,
                              task);
  else if (call->verb == PHASE_DESCRIBE)
    dps_attestor1_call_describe (call->proxy,
                                 G_DBUS_CALL_FLAGS_NONE,
                                 -1,
                                 NULL,
                                 call->cancellable,
                                 on_describe,
                                 task);
  else if (call->verb == PHASE_ANSWER)
    send_answer (task, fds, handle);
  else
    send_sign (task, fds, handle);
}

static void
on_configured (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = g_task_get_task_data (data);
  GError *error = NULL;

  if (dps_attestor1_call_configure_finish (call->proxy, NULL, result, &error))
    send_verb (data);
  else
    end_call (data, error);
}

/* Secrets as a{sh}, and their descriptors; NULL with error. */
static GVariant *
pack_secrets (GHashTable *secrets, GUnixFDList *fds, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{sh}"));
  GHashTableIter iter;
  gpointer name, secret;

  g_hash_table_iter_init (&iter, secrets);
  while (g_hash_table_iter_next (&iter, &name, &secret))
    {
      int handle = append_secret (fds, secret, error);

      if (handle < 0)
        return NULL;
      g_variant_builder_add (&builder, "{sh}", name, handle);
    }
  return g_variant_builder_end (&builder);
}

static GVariant *
pack_tpm (int tpm, GUnixFDList *fds, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("ah"));
  int handle;

  if (tpm >= 0)
    {
      handle = g_unix_fd_list_append (fds, tpm, error);
      if (handle < 0)
        return NULL;
      g_variant_builder_add (&builder, "h", handle);
    }
  return g_variant_builder_end (&builder);
}

static void
send_configure (GTask *task)
{
  DpsPluginRunner *self = g_task_get_source_object (task);
  Call *call = g_task_get_task_data (task);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new ();
  g_autoptr (GVariant) secrets = NULL;
  g_autoptr (GVariant) tpm = NULL;
  GError *error = NULL;

  enter_phase (task, PHASE_CONFIGURE);
  secrets = pack_secrets (call->secrets, fds, &error);
  if (secrets != NULL)
    tpm = pack_tpm (self->tpm, fds, &error);
  if (tpm == NULL)
    {
      end_call (task, error);
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

static void
on_loaded (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginRunner *self = g_task_get_source_object (data);
  Call *call = g_task_get_task_data (data);
  g_autoptr (GVariant) facts = NULL;
  GError *error = NULL;
  guint abi;

  if (!dps_attestor1_call_load_finish (call->proxy, &abi, &facts, result, &error))
    {
      end_call (data, error);
      return;
    }
  self->start_time = g_get_monotonic_time () - call->spawned;
  g_variant_lookup (facts, "landlock", "b", &call->landlock);
  send_configure (data);
}

static void
on_proxy (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginRunner *self = g_task_get_source_object (data);
  Call *call = g_task_get_task_data (data);
  GError *error = NULL;

  call->proxy = dps_attestor1_proxy_new_finish (result, &error);
  if (call->proxy == NULL)
    {
      end_call (data, error);
      return;
    }
  /* The timer of the phase is the only limit. */
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (call->proxy), G_MAXINT);
  enter_phase (data, PHASE_LOAD);
  dps_attestor1_call_load (call->proxy,
                           self->name,
                           G_DBUS_CALL_FLAGS_NONE,
                           -1,
                           call->cancellable,
                           on_loaded,
                           data);
}

static void
on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
  Call *call = g_task_get_task_data (data);

  /* The peer is there, and still the bus library gave up: it could not read what came. */
  call->garbled = !vanished && error != NULL;
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = g_task_get_task_data (data);
  GError *error = NULL;

  call->connection = g_dbus_connection_new_finish (result, &error);
  if (call->connection == NULL)
    {
      end_call (data, error);
      return;
    }
  g_signal_connect_object (call->connection, "closed", G_CALLBACK (on_closed), data, 0);
  dps_attestor1_proxy_new (call->connection,
                           G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES |
                               G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS,
                           NULL,
                           ATTESTOR_PATH,
                           call->cancellable,
                           on_proxy,
                           data);
}

/* In a worker thread. The other mechanisms would read and write files, or prove nothing.
 */
static gboolean
on_allow_mechanism (GDBusAuthObserver *observer, const char *mechanism, gpointer data)
{
  return strcmp (mechanism, "EXTERNAL") == 0;
}

static void
send_handshake (GTask *task)
{
  Call *call = g_task_get_task_data (task);
  g_autoptr (GIOStream) stream = dps_plugin_child_steal_stream (call->child);
  g_autoptr (GDBusAuthObserver) observer = g_dbus_auth_observer_new ();
  g_autofree char *guid = g_dbus_generate_guid ();

  g_signal_connect (observer, "allow-mechanism", G_CALLBACK (on_allow_mechanism), NULL);
  g_dbus_connection_new (stream,
                         guid,
                         G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER |
                             G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_REQUIRE_SAME_USER,
                         observer,
                         call->cancellable,
                         on_connected,
                         task);
}

static void
on_user_cancelled (GCancellable *user, gpointer data)
{
  g_cancellable_cancel (data);
}

/* Takes the task. */
static void
start_call (GTask *task)
{
  DpsPluginRunner *self = g_task_get_source_object (task);
  GCancellable *user = g_task_get_cancellable (task);
  Call *call = g_task_get_task_data (task);
  GError *error = NULL;

  if (g_cancellable_set_error_if_cancelled (user, &error) ||
      !dps_name_check_plugin (self->name, &error))
    {
      call->reaped = TRUE;
      end_call (task, error);
      return;
    }
  call->child = dps_plugin_child_spawn (self->host_path,
                                        self->plugin_dir,
                                        self->name,
                                        on_ended,
                                        task,
                                        &error);
  if (call->child == NULL)
    {
      call->reaped = TRUE;
      end_call (task, error);
      return;
    }
  call->spawned = g_get_monotonic_time ();
  if (user != NULL)
    call->user_cancelled = g_cancellable_connect (user,
                                                  G_CALLBACK (on_user_cancelled),
                                                  g_object_ref (call->cancellable),
                                                  g_object_unref);
  enter_phase (task, PHASE_START);
  send_handshake (task);
}

static GVariant *
pack_settings (GHashTable *settings)
{
  GVariantBuilder builder;
  GHashTableIter iter;
  gpointer key, value;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{ss}"));
  if (settings != NULL)
    {
      g_hash_table_iter_init (&iter, settings);
      while (g_hash_table_iter_next (&iter, &key, &value))
        g_variant_builder_add (&builder, "{ss}", key, value);
    }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
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
          Phase verb,
          GHashTable *settings,
          GHashTable *secrets,
          GDestroyNotify free_result,
          GCancellable *cancellable,
          GAsyncReadyCallback callback,
          gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  Call *call = g_new0 (Call, 1);

  call->verb = verb;
  call->settings = pack_settings (settings);
  call->secrets = copy_secrets (secrets);
  call->cancellable = g_cancellable_new ();
  call->free_result = free_result;
  g_task_set_task_data (task, call, call_free);
  g_task_set_source_tag (task, GINT_TO_POINTER (verb));
  g_task_set_check_cancellable (task, FALSE);
  return task;
}

static gpointer
finish_call (DpsPluginRunner *self, Phase verb, GAsyncResult *result, GError **error)
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
  start_call (new_call (self,
                        PHASE_PROBE,
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
  return finish_call (self, PHASE_PROBE, result, error);
}

void
dps_plugin_runner_describe_async (DpsPluginRunner *self,
                                  GHashTable *settings,
                                  GHashTable *secrets,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer data)
{
  start_call (new_call (self,
                        PHASE_DESCRIBE,
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
  return finish_call (self, PHASE_DESCRIBE, result, error);
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
                          PHASE_ANSWER,
                          settings,
                          secrets,
                          (GDestroyNotify) dps_secret_unref,
                          cancellable,
                          callback,
                          data);
  Call *call = g_task_get_task_data (task);

  call->input = dps_secret_ref (challenge);
  start_call (task);
}

DpsSecret *
dps_plugin_runner_answer_finish (DpsPluginRunner *self,
                                 GAsyncResult *result,
                                 GError **error)
{
  return finish_call (self, PHASE_ANSWER, result, error);
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
                          PHASE_SIGN,
                          settings,
                          secrets,
                          (GDestroyNotify) g_bytes_unref,
                          cancellable,
                          callback,
                          data);
  Call *call = g_task_get_task_data (task);

  call->slot = g_strdup (slot);
  call->mechanism = g_strdup (mechanism);
  call->input = blob != NULL ? dps_secret_ref (blob) : NULL;
  call->data = g_bytes_ref (data_to_sign);
  start_call (task);
}

GBytes *
dps_plugin_runner_sign_finish (DpsPluginRunner *self,
                               GAsyncResult *result,
                               GError **error)
{
  return finish_call (self, PHASE_SIGN, result, error);
}

const char *
dps_plugin_runner_get_name (DpsPluginRunner *self)
{
  return self->name;
}

void
dps_plugin_runner_set_deadline (DpsPluginRunner *self, guint ms)
{
  self->deadline = ms;
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
