/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-hub-proof.h"

#define SECONDS(s) ((gint64) (s) *G_USEC_PER_SEC)
#define MISSING_APART SECONDS (5)

/* Between the tries of a fresh identity: five in 27 s. */
static const gint64 waits[] = { SECONDS (1), SECONDS (4), SECONDS (9), SECONDS (13) };

static gboolean
ask_fresh_again (const DpsProofHistory *history, gint64 *wait)
{
  if (history->tries > G_N_ELEMENTS (waits))
    return FALSE;
  *wait = waits[history->tries - 1];
  return TRUE;
}

DpsProofVerdict
dps_hub_proof_judge (DpsProofHistory *history,
                     guint http_status,
                     gint64 now,
                     gint64 *wait)
{
  history->tries++;
  if (http_status == 200)
    return DPS_PROOF_VERIFIED;
  if (http_status != 401 && http_status != 404)
    return DPS_PROOF_INCONCLUSIVE;
  if (history->fresh)
    return ask_fresh_again (history, wait) ? DPS_PROOF_AGAIN : DPS_PROOF_REFUSED;
  if (http_status == 401)
    return DPS_PROOF_REFUSED;
  if (history->first_missing == 0)
    history->first_missing = now;
  if (now - history->first_missing >= MISSING_APART)
    return DPS_PROOF_REFUSED;
  *wait = history->first_missing + MISSING_APART - now;
  return DPS_PROOF_AGAIN;
}
