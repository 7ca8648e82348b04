/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-schedule.h"
#include "dps/dps-pacing.h"

#include <gio/gio.h>
#include <systemd/sd-id128.h>

/* Full jitter may draw next to nothing; a failure is not worth a try in the same second.
 */
#define LEAST_WAIT G_USEC_PER_SEC

static gboolean
is_network (DpsFailureKind kind)
{
  return kind == DPS_FAILURE_NAME_UNKNOWN || kind == DPS_FAILURE_UNREACHABLE ||
         kind == DPS_FAILURE_CONNECT_TIMEOUT;
}

static DpsState
wait_state (DpsFailureKind kind, gboolean network_is_up)
{
  if (kind == DPS_FAILURE_PLUGIN_LATER || kind == DPS_FAILURE_TPM_NO_DEVICE)
    return DPS_STATE_WAITING_FOR_PLUGIN;
  if (kind == DPS_FAILURE_TLS_TIME)
    return DPS_STATE_WAITING_FOR_TIME;
  if (is_network (kind) && !network_is_up)
    return DPS_STATE_WAITING_FOR_NETWORK;
  return DPS_STATE_BACKING_OFF;
}

DpsPlan
dps_schedule_plan (const DpsFailure *failure,
                   guint failures,
                   guint32 random,
                   gboolean network_is_up)
{
  DpsPlan plan;

  if (dps_failure_row (failure->kind)->healing == DPS_HEALS_BY_OPERATOR)
    {
      plan.state = DPS_STATE_HELD;
      plan.wait = dps_pacing_slow (random);
    }
  else
    {
      plan.state = wait_state (failure->kind, network_is_up);
      plan.wait = MAX (dps_pacing_backoff (failures, random), LEAST_WAIT);
    }
  plan.wait = MAX (plan.wait, failure->wait);
  return plan;
}

gboolean
dps_schedule_network_is_up (void)
{
  return g_network_monitor_get_network_available (g_network_monitor_get_default ());
}

gint64
dps_schedule_splay (guint splay_seconds)
{
  sd_id128_t id;
  char text[SD_ID128_STRING_MAX] = "";

  /* Derived, so that the machine id itself stays on the machine. */
  if (sd_id128_get_machine_app_specific (
          SD_ID128_MAKE (5d, 35, f7, ad, 2a, 1c, 4b, 0f, 9e, 64, 33, 0c, 71, b8, 90, 2e),
          &id) >= 0)
    sd_id128_to_string (id, text);
  return dps_pacing_splay (text, splay_seconds);
}
