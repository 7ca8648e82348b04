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

/* JSON text of the custom allocation, "null" where there was none; borrowed. */
const char *dps_handout_payload (DpsKeeper *keeper, DpsReport *report, GError **error);
