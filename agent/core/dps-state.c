/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-state.h"

#define TO(state) (1u << DPS_STATE_##state)

/* Where an attempt may begin, and where one that ends or is cancelled may leave the
 * agent. */
#define BEGIN                                                                            \
  (TO (WAITING_FOR_PLUGIN) | TO (WAITING_FOR_NETWORK) | TO (WAITING_FOR_TIME) |          \
   TO (ATTESTING))
#define REST (TO (UNCONFIGURED) | TO (IDLE) | TO (PROVISIONED))
#define WAIT                                                                             \
  (TO (BACKING_OFF) | TO (HELD) | TO (WAITING_FOR_PLUGIN) | TO (WAITING_FOR_NETWORK) |   \
   TO (WAITING_FOR_TIME))

static const guint moves[DPS_N_STATES] = {
  [DPS_STATE_UNCONFIGURED] = REST | TO (HELD) | TO (BACKING_OFF),
  [DPS_STATE_IDLE] = REST | BEGIN | WAIT,
  [DPS_STATE_WAITING_FOR_PLUGIN] = REST | BEGIN | WAIT,
  [DPS_STATE_WAITING_FOR_NETWORK] = REST | BEGIN | WAIT,
  [DPS_STATE_WAITING_FOR_TIME] = REST | BEGIN | WAIT,
  [DPS_STATE_ATTESTING] = REST | WAIT | TO (REGISTERING),
  [DPS_STATE_REGISTERING] = REST | WAIT | TO (ASSIGNING) | TO (PROVING),
  [DPS_STATE_ASSIGNING] = REST | WAIT | TO (PROVING),
  [DPS_STATE_PROVING] = REST | WAIT | TO (COMMITTING),
  [DPS_STATE_COMMITTING] = REST | WAIT,
  [DPS_STATE_PROVISIONED] = REST | BEGIN | WAIT,
  [DPS_STATE_BACKING_OFF] = REST | BEGIN | WAIT,
  [DPS_STATE_HELD] = REST | BEGIN | WAIT,
};

static const char *const names[DPS_N_STATES] = {
  [DPS_STATE_UNCONFIGURED] = "unconfigured",
  [DPS_STATE_IDLE] = "idle",
  [DPS_STATE_WAITING_FOR_PLUGIN] = "waiting-for-plugin",
  [DPS_STATE_WAITING_FOR_NETWORK] = "waiting-for-network",
  [DPS_STATE_WAITING_FOR_TIME] = "waiting-for-time",
  [DPS_STATE_ATTESTING] = "attesting",
  [DPS_STATE_REGISTERING] = "registering",
  [DPS_STATE_ASSIGNING] = "assigning",
  [DPS_STATE_PROVING] = "proving",
  [DPS_STATE_COMMITTING] = "committing",
  [DPS_STATE_PROVISIONED] = "provisioned",
  [DPS_STATE_BACKING_OFF] = "backing-off",
  [DPS_STATE_HELD] = "held",
};

const char *
dps_state_name (DpsState state)
{
  g_return_val_if_fail (state < DPS_N_STATES, "held");

  return names[state];
}

gboolean
dps_state_may_move (DpsState from, DpsState to)
{
  g_return_val_if_fail (from < DPS_N_STATES && to < DPS_N_STATES, FALSE);

  return (moves[from] & (1u << to)) != 0;
}

gboolean
dps_state_is_attempt (DpsState state)
{
  return state >= DPS_STATE_ATTESTING && state <= DPS_STATE_COMMITTING;
}
