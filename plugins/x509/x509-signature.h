/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

#include <openssl/evp.h>

/* Whether what a device gave as a signature is one, of a digest by the mechanism of that
 * name (x509-mechanism.h) with the key's public half: a token or TPM is foreign. FALSE
 * with the cause x509-failed. Pure. */
gboolean x509_signature_check (EVP_PKEY *public,
                               const char *mechanism,
                               const guint8 *digest,
                               gsize size,
                               const guint8 *signature,
                               gsize signature_size,
                               X509Error *error);
