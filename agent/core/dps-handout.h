/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-keeper.h"
#include "core/dps-report.h"
#include "core/dps-signer.h"

/* What other programs get of the identity in force. Whether they may is asked before. All
 * fail with DPS_ERROR_NOT_PROVISIONED where there is none. */

/* A SAS token (dps-protocol §6.2), the caller's; *expires in µs since the epoch by the
 * service's clock. The identity is the one in force when the token comes. audience, ttl
 * and errors as dps_credential_create_token_async(). */
void dps_handout_token_async (DpsKeeper *keeper,
                              DpsReport *report,
                              DpsSigner *signer,
                              const char *audience,
                              guint32 ttl_seconds,
                              GAsyncReadyCallback callback,
                              gpointer data);
char *dps_handout_token_finish (GAsyncResult *result, guint64 *expires, GError **error);

/* A signature by the key of a certificate, the caller's; likewise of the identity in
 * force when it comes. mechanism and errors as dps_credential_sign_digest_async(). */
void dps_handout_signature_async (DpsKeeper *keeper,
                                  DpsReport *report,
                                  DpsSigner *signer,
                                  const char *mechanism,
                                  GBytes *digest,
                                  GAsyncReadyCallback callback,
                                  gpointer data);
GBytes *dps_handout_signature_finish (GAsyncResult *result, GError **error);

/* As dps_credential_get_chain() and dps_credential_get_key(). */
const char *dps_handout_chain (DpsKeeper *keeper, DpsReport *report, GError **error);
DpsSecret *dps_handout_key (DpsKeeper *keeper, DpsReport *report, GError **error);

/* JSON text of the custom allocation, "null" where there was none; borrowed. */
const char *dps_handout_payload (DpsKeeper *keeper, DpsReport *report, GError **error);
