/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-error-gate.h"
#include "common/dps-error.h"

static DpsError
code_of_io_error (gint code)
{
  switch (code)
    {
    case G_IO_ERROR_TIMED_OUT:
      return DPS_ERROR_TIMED_OUT;
    case G_IO_ERROR_BUSY:
    case G_IO_ERROR_WOULD_BLOCK:
    case G_IO_ERROR_PENDING:
      return DPS_ERROR_BUSY;
    case G_IO_ERROR_INVALID_ARGUMENT:
    case G_IO_ERROR_INVALID_DATA:
    case G_IO_ERROR_INVALID_FILENAME:
      return DPS_ERROR_INVALID_ARGUMENT;
    case G_IO_ERROR_NOT_SUPPORTED:
      return DPS_ERROR_NOT_SUPPORTED;
    case G_IO_ERROR_NO_SPACE:
    case G_IO_ERROR_TOO_MANY_OPEN_FILES:
      return DPS_ERROR_LIMITS_EXCEEDED;
    default:
      return DPS_ERROR_FAILED;
    }
}

GError *
dps_error_gate_convert (const GError *error)
{
  DpsError code = DPS_ERROR_FAILED;

  if (error->domain == DPS_ERROR)
    return g_error_copy (error);
  if (error->domain == G_IO_ERROR)
    code = code_of_io_error (error->code);
  return g_error_new_literal (DPS_ERROR, (gint) code, error->message);
}

void
dps_error_gate_return (GDBusMethodInvocation *invocation, GError *error)
{
  g_dbus_method_invocation_take_error (invocation, dps_error_gate_convert (error));
  g_error_free (error);
}
