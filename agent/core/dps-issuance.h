/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "core/dps-issued-key.h"
#include "core/dps-vault.h"
#include "net/dps-failure.h"

#include <gio/gio.h>

/* DpsIssuance: one certificate that the service is asked for: a fresh key, and the
 * request that goes with the registration. The key is nobody's before the identity that
 * it belongs to is stored. */
typedef struct _DpsIssuance DpsIssuance;

/* Makes key and request in a worker, the key in the TPM where in_tpm, which is where the
 * store is sealed by it: a key that the store keeps is no safer than the store. */
void dps_issuance_begin_async (DpsConfig *config,
                               gboolean in_tpm,
                               const char *registration_id,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer data);
/* The caller's; NULL with *failure, the caller's too. */
DpsIssuance *dps_issuance_begin_finish (GAsyncResult *result, DpsFailure **failure);

void dps_issuance_free (DpsIssuance *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsIssuance, dps_issuance_free)

/* DER PKCS#10; borrowed. */
GBytes *dps_issuance_get_request (DpsIssuance *self);

/* Checks what the service issued (GBytes of DER, leaf first; NULL = nothing) and gives
 * identity that certificate and its key. now is µs since the epoch by the service's
 * clock. FALSE with *failure, the caller's, identity untouched. */
gboolean dps_issuance_take (DpsIssuance *self,
                            GPtrArray *issued,
                            gint64 now,
                            DpsIdentity *identity,
                            DpsFailure **failure);
