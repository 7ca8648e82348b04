/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-call.h"
#include "bus/dps-error-gate.h"

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
