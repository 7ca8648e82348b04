/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "em-tpm-blob.h"
#include "memory-scan.h"
#include "tpm-fixture.h"

/* What the tests of the tpm plugin share: keys at their handles in a TPM, and challenges
 * for two of them. */

/* A primary key of template in hierarchy, kept at handle, with a password or NULL; its
 * Name goes to *name where that is not NULL. */
void place_key (TpmFixture *f,
                ESYS_TR hierarchy,
                const TPM2B_PUBLIC *template,
                TPM2_HANDLE handle,
                const char *password,
                TPM2B_NAME *name);

/* Both keys of the protocol by TCG's templates, as a host has them in place. */
void place_keys (TpmFixture *f);

/* Whether something is at handle, and its Name. */
gboolean read_name (TpmFixture *f, TPM2_HANDLE handle, TPM2B_NAME *name);

/* A challenge for two keys; key: the HMAC key in it, of EM_TPM_DIGEST_LEN bytes. The
 * caller frees. */
EmTpmBlob *make_challenge (const TPM2B_PUBLIC *ek,
                           const TPM2B_PUBLIC *srk,
                           guint8 key[EM_TPM_DIGEST_LEN]);

/* The six parts of one that is made in a process of its own: nothing in this one has ever
 * had its inner key, which is told masked. */
GBytes *make_challenge_apart (const TPM2B_PUBLIC *ek,
                              const TPM2B_PUBLIC *srk,
                              Masked *inner_key);

void assert_hmac (const guint8 key[EM_TPM_DIGEST_LEN],
                  const void *data,
                  gsize size,
                  const void *hmac,
                  gsize hmac_size);
