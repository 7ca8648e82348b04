/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-presence.h"
#include "bus/dps-service.h"
#include "bus/dps-timedate.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "common/dps-secret.h"
#include "core/dps-keeper.h"
#include "core/dps-machine.h"
#include "core/dps-plugin-runner.h"
#include "core/dps-provisioner.h"
#include "core/dps-settings.h"
#include "store/dps-tpm-sealer.h"

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#if DPS_SANITIZED
#include <sanitizer/lsan_interface.h>
#endif

#define IDLE_SECONDS 30.0
/* A store opens in a few milliseconds; where a TPM is slow the bus is not kept waiting.
 */
#define OPEN_WAIT_MS 2000
#define COMMIT_WAIT_SECONDS 10
#define PLUGINS_WAIT_SECONDS 5

static struct
{
  char *config_dir;
  char *state_dir;
  char *runtime_dir;
  char *plugin_dir;
  char *plugin_host;
  char *bus_address;
  double idle_seconds;
  gboolean debug;
  gboolean print_config;
  gboolean json;
  gboolean version;
} options = { .idle_seconds = IDLE_SECONDS };

/* clang-format off */
static const GOptionEntry entries[] = {
  { "config-dir", 0, 0, G_OPTION_ARG_FILENAME, &options.config_dir,
    "Read agent.conf and agent.conf.d from DIR alone", "DIR" },
  { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &options.state_dir,
    "Keep the store in DIR (" DPS_STATE_DIR ")", "DIR" },
  { "runtime-dir", 0, 0, G_OPTION_ARG_FILENAME, &options.runtime_dir,
    "Runtime directory, searched for agent.conf.d (" DPS_RUNTIME_DIR ")", "DIR" },
  { "plugin-dir", 0, 0, G_OPTION_ARG_FILENAME, &options.plugin_dir,
    "Load plugins from DIR", "DIR" },
  { "plugin-host", 0, 0, G_OPTION_ARG_FILENAME, &options.plugin_host,
    "Program that loads a plugin", "FILE" },
  { "bus-address", 0, 0, G_OPTION_ARG_STRING, &options.bus_address,
    "Serve on this bus instead of the system bus", "ADDRESS" },
  { "idle-seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.idle_seconds,
    "Leave after so long without work (30; 0 = never)", "SECONDS" },
  { "debug", 0, 0, G_OPTION_ARG_NONE, &options.debug, "Log debug messages", NULL },
  { "print-config", 0, 0, G_OPTION_ARG_NONE, &options.print_config,
    "Print the configuration in force and where each value comes from, and exit", NULL },
  { "json", 0, 0, G_OPTION_ARG_NONE, &options.json, "With --print-config: as JSON", NULL },
  { "version", 0, 0, G_OPTION_ARG_NONE, &options.version, "Print the version and exit", NULL },
  { NULL }
};
/* clang-format on */

/* What a running daemon consists of. */
typedef struct
{
  GMainLoop *loop;
  GDBusConnection *connection;
  DpsSettings *settings;
  DpsKeeper *keeper;
  DpsReport *report;
  DpsProvisioner *provisioner;
  DpsPresence *presence;
  DpsService *service;
  gboolean terminated; /* before the presence was entered */
  gboolean entered;
  int exit_status;
} Daemon;

/* A plugin's process ends with its runner, and is gone before the agent is. */
static void
wait_for_plugins (void)
{
  gint64 deadline = g_get_monotonic_time () + PLUGINS_WAIT_SECONDS * G_USEC_PER_SEC;

  while (dps_plugin_runner_count_processes () > 0 && g_get_monotonic_time () < deadline)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
}

static void
daemon_clear (Daemon *daemon)
{
  g_clear_object (&daemon->service);
  g_clear_object (&daemon->presence);
  g_clear_object (&daemon->provisioner);
  wait_for_plugins ();
  g_clear_object (&daemon->report);
  g_clear_object (&daemon->keeper);
  g_clear_object (&daemon->settings);
  if (daemon->connection != NULL)
    g_dbus_connection_close_sync (daemon->connection, NULL, NULL);
  g_clear_object (&daemon->connection);
  g_clear_pointer (&daemon->loop, g_main_loop_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Daemon, daemon_clear)

static DpsSettings *
make_settings (void)
{
  /* A private world is read from the directories it names alone: nothing of the host
   * leaks in. */
  gboolean private_world = options.config_dir != NULL;
  DpsConfigPaths paths = {
    .config_dir = private_world ? options.config_dir : DPS_CONFIG_DIR,
    .run_dir = options.runtime_dir ? options.runtime_dir
               : private_world     ? NULL
                                   : DPS_RUN_CONFIG_DIR,
    .vendor_dir = private_world ? NULL : DPS_VENDOR_CONFIG_DIR,
    .credentials_dir = g_getenv ("CREDENTIALS_DIRECTORY"),
    .state_dir = options.state_dir,
    /* An image's configuration is not for the plugins of this host. */
    .plugin_dir = options.plugin_dir ? options.plugin_dir
                  : private_world    ? NULL
                                     : DPS_PLUGIN_DIR,
  };

  return dps_settings_new (&paths,
                           options.plugin_host ? options.plugin_host
                                               : DPS_LIBEXEC_DIR "/dps-plugin-host",
                           options.plugin_dir);
}

static int
print_config (void)
{
  g_autoptr (DpsSettings) settings = make_settings ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  DpsConfig *config;

  if (!dps_settings_reload (settings, &error))
    {
      g_printerr ("%s\n", error->message);
      return g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_CONFIGURED) ? 6 : 1;
    }
  config = dps_settings_get_config (settings);
  if (options.json)
    {
      g_autoptr (JsonNode) node = dps_config_to_json (config);

      text = json_to_string (node, TRUE);
    }
  else
    text = dps_config_to_text (config);
  g_print ("%s\n", text);
  return 0;
}

static DpsKeeper *
make_keeper (void)
{
  const char *path = options.state_dir ? options.state_dir : DPS_STATE_DIR;
  g_autofree char *machine = dps_machine_dup_id ();

  return dps_keeper_new (path, dps_tpm_sealer_new, machine);
}

static GDBusConnection *
connect_bus (GError **error)
{
  if (options.bus_address == NULL)
    return g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, error);
  return g_dbus_connection_new_for_address_sync (
      options.bus_address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL,
      NULL,
      error);
}

static void
on_left (gpointer data)
{
  Daemon *daemon = data;

  g_dbus_connection_flush_sync (daemon->connection, NULL, NULL);
  g_main_loop_quit (daemon->loop);
}

static gboolean
on_terminate (gpointer data)
{
  Daemon *daemon = data;

  daemon->terminated = TRUE;
  if (daemon->entered)
    dps_presence_leave (daemon->presence);
  return G_SOURCE_CONTINUE;
}

static void
on_bus_closed (GDBusConnection *connection,
               gboolean remote_vanished,
               GError *error,
               gpointer data)
{
  Daemon *daemon = data;

  if (error == NULL && !remote_vanished)
    return;
  dps_warning ((TOPIC ("bus")), "the connection to the bus is gone, leaving");
  daemon->exit_status = EXIT_FAILURE;
  g_main_loop_quit (daemon->loop);
}

/* No core file and no ptrace by the same user: memory holds the device key. */
static void
close_up (void)
{
  struct rlimit none = { 0, 0 };

  if (prctl (PR_SET_DUMPABLE, 0) < 0 || setrlimit (RLIMIT_CORE, &none) < 0)
    dps_warning ((TOPIC ("daemon")), "cannot rule out core files");
}

static gboolean
on_late (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_CONTINUE;
}

/* So that the first callers meet what is stored, and a group key's file is gone before
 * anything else happens. */
static void
wait_for_store (Daemon *daemon)
{
  gboolean late = FALSE;
  guint timer = g_timeout_add (OPEN_WAIT_MS, on_late, &late);

  while (dps_provisioner_is_opening (daemon->provisioner) && !late && !daemon->terminated)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (timer);
  while (dps_provisioner_is_importing (daemon->provisioner))
    g_main_context_iteration (NULL, TRUE);
}

static void
ask_clock (gpointer data,
           void (*known) (gboolean synchronised, gpointer user),
           gpointer user)
{
  dps_timedate_ask (data, known, user);
}

static gboolean
daemon_start (Daemon *daemon, GError **error)
{
  guint idle_ms = (guint) (CLAMP (options.idle_seconds, 0, 86400) * 1000);

  daemon->keeper = make_keeper ();
  daemon->connection = connect_bus (error);
  if (daemon->connection == NULL)
    return FALSE;
  g_dbus_connection_set_exit_on_close (daemon->connection, FALSE);
  g_signal_connect (daemon->connection, "closed", G_CALLBACK (on_bus_closed), daemon);

  daemon->settings = make_settings ();
  daemon->report = dps_report_new ();
  daemon->provisioner =
      dps_provisioner_new (daemon->settings, daemon->keeper, daemon->report);
  dps_provisioner_set_clock (daemon->provisioner, ask_clock, daemon->connection);
  daemon->presence =
      dps_presence_new (daemon->connection, DPS_SERVICE_NAME, idle_ms, on_left, daemon);
  daemon->service = dps_service_new (daemon->connection,
                                     options.bus_address == NULL,
                                     daemon->provisioner,
                                     daemon->keeper,
                                     daemon->report,
                                     daemon->presence);

  g_unix_signal_add (SIGTERM, on_terminate, daemon);
  g_unix_signal_add (SIGINT, on_terminate, daemon);
  dps_provisioner_start (daemon->provisioner);
  wait_for_store (daemon);
  if (daemon->terminated)
    return TRUE;
  daemon->entered = dps_service_export (daemon->service, error) &&
                    dps_presence_enter (daemon->presence, error);
  return daemon->entered;
}

/* A commit that has begun is let end, and so is the removal of a group key's file. */
static void
finish_work (Daemon *daemon)
{
  gint64 deadline = g_get_monotonic_time () + COMMIT_WAIT_SECONDS * G_USEC_PER_SEC;

  dps_provisioner_cancel (daemon->provisioner);
  while ((dps_keeper_is_busy (daemon->keeper) ||
          dps_provisioner_is_importing (daemon->provisioner)) &&
         g_get_monotonic_time () < deadline)
    g_main_context_iteration (NULL, TRUE);
}

/* Without exit handlers: worker threads may still be in the libraries that those clean
 * up. */
static _Noreturn void
leave (int status)
{
  fflush (NULL);
#if DPS_SANITIZED
  __lsan_do_leak_check ();
#endif
  _exit (status);
}

static int
run (void)
{
  g_auto (Daemon) daemon = { 0 };
  g_autoptr (GError) error = NULL;

  close_up ();
  if (!dps_secret_init ())
    dps_info ((TOPIC ("daemon")), "memory for secrets cannot be locked here");
  daemon.loop = g_main_loop_new (NULL, FALSE);
  if (!daemon_start (&daemon, &error))
    {
      dps_warning ((TOPIC ("daemon")), "cannot start: %s", error->message);
      return EXIT_FAILURE;
    }
  if (daemon.entered)
    {
      sd_notify (FALSE, "READY=1");
      g_main_loop_run (daemon.loop);
    }
  finish_work (&daemon);
  return daemon.exit_status;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context =
      g_option_context_new ("- give this host its Azure IoT Hub identity through DPS");
  g_autoptr (GError) error = NULL;

  setlocale (LC_CTYPE, "");
  /* The TPM's library would write to standard error by itself; errors say what it said.
   */
  g_setenv ("TSS2_LOG", "all+none", FALSE);
  signal (SIGPIPE, SIG_IGN);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc > 1)
    {
      g_printerr ("dps-agentd: %s\n", error ? error->message : "takes no arguments");
      return 2;
    }
  if (options.version)
    {
      g_print ("dps-agentd %s\n", PACKAGE_VERSION);
      return EXIT_SUCCESS;
    }
  dps_log_init ("dps-agentd", options.debug);
  if (options.print_config)
    return print_config ();
  leave (run ());
}
