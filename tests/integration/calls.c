/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <gio/gio.h>
#include <stdlib.h>

/* calls ADDRESS COUNT IDLE_MS: reads the agent's State COUNT times over the bus, at
 * moments spread over 0 to twice IDLE_MS after the last answer, so that many calls fall
 * on the moment at which the agent leaves. Every other call goes to a method that is
 * authorised, so that both ways through the agent are on the boundary. Prints the errors
 * and how often the agent was started. */

static char *
owner (GDBusConnection *bus)
{
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_sync (bus,
                                   "org.freedesktop.DBus",
                                   "/org/freedesktop/DBus",
                                   "org.freedesktop.DBus",
                                   "GetNameOwner",
                                   g_variant_new ("(s)", "org.dpsagent.Agent1"),
                                   G_VARIANT_TYPE ("(s)"),
                                   G_DBUS_CALL_FLAGS_NONE,
                                   -1,
                                   NULL,
                                   NULL);
  char *name = NULL;

  if (reply != NULL)
    g_variant_get (reply, "(s)", &name);
  return name;
}

static GVariant *
call (GDBusConnection *bus, guint i, GError **error)
{
  gboolean method = i % 2 == 1;

  return g_dbus_connection_call_sync (bus,
                                      "org.dpsagent.Agent1",
                                      "/org/dpsagent/Agent1",
                                      method ? "org.dpsagent.Agent1.Control"
                                             : "org.freedesktop.DBus.Properties",
                                      method ? "Cancel" : "Get",
                                      method ? NULL
                                             : g_variant_new ("(ss)",
                                                              "org.dpsagent.Agent1",
                                                              "State"),
                                      NULL,
                                      G_DBUS_CALL_FLAGS_NONE,
                                      60000,
                                      NULL,
                                      error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) bus = NULL;
  g_autofree char *last = NULL;
  guint count, idle_ms, errors = 0, starts = 0;

  if (argc != 4)
    return 2;
  count = (guint) atoi (argv[2]);
  idle_ms = (guint) atoi (argv[3]);
  bus = g_dbus_connection_new_for_address_sync (
      argv[1],
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL,
      NULL,
      &error);
  if (bus == NULL)
    g_error ("%s", error->message);
  for (guint i = 0; i < count; i++)
    {
      g_autoptr (GError) call_error = NULL;
      g_autoptr (GVariant) reply = call (bus, i, &call_error);
      g_autofree char *name = owner (bus);

      if (reply == NULL)
        {
          errors++;
          g_printerr ("call %u: %s\n", i, call_error->message);
        }
      if (name != NULL && g_strcmp0 (name, last) != 0)
        {
          starts++;
          g_free (last);
          last = g_steal_pointer (&name);
        }
      g_usleep ((gulong) (g_random_double () * 2 * idle_ms * 1000));
    }
  g_print ("calls=%u errors=%u starts=%u\n", count, errors, starts);
  return errors > 0;
}
