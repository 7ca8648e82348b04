/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"

#include <gio/gio.h>

static const GDBusErrorEntry error_names[] = {
  { DPS_ERROR_FAILED, DPS_ERROR_PREFIX "Failed" },
  { DPS_ERROR_ACCESS_DENIED, DPS_ERROR_PREFIX "AccessDenied" },
  { DPS_ERROR_INVALID_ARGUMENT, DPS_ERROR_PREFIX "InvalidArgument" },
  { DPS_ERROR_NOT_CONFIGURED, DPS_ERROR_PREFIX "NotConfigured" },
  { DPS_ERROR_NOT_PROVISIONED, DPS_ERROR_PREFIX "NotProvisioned" },
  { DPS_ERROR_NOT_SUPPORTED, DPS_ERROR_PREFIX "NotSupported" },
  { DPS_ERROR_BUSY, DPS_ERROR_PREFIX "Busy" },
  { DPS_ERROR_REJECTED, DPS_ERROR_PREFIX "Rejected" },
  { DPS_ERROR_LIMITS_EXCEEDED, DPS_ERROR_PREFIX "LimitsExceeded" },
  { DPS_ERROR_TIMED_OUT, DPS_ERROR_PREFIX "TimedOut" },
};
G_STATIC_ASSERT (G_N_ELEMENTS (error_names) == DPS_N_ERRORS);

GQuark
dps_error_quark (void)
{
  static gsize quark = 0;

  g_dbus_error_register_error_domain ("dps-error-quark",
                                      &quark,
                                      error_names,
                                      G_N_ELEMENTS (error_names));
  return (GQuark) quark;
}

const char *
dps_error_name (DpsError code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (error_names); i++)
    if (error_names[i].error_code == (gint) code)
      return error_names[i].dbus_error_name;
  return error_names[DPS_ERROR_FAILED].dbus_error_name;
}

gboolean
dps_error_is_transient (const GError *error)
{
  static const gint transient_io[] = {
    G_IO_ERROR_TIMED_OUT,          G_IO_ERROR_BUSY,
    G_IO_ERROR_WOULD_BLOCK,        G_IO_ERROR_HOST_UNREACHABLE,
    G_IO_ERROR_CONNECTION_REFUSED, G_IO_ERROR_NETWORK_UNREACHABLE,
    G_IO_ERROR_CONNECTION_CLOSED,  G_IO_ERROR_TOO_MANY_OPEN_FILES,
  };

  if (error == NULL)
    return FALSE;
  if (error->domain == DPS_ERROR)
    return error->code == DPS_ERROR_BUSY || error->code == DPS_ERROR_TIMED_OUT;
  if (error->domain != G_IO_ERROR)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (transient_io); i++)
    if (error->code == transient_io[i])
      return TRUE;
  return FALSE;
}
