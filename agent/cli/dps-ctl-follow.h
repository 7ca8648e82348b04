/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli/dps-ctl.h"

#include "dps-agent-generated.h"

/* What somebody waits for. */
typedef struct
{
  gint64 timeout;       /* seconds; under 0: none */
  gboolean asked;       /* an attempt has just been asked for */
  gboolean again;       /* being provisioned already is not enough */
  guint64 since_before; /* Since before it was asked for */
} DpsCtlFollow;

/* The longest wait that may be asked for, in seconds. */
#define DPS_CTL_TIMEOUT_MAX (30 * 24 * 3600)

/* Checks a --timeout of the command line, where -1 stands for none given, and prints what
 * is wrong with it. */
gboolean dps_ctl_follow_check_timeout (const DpsCtl *ctl, gint64 timeout);

typedef enum
{
  DPS_CTL_VERDICT_GOES_ON,
  DPS_CTL_VERDICT_PROVISIONED,
  DPS_CTL_VERDICT_HELD,
  DPS_CTL_VERDICT_UNCONFIGURED,
  DPS_CTL_VERDICT_ENDED, /* idle again, with nothing planned: cancelled */
} DpsCtlVerdict;

/* What has been seen since the wait began. */
typedef struct
{
  gboolean moved;   /* Since has changed from how->since_before */
  gboolean active;  /* a state of an attempt or of waiting for one was seen */
  gboolean settled; /* the agent had its time to begin what was asked for */
} DpsCtlSeen;

/* Pure: whether the wait is over in this state. */
DpsCtlVerdict dps_ctl_follow_judge (const DpsCtlFollow *how,
                                    const DpsCtlSeen *seen,
                                    const char *state,
                                    guint64 next_attempt);

/* Follows the state until it is final, showing progress; prints how it ended. */
DpsCtlExit dps_ctl_follow (const DpsCtl *ctl,
                           DpsDBusAgent1 *agent,
                           const DpsCtlFollow *how);
