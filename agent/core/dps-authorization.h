/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-attestation.h"
#include "net/dps-failure.h"

#include <gio/gio.h>

/* The token with which a host registers at DPS (dps-protocol §3.1, §5.4). Main thread. */

/* answer: the plugin's blob for the service's challenge, NULL where the host has a
 * symmetric key. key_name: the challenge's, or "registration". expiry: Unix seconds by
 * the service's clock. */
void dps_authorization_sign_async (const DpsAttestation *attestation,
                                   DpsSecret *answer,
                                   const char *key_name,
                                   const char *scope,
                                   guint64 expiry,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer data);

/* The text of the token, the caller's; NULL with *failure, the caller's. */
DpsSecret *dps_authorization_sign_finish (GAsyncResult *result, DpsFailure **failure);
