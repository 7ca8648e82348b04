/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"

#include <unistd.h>

#define AGENT_NAME "org.dpsagent.Agent1"
#define AGENT_PATH "/org/dpsagent/Agent1"

static GDBusConnection *
connect_bus (const DpsCtl *ctl, GError **error)
{
  g_autofree char *address = g_strdup (ctl->bus_address);
  GDBusConnection *connection;

  if (address == NULL)
    address = g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, error);
  if (address == NULL)
    return NULL;
  connection = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL,
      NULL,
      error);
  if (connection == NULL)
    g_prefix_error (error, "cannot reach the bus: ");
  return connection;
}

/* Starting the agent is left to the first call, which unlike the making of a proxy
 * reports how that went. */
DpsDBusAgent1 *
dps_ctl_connect_agent (const DpsCtl *ctl, GError **error)
{
  g_autoptr (GDBusConnection) connection = connect_bus (ctl, error);

  if (connection == NULL)
    return NULL;
  return dps_dbus_agent1_proxy_new_sync (
      connection,
      G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START_AT_CONSTRUCTION,
      AGENT_NAME,
      AGENT_PATH,
      NULL,
      error);
}

#define QUIET                                                                            \
  (G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START_AT_CONSTRUCTION |                                \
   G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES |                                           \
   G_DBUS_PROXY_FLAGS_DO_NOT_CONNECT_SIGNALS)

DpsDBusAgent1Control *
dps_ctl_connect_control (const DpsCtl *ctl, GError **error)
{
  g_autoptr (GDBusConnection) connection = connect_bus (ctl, error);

  if (connection == NULL)
    return NULL;
  return dps_dbus_agent1_control_proxy_new_sync (connection,
                                                 QUIET,
                                                 AGENT_NAME,
                                                 AGENT_PATH,
                                                 NULL,
                                                 error);
}

DpsDBusAgent1Credentials *
dps_ctl_connect_credentials (const DpsCtl *ctl, GError **error)
{
  g_autoptr (GDBusConnection) connection = connect_bus (ctl, error);

  if (connection == NULL)
    return NULL;
  return dps_dbus_agent1_credentials_proxy_new_sync (connection,
                                                     QUIET,
                                                     AGENT_NAME,
                                                     AGENT_PATH,
                                                     NULL,
                                                     error);
}

#define GET_ALL "org.freedesktop.DBus.Properties.GetAll"

static gboolean
take_properties (DpsDBusAgent1 *agent, GVariant *reply, GError **error)
{
  g_autoptr (GVariant) properties = NULL;
  GVariantIter iter;
  const char *name;
  GVariant *value;

  if (!g_variant_is_of_type (reply, G_VARIANT_TYPE ("(a{sv})")))
    {
      g_set_error (error,
                   G_DBUS_ERROR,
                   G_DBUS_ERROR_INVALID_SIGNATURE,
                   "the agent answered with values of type %s",
                   g_variant_get_type_string (reply));
      return FALSE;
    }
  properties = g_variant_get_child_value (reply, 0);
  g_variant_iter_init (&iter, properties);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &value))
    g_dbus_proxy_set_cached_property (G_DBUS_PROXY (agent), name, value);
  if (dps_dbus_agent1_get_state (agent) != NULL)
    return TRUE;
  g_set_error_literal (error,
                       G_DBUS_ERROR,
                       G_DBUS_ERROR_UNKNOWN_PROPERTY,
                       "the agent did not tell its state");
  return FALSE;
}

gboolean
dps_ctl_read_agent (DpsDBusAgent1 *agent, GError **error)
{
  g_autoptr (GVariant) reply = g_dbus_proxy_call_sync (G_DBUS_PROXY (agent),
                                                       GET_ALL,
                                                       g_variant_new ("(s)", AGENT_NAME),
                                                       G_DBUS_CALL_FLAGS_NONE,
                                                       DPS_CTL_READ_TIMEOUT,
                                                       NULL,
                                                       error);

  return reply != NULL && take_properties (agent, reply, error);
}

void
dps_ctl_read_agent_async (DpsDBusAgent1 *agent,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer data)
{
  g_dbus_proxy_call (G_DBUS_PROXY (agent),
                     GET_ALL,
                     g_variant_new ("(s)", AGENT_NAME),
                     G_DBUS_CALL_FLAGS_NONE,
                     DPS_CTL_READ_TIMEOUT,
                     cancellable,
                     callback,
                     data);
}

gboolean
dps_ctl_read_agent_finish (DpsDBusAgent1 *agent, GAsyncResult *result, GError **error)
{
  g_autoptr (GVariant) reply =
      g_dbus_proxy_call_finish (G_DBUS_PROXY (agent), result, error);

  return reply != NULL && take_properties (agent, reply, error);
}

DpsDBusAgent1 *
dps_ctl_open_agent (const DpsCtl *ctl, DpsCtlExit *exit)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsDBusAgent1) agent = dps_ctl_connect_agent (ctl, &error);

  if (agent == NULL || !dps_ctl_read_agent (agent, &error))
    {
      *exit = dps_ctl_fail (ctl, error);
      return NULL;
    }
  return g_steal_pointer (&agent);
}

GDBusCallFlags
dps_ctl_call_flags (void)
{
  return isatty (STDIN_FILENO) ? G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION
                               : G_DBUS_CALL_FLAGS_NONE;
}
