/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <signal.h>
#include <stdlib.h>

/* activation ADDRESS COUNT: prints, once per line, how many µs a call on an open
 * connection takes that has to start the agent. Between two calls the agent is ended and
 * waited for, so that none meets the one before it. */

#define LIMIT (10 * G_USEC_PER_SEC)

static GVariant *
call (GDBusConnection *bus,
      const char *name,
      const char *path,
      const char *interface,
      const char *method,
      GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *reply = g_dbus_connection_call_sync (bus,
                                                 name,
                                                 path,
                                                 interface,
                                                 method,
                                                 arguments,
                                                 NULL,
                                                 G_DBUS_CALL_FLAGS_NONE,
                                                 60000,
                                                 NULL,
                                                 &error);

  if (reply == NULL)
    g_error ("%s: %s", method, error->message);
  return reply;
}

static void
read_state (GDBusConnection *bus)
{
  g_autoptr (GVariant) reply =
      call (bus,
            "org.dpsagent.Agent1",
            "/org/dpsagent/Agent1",
            "org.freedesktop.DBus.Properties",
            "Get",
            g_variant_new ("(ss)", "org.dpsagent.Agent1", "State"));
}

static void
end_agent (GDBusConnection *bus)
{
  g_autoptr (GVariant) reply = call (bus,
                                     "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus",
                                     "GetConnectionUnixProcessID",
                                     g_variant_new ("(s)", "org.dpsagent.Agent1"));
  gint64 limit = g_get_monotonic_time () + LIMIT;
  guint32 pid;

  g_variant_get (reply, "(u)", &pid);
  kill ((pid_t) pid, SIGTERM);
  while (kill ((pid_t) pid, 0) == 0)
    {
      if (g_get_monotonic_time () > limit)
        g_error ("the agent (pid %u) does not end", pid);
      g_usleep (2000);
    }
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) bus = NULL;

  if (argc != 3)
    return 2;
  bus = g_dbus_connection_new_for_address_sync (
      argv[1],
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL,
      NULL,
      &error);
  if (bus == NULL)
    g_error ("%s", error->message);
  read_state (bus);
  for (int i = 0; i < atoi (argv[2]); i++)
    {
      gint64 start;

      end_agent (bus);
      start = g_get_monotonic_time ();
      read_state (bus);
      g_print ("%" G_GINT64_FORMAT "\n", g_get_monotonic_time () - start);
    }
  return 0;
}
