/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <glib-unix.h>

/* answers ADDRESS LIMIT_MS PID: reads the State of the agent PID over the bus, one call
 * after the other, until SIGTERM; then prints how many there were, how many of them while
 * the agent had a child, how many failed or took longer than the limit, and the slowest
 * in ms. Exits 1 where one failed. */

static gboolean
on_terminate (gpointer data)
{
  *(gboolean *) data = TRUE;
  return G_SOURCE_REMOVE;
}

static gboolean
read_state (GDBusConnection *bus, int limit, GError **error)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_sync (bus,
                                   "org.dpsagent.Agent1",
                                   "/org/dpsagent/Agent1",
                                   "org.freedesktop.DBus.Properties",
                                   "Get",
                                   g_variant_new ("(ss)", "org.dpsagent.Agent1", "State"),
                                   G_VARIANT_TYPE ("(v)"),
                                   G_DBUS_CALL_FLAGS_NONE,
                                   limit,
                                   NULL,
                                   error);

  return reply != NULL;
}

static gboolean
has_child (const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/task/%s/children", pid, pid);
  g_autofree char *children = NULL;

  return g_file_get_contents (path, &children, NULL, NULL) && *children != '\0';
}

int
main (int argc, char **argv)
{
  g_autoptr (GDBusConnection) bus = NULL;
  g_autoptr (GError) error = NULL;
  guint calls = 0, beside = 0, failed = 0;
  gint64 slowest = 0;
  gboolean done = FALSE;
  int limit;

  if (argc != 4)
    return 2;
  limit = (int) g_ascii_strtoll (argv[2], NULL, 10);
  bus = g_dbus_connection_new_for_address_sync (
      argv[1],
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL,
      NULL,
      &error);
  if (bus == NULL)
    g_error ("%s", error->message);
  g_unix_signal_add (SIGTERM, on_terminate, &done);
  while (!done)
    {
      g_autoptr (GError) call_error = NULL;
      gboolean child = has_child (argv[3]);
      gint64 start = g_get_monotonic_time ();

      calls++;
      if (!read_state (bus, limit, &call_error))
        {
          failed++;
          g_printerr ("call %u: %s\n", calls, call_error->message);
        }
      else if (child && has_child (argv[3]))
        beside++;
      slowest = MAX (slowest, g_get_monotonic_time () - start);
      g_main_context_iteration (NULL, FALSE);
      g_usleep (2000);
    }
  g_print ("calls=%u beside=%u failed=%u slowest=%" G_GINT64_FORMAT " ms\n",
           calls,
           beside,
           failed,
           slowest / 1000);
  return failed > 0;
}
