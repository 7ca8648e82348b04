/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <openssl/evp.h>

/* What the mechanisms of dps-tls-identity.h say about digests and signatures. Pure; any
 * thread. key needs its public half alone. */

/* Whether key signs a digest of size bytes by mechanism, whatever text that is. FALSE
 * with DPS_ERROR_INVALID_ARGUMENT, whose text says what would do. */
gboolean dps_tls_mechanism_check (const char *mechanism,
                                  EVP_PKEY *key,
                                  gsize size,
                                  GError **error);

/* Whether signature is one of key's, of digest by mechanism, which has been checked. */
gboolean dps_tls_mechanism_verifies (const char *mechanism,
                                     EVP_PKEY *key,
                                     GBytes *signature,
                                     const guint8 *digest,
                                     gsize size);
