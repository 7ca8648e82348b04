/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-call.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define ATTESTOR_PATH "/org/dpsagent/Attestor1"
#define ERROR_TEXT_MAX 1024

/* Each phase has its own name in messages; a deadline of 0 is what is left of that of the
 * phase before. */
static const struct
{
  const char *name;
  guint deadline; /* ms */
  guint with_tpm; /* the same, where the process has a TPM; 0 = no other */
} phases[DPS_PLUGIN_N_PHASES] = {
  [DPS_PLUGIN_PHASE_START] = { "start", 5000 },
  [DPS_PLUGIN_PHASE_LOAD] = { "load", 0 },
  [DPS_PLUGIN_PHASE_CONFIGURE] = { "configure", 0 },
  [DPS_PLUGIN_PHASE_PROBE] = { "probe", 2000 },
  [DPS_PLUGIN_PHASE_DESCRIBE] = { "describe", 10000, 150000 },
  [DPS_PLUGIN_PHASE_ANSWER] = { "answer", 20000, 150000 },
  [DPS_PLUGIN_PHASE_SIGN] = { "sign", 5000, 150000 },
  [DPS_PLUGIN_PHASE_FORGET] = { "forget", 10000, 150000 },
};

void
dps_plugin_call_free (gpointer data)
{
  DpsPluginCall *call = data;

  g_variant_unref (call->terms.settings);
  g_hash_table_unref (call->terms.secrets);
  g_clear_pointer (&call->input, dps_secret_unref);
  g_free (call->slot);
  g_free (call->mechanism);
  g_clear_pointer (&call->data, g_bytes_unref);
  dps_close_fd (&call->tpm);
  g_clear_object (&call->cancellable);
  g_clear_error (&call->error);
  if (call->result != NULL)
    call->free_result (call->result);
  g_free (call);
}

/* What became of the process, in words; only the wait status tells a crash from an exit,
 * which is why errors wait for it. */
static char *
describe_end (const DpsPluginCall *call)
{
  int status = call->process->wait_status;

  if (WIFSIGNALED (status) && WTERMSIG (status) != SIGKILL)
    return g_strdup_printf ("crashed with signal %d", WTERMSIG (status));
  if (call->process->garbled)
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
name_error (const DpsPluginCall *call, GCancellable *user)
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
  if (call->tpm_failed)
    return g_error_copy (call->error);
  if (call->process == NULL)
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
  /* The bus library's word for it. */
  if (g_error_matches (call->error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    return g_error_new (DPS_ERROR,
                        DPS_ERROR_REJECTED,
                        "%s: an answer of other types than agreed",
                        phase);
  end = describe_end (call);
  return g_error_new (DPS_ERROR, DPS_ERROR_FAILED, "%s in %s", end, phase);
}

static gboolean
is_kept (const DpsPluginCall *call)
{
  return call->keep && call->error == NULL;
}

/* Answers the caller, once the process is kept or has ended. */
static void
finish (GTask *task)
{
  DpsPluginCall *call = g_task_get_task_data (task);
  GError *error = NULL;

  if (call->error != NULL)
    {
      error = name_error (call, g_task_get_cancellable (task));
      g_prefix_error (&error, "plugin %s: ", call->name);
    }
  if (!is_kept (call))
    call->process = NULL;
  call->done (task);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, g_steal_pointer (&call->result), call->free_result);
  g_object_unref (task);
}

static void
on_gone (gpointer data)
{
  finish (data);
}

void
dps_plugin_call_end (GTask *task, GError *error)
{
  DpsPluginCall *call = g_task_get_task_data (task);

  call->error = error;
  g_clear_handle_id (&call->timer, g_source_remove);
  g_cancellable_disconnect (g_task_get_cancellable (task), call->user_cancelled);
  call->user_cancelled = 0;
  if (call->process == NULL || is_kept (call))
    finish (task);
  else
    dps_plugin_process_end (call->process, on_gone, task);
}

static gboolean
on_deadline (gpointer data)
{
  GTask *task = data;
  DpsPluginCall *call = g_task_get_task_data (task);

  call->timer = 0;
  call->timed_out = TRUE;
  dps_plugin_process_kill (call->process);
  g_cancellable_cancel (call->cancellable);
  return G_SOURCE_REMOVE;
}

void
dps_plugin_call_enter (GTask *task, DpsPluginPhase phase)
{
  DpsPluginCall *call = g_task_get_task_data (task);
  guint override =
      phase == DPS_PLUGIN_PHASE_START ? call->start_override : call->verb_override;
  guint deadline = call->open_tpm != NULL && phases[phase].with_tpm > 0
                       ? phases[phase].with_tpm
                       : phases[phase].deadline;

  call->phase = phase;
  if (deadline == 0)
    return;
  g_clear_handle_id (&call->timer, g_source_remove);
  call->deadline = override > 0 ? override : deadline;
  call->timer = g_timeout_add (call->deadline, on_deadline, task);
}

static void
on_loaded (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  DpsPluginProcess *process = call->process;
  g_autoptr (GVariant) facts = NULL;
  GError *error = NULL;
  guint abi;

  if (!dps_attestor1_call_load_finish (process->proxy, &abi, &facts, result, &error))
    {
      dps_plugin_call_end (data, error);
      return;
    }
  process->start_time = g_get_monotonic_time () - process->spawned;
  g_variant_lookup (facts, "seccomp", "b", &process->confinement.seccomp);
  g_variant_lookup (facts, "landlock", "u", &process->confinement.landlock);
  g_variant_lookup (facts, "unix-sockets", "b", &process->confinement.unix_sockets);
  call->loaded (data);
}

static void
on_proxy (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  GError *error = NULL;

  call->process->proxy = dps_attestor1_proxy_new_finish (result, &error);
  if (call->process->proxy == NULL)
    {
      dps_plugin_call_end (data, error);
      return;
    }
  /* The timer of the phase is the only limit. */
  g_dbus_proxy_set_default_timeout (G_DBUS_PROXY (call->process->proxy), G_MAXINT);
  dps_plugin_call_enter (data, DPS_PLUGIN_PHASE_LOAD);
  dps_attestor1_call_load (call->process->proxy,
                           call->name,
                           G_DBUS_CALL_FLAGS_NONE,
                           -1,
                           call->cancellable,
                           on_loaded,
                           data);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginCall *call = g_task_get_task_data (data);
  GError *error = NULL;
  GDBusConnection *connection = g_dbus_connection_new_finish (result, &error);

  if (connection == NULL)
    {
      dps_plugin_call_end (data, error);
      return;
    }
  dps_plugin_process_connect (call->process, connection);
  dps_attestor1_proxy_new (connection,
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
  DpsPluginCall *call = g_task_get_task_data (task);
  g_autoptr (GIOStream) stream = dps_plugin_process_steal_stream (call->process);
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

static gboolean
open_tpm (DpsPluginCall *call, GError **error)
{
  if (call->open_tpm == NULL)
    return TRUE;
  call->tpm = call->open_tpm (call->open_tpm_data, error);
  call->tpm_failed = call->tpm < 0;
  return !call->tpm_failed;
}

/* What has to be so before a process is started, and the start. */
static gboolean
spawn (DpsPluginCall *call, GError **error)
{
  if (!dps_name_check_plugin (call->name, error) || !open_tpm (call, error))
    return FALSE;
  call->process = dps_plugin_process_spawn (call->host_path,
                                            call->plugin_dir,
                                            call->name,
                                            &call->terms,
                                            error);
  return call->process != NULL;
}

void
dps_plugin_call_start (GTask *task)
{
  GCancellable *user = g_task_get_cancellable (task);
  DpsPluginCall *call = g_task_get_task_data (task);
  gboolean spawned = call->process == NULL;
  GError *error = NULL;

  if (g_cancellable_set_error_if_cancelled (user, &error) ||
      (spawned && !spawn (call, &error)))
    {
      dps_plugin_call_end (task, error);
      return;
    }
  if (user != NULL)
    call->user_cancelled = g_cancellable_connect (user,
                                                  G_CALLBACK (on_user_cancelled),
                                                  g_object_ref (call->cancellable),
                                                  g_object_unref);
  if (!spawned)
    {
      call->configured (task);
      return;
    }
  dps_plugin_call_enter (task, DPS_PLUGIN_PHASE_START);
  send_handshake (task);
}
