/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-settings.h"
#include "core/dps-report.h"
#include "core/dps-signer.h"
#include "core/dps-vault.h"
#include "dps/dps-pacing.h"

#include <gio/gio.h>

/* DpsAttempt: one way from attestation to a proven identity: describe by the plugin, PUT
 * (with a TPM its challenge, and PUT again) and polls on one connection, then the proof
 * at the hub. It moves the status through
 * attesting, registering, assigning and proving; it neither commits nor decides when to
 * try again. Main thread; each request blocks in a worker. */
#define DPS_TYPE_ATTEMPT (dps_attempt_get_type ())
G_DECLARE_FINAL_TYPE (DpsAttempt, dps_attempt, DPS, ATTEMPT, GObject)

/* tpm_sealed: what is stored is sealed by the TPM, so the key of a certificate that the
 * service issues is made there. settings has a configuration in force, which is the
 * attempt's from now on. imported_key may be NULL. signer has what it needs to sign with
 * the new identity when the attempt has ended. These are referenced; polls is borrowed
 * and outlives the run: the limit on polls holds over attempts too. */
DpsAttempt *dps_attempt_new (DpsSettings *settings,
                             DpsReport *report,
                             DpsSigner *signer,
                             DpsImportedKey *imported_key,
                             gboolean tpm_sealed,
                             DpsPollHistory *polls);

void dps_attempt_run_async (DpsAttempt *self,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer data);

/* The identity, proven or (verified FALSE) with a proof that was inconclusive; the
 * caller's. Else NULL, and *failure is the caller's. */
DpsIdentity *dps_attempt_run_finish (DpsAttempt *self,
                                     GAsyncResult *result,
                                     DpsFailure **failure);
