/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-hub-proof.h"
#include "core/dps-keeper.h"
#include "core/dps-settings.h"
#include "core/dps-report.h"
#include "core/dps-signer.h"

/* DpsRecheck: shows an identity that was committed without a proof to its hub again, on
 * the slow schedule, until the hub has accepted or refused it; with the certificate that
 * its plugin has then, which is stored with the proof. Main thread. */
typedef struct _DpsRecheck DpsRecheck;

/* done comes after each check: VERIFIED (and the store says so), REFUSED (it stops), or
 * INCONCLUSIVE (it goes on). All objects are referenced. */
DpsRecheck *dps_recheck_new (DpsSettings *settings,
                             DpsKeeper *keeper,
                             DpsReport *report,
                             DpsSigner *signer,
                             void (*done) (DpsProofVerdict verdict, gpointer data),
                             gpointer data);
void dps_recheck_free (DpsRecheck *self);

/* Plans the next check where there is an unverified identity, else does nothing. */
void dps_recheck_plan (DpsRecheck *self);
void dps_recheck_stop (DpsRecheck *self);
gboolean dps_recheck_is_active (DpsRecheck *self);
