/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-keeper.h"
#include "core/dps-settings.h"
#include "core/dps-state.h"

/* How the agent stands while nothing is under way, by configuration and store. */

DpsState dps_standing_state (DpsSettings *settings, DpsKeeper *keeper);

/* What an operator should know all the same; the caller's, or NULL. */
DpsFailure *dps_standing_reason (DpsSettings *settings, DpsKeeper *keeper);

/* Whether there is an identity and it is one of the configuration in force, which there
 * must be, and of the key that was derived from a group key, where one was. */
gboolean dps_standing_is_current (DpsSettings *settings, DpsKeeper *keeper);
