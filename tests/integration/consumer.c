/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "consumer.h"

#include <string.h>

GDBusConnection *
consumer_connect (const char *address)
{
  g_autoptr (GError) error = NULL;
  GDBusConnection *bus = g_dbus_connection_new_for_address_sync (
      address,
      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
      NULL,
      NULL,
      &error);

  if (bus == NULL)
    g_error ("%s", error->message);
  return bus;
}

GVariant *
consumer_call (GDBusConnection *bus,
               const char *method,
               GVariant *parameters,
               GUnixFDList **fds,
               GError **error)
{
  return g_dbus_connection_call_with_unix_fd_list_sync (bus,
                                                        "org.dpsagent.Agent1",
                                                        "/org/dpsagent/Agent1",
                                                        "org.dpsagent.Agent1.Credentials",
                                                        method,
                                                        parameters,
                                                        NULL,
                                                        G_DBUS_CALL_FLAGS_NONE,
                                                        60000,
                                                        NULL,
                                                        fds,
                                                        NULL,
                                                        error);
}

DpsCertificateChain *
consumer_get_chain (GDBusConnection *bus, GError **error)
{
  g_autoptr (GVariant) reply =
      consumer_call (bus, "GetCertificateChain", NULL, NULL, error);
  const char *pem;

  if (reply == NULL)
    return NULL;
  g_variant_get (reply, "(&s)", &pem);
  return dps_certificate_chain_new_from_pem (pem, strlen (pem), error);
}
