/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The states of provisioning and the moves between them; pure data. */
typedef enum
{
  DPS_STATE_UNCONFIGURED,
  DPS_STATE_IDLE,
  DPS_STATE_WAITING_FOR_PLUGIN,
  DPS_STATE_WAITING_FOR_NETWORK,
  DPS_STATE_WAITING_FOR_TIME,
  DPS_STATE_ATTESTING,
  DPS_STATE_REGISTERING,
  DPS_STATE_ASSIGNING,
  DPS_STATE_PROVING,
  DPS_STATE_COMMITTING,
  DPS_STATE_PROVISIONED,
  DPS_STATE_BACKING_OFF,
  DPS_STATE_HELD,
  DPS_N_STATES
} DpsState;

/* "waiting-for-plugin" and so on, as on the bus; static. */
const char *dps_state_name (DpsState state);

gboolean dps_state_may_move (DpsState from, DpsState to);

/* TRUE from attesting to committing: an attempt is in flight. */
gboolean dps_state_is_attempt (DpsState state);
