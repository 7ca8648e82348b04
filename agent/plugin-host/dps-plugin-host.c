/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-landlock.h"
#include "plugin-host/dps-attestor.h"
#include "plugin-host/dps-confine.h"
#include "plugin-host/dps-wiping.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* dps-plugin-host: loads one plugin and serves it to the agent over the socket it was
 * born with. Started by the agent only. It leaves by _exit(), so that nothing a plugin
 * registered runs at the end. */

typedef struct
{
  int fd;
  const char *plugin_dir;
  const char *name;
  gboolean allow_unix;
  gboolean any_owner; /* for dps-plugin-check: an author's own file, not yet installed */
} Options;

static const char usage[] =
    "usage: dps-plugin-host --fd FD [--plugin-dir DIR] [--allow-unix] "
    "[--any-owner] NAME\n";

static gboolean
parse_fd (const char *text, int *fd)
{
  char *end;
  long value;

  errno = 0;
  value = strtol (text, &end, 10);
  if (errno != 0 || *end != '\0' || end == text || value < 3 || value > 1023)
    return FALSE;
  *fd = (int) value;
  return TRUE;
}

static gboolean
parse_options (int argc, char **argv, Options *options)
{
  static const struct option known[] = { { "fd", required_argument, NULL, 'f' },
                                         { "plugin-dir", required_argument, NULL, 'd' },
                                         { "allow-unix", no_argument, NULL, 'u' },
                                         { "any-owner", no_argument, NULL, 'o' },
                                         { NULL, 0, NULL, 0 } };
  int c;

  *options = (Options){ .fd = -1, .plugin_dir = DPS_PLUGIN_DIR };
  while ((c = getopt_long (argc, argv, "", known, NULL)) != -1)
    switch (c)
      {
      case 'f':
        if (!parse_fd (optarg, &options->fd))
          return FALSE;
        break;
      case 'd':
        options->plugin_dir = optarg;
        break;
      case 'u':
        options->allow_unix = TRUE;
        break;
      case 'o':
        options->any_owner = TRUE;
        break;
      default:
        return FALSE;
      }
  if (options->fd < 0 || optind != argc - 1)
    return FALSE;
  options->name = argv[optind];
  return TRUE;
}

static gboolean
confine (const Options *options, guint landlock, GError **error)
{
  return dps_confine_descriptors (options->fd, error) &&
         dps_confine_process (!DPS_SANITIZED, error) &&
         dps_confine_files (options->plugin_dir, options->allow_unix, landlock, error) &&
         dps_confine_calls (options->allow_unix, error);
}

static GDBusConnection *
connect_to_agent (int fd, GError **error)
{
  g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, error);
  g_autoptr (GSocketConnection) stream = NULL;

  if (socket == NULL)
    return NULL;
  stream = g_socket_connection_factory_create_connection (socket);
  return g_dbus_connection_new_sync (G_IO_STREAM (stream),
                                     NULL,
                                     G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                         G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                                     NULL,
                                     NULL,
                                     error);
}

static void
on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer data)
{
  _exit (0);
}

static void
on_terminate (int signal_number)
{
  _exit (0);
}

static int
serve (const Options *options, const DpsAttestorConfinement *confinement, GError **error)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GDBusConnection) connection = NULL;
  g_autoptr (DpsAttestor) attestor = NULL;

  connection = connect_to_agent (options->fd, error);
  if (connection == NULL)
    return -1;
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  g_signal_connect (connection, "closed", G_CALLBACK (on_closed), NULL);
  attestor = dps_attestor_new (options->plugin_dir,
                               options->name,
                               confinement,
                               options->any_owner);
  if (!dps_attestor_export (attestor, connection, error))
    return -1;
  g_dbus_connection_start_message_processing (connection);
  g_main_loop_run (loop);
  return 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  DpsAttestorConfinement confinement;
  Options options;

  /* The agent may stop reading what is logged; that must not end a verb. */
  signal (SIGPIPE, SIG_IGN);
  signal (SIGTERM, on_terminate);
  if (!parse_options (argc, argv, &options))
    {
      fputs (usage, stderr);
      return 2;
    }
  if (!dps_wiping_install ())
    {
      fputs ("<4>plugin host: something has used OpenSSL before main()\n", stderr);
      return 1;
    }
  /* Confinement comes before any main context: it closes every descriptor it does not
   * know, and a context has one. */
  confinement = (DpsAttestorConfinement){ dps_landlock_abi (), options.allow_unix };
  if (!confine (&options, confinement.landlock, &error) ||
      serve (&options, &confinement, &error) < 0)
    {
      fprintf (stderr, "<4>plugin host: %s\n", error->message);
      _exit (1);
    }
  return 0;
}
