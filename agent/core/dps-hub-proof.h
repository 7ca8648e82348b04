/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What the hub's answers to the new credential mean (design §7, "Hub proof"). Pure: times
 * are µs of one monotonic clock and come in. */
typedef enum
{
  DPS_PROOF_VERIFIED,
  DPS_PROOF_REFUSED,
  DPS_PROOF_INCONCLUSIVE,
  DPS_PROOF_AGAIN /* ask once more after the wait */
} DpsProofVerdict;

typedef struct
{
  gboolean fresh; /* just assigned: the hub may need seconds to know it */
  guint tries;
  gint64 first_missing; /* when 404 came first; 0 = never */
} DpsProofHistory;

/* Notes an answer (HTTP status, 0 = none came) at now and says what follows; *wait is set
 * to µs with DPS_PROOF_AGAIN. A fresh identity gets up to 5 tries in 30 s before a
 * refusal counts; an old one is refused by one 401, or by 404 twice at least 5 s apart.
 * All else is inconclusive and never a reason to register. */
DpsProofVerdict dps_hub_proof_judge (DpsProofHistory *history,
                                     guint http_status,
                                     gint64 now,
                                     gint64 *wait);
