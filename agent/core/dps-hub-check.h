/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "core/dps-hub-proof.h"
#include "core/dps-signer.h"
#include "core/dps-vault.h"
#include "dps/dps-http-sessions.h"

#include "net/dps-failure.h"

#include <gio/gio.h>

/* Shows an identity to its hub (dps-protocol §6.5) until dps_hub_proof_judge() has a
 * verdict, on a connection of its own, resumed from sessions where it can be. fresh: it
 * was assigned just now. clock_offset is added to our clock to date the token, in µs.
 * signer as in dps_credential_sign_async(). Main thread; requests block in a worker. */
void dps_hub_check_async (DpsConfig *config,
                          DpsHttpSessions *sessions,
                          DpsSigner *signer,
                          DpsIdentity *identity,
                          gboolean fresh,
                          gint64 clock_offset,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer data);

/* Never DPS_PROOF_AGAIN. *detail (the caller's) says what the last answer was. A
 * cancelled check is DPS_PROOF_INCONCLUSIVE. *unsigned_why (may be NULL) says why the
 * credential could not sign, so that nobody was asked, or is DPS_FAILURE_NONE. */
DpsProofVerdict dps_hub_check_finish (GAsyncResult *result,
                                      char **detail,
                                      DpsFailureKind *unsigned_why);
