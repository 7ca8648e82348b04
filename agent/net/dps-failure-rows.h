/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/dps-failure.h"

/* The table of failures in two parts: what lies with this host, by kind, and what lies
 * beyond it, from DPS_FAILURE_FIRST_REMOTE on. For dps_failure_row() alone. */
#define DPS_FAILURE_FIRST_REMOTE DPS_FAILURE_NAME_UNKNOWN

extern const DpsFailureRow dps_failure_host_rows[DPS_FAILURE_FIRST_REMOTE];
extern const DpsFailureRow
    dps_failure_service_rows[DPS_N_FAILURES - DPS_FAILURE_FIRST_REMOTE];
