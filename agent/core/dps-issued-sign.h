/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "core/dps-vault.h"

#include <gio/gio.h>

/* Signs digest in a worker with the key that the agent made for the certificate of
 * identity, whose key or blob is set; the TPM is the one that config names, which may be
 * NULL where there is no blob. mechanism, result and errors as dps_issued_key_sign(), but
 * for what a TPM fails with: DPS_ERROR_FAILED, whose message begins with the code of the
 * cause and ends with what to do. */
void dps_issued_sign_async (DpsConfig *config,
                            DpsIdentity *identity,
                            const char *mechanism,
                            GBytes *digest,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer data);
GBytes *dps_issued_sign_finish (GAsyncResult *result, GError **error);
