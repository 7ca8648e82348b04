/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "core/dps-plugin-setup.h"

/* A challenge of the service to a TPM, and what follows from its answer (dps-protocol
 * §5.4). Main thread. Errors are those of DpsPluginRunner; for a text that is none
 * DPS_TPM_ERROR_CHALLENGE_MALFORMED. */

/* text: authenticationKey, as it came. The result is the blob of the plugin's with which
 * it signs from then on. */
void dps_challenge_answer_async (DpsPluginSetup *setup,
                                 const char *text,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer data);
DpsSecret *dps_challenge_answer_finish (GAsyncResult *result, GError **error);
