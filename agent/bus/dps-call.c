/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-call.h"
#include "bus/dps-error-gate.h"

#include <gio/gunixfdlist.h>

static void
end (DpsCall *call)
{
  dps_presence_release (call->presence, DPS_HOLD_CALL);
  g_object_unref (call->invocation);
  g_object_unref (call->service);
  g_free (call);
}

void
dps_call_fail (DpsCall *call, GError *error)
{
  dps_error_gate_return (call->invocation, error);
  end (call);
}

void
dps_call_answer (DpsCall *call, GVariant *value)
{
  g_dbus_method_invocation_return_value (call->invocation, value);
  end (call);
}

void
dps_call_answer_with_fd (DpsCall *call, GVariant *value, int fd)
{
  g_autoptr (GUnixFDList) list = g_unix_fd_list_new ();
  g_autoptr (GVariant) sunk = g_variant_ref_sink (value);
  GError *error = NULL;

  if (g_unix_fd_list_append (list, fd, &error) < 0)
    {
      dps_call_fail (call, error);
      return;
    }
  g_dbus_method_invocation_return_value_with_unix_fd_list (call->invocation, sunk, list);
  end (call);
}

void
dps_call_answer_done (DpsCall *call, gboolean done, GError *error)
{
  if (done)
    dps_call_answer (call, NULL);
  else
    dps_call_fail (call, error);
}

GVariant *
dps_call_argument (DpsCall *call, gsize index)
{
  return g_variant_get_child_value (g_dbus_method_invocation_get_parameters (
                                        call->invocation),
                                    index);
}
