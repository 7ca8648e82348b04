/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The activation blob: an HMAC key for one TPM, made by somebody who knows no more of it
 * than two public keys. With OpenSSL alone, so that no TPM software checks itself.
 *
 * Its six parts, each with its size ahead of it:
 *   1  TPM2B_ID_OBJECT         the inner key, bound to the Name of the SRK
 *   2  TPM2B_ENCRYPTED_SECRET  the seed of part 1, for the EK
 *   3  TPM2B_PRIVATE           the HMAC key, wrapped by the inner key and by a seed
 *   4  TPM2B_ENCRYPTED_SECRET  the seed of part 3, for the SRK
 *   5  TPM2B_PUBLIC            the HMAC key's public area
 *   6  data of the service, encrypted with the inner key */
#pragma once

#include "em-tpm-wrap.h"

#include <gio/gio.h>

#define EM_TPM_PARTS 6
#define EM_TPM_RSA_LEN 256

/* An RSA-2048 storage key, or an endorsement key, which is one too. */
typedef struct
{
  guint8 name[EM_TPM_NAME_LEN];
  guint8 modulus[EM_TPM_RSA_LEN];
} EmTpmPublic;

/* Reads a TPM2B_PUBLIC and takes nothing but a restricted decryption key of RSA-2048,
 * SHA-256 and AES-128-CFB, exponent 65537, to its last byte. The error is
 * G_IO_ERROR_INVALID_DATA and says which field is another. */
gboolean em_tpm_public_parse (GBytes *bytes, EmTpmPublic *out, GError **error);
gboolean em_tpm_public_equal (const EmTpmPublic *self, const EmTpmPublic *other);

typedef struct
{
  GByteArray *parts[EM_TPM_PARTS];
} EmTpmBlob;

/* Fills in random bytes; the HMAC key gets KEY_LEN of them, at most EM_TPM_KEY_LEN_MAX.
 */
void em_tpm_secrets_make (EmTpmSecrets *self, gsize key_len);
void em_tpm_secrets_clear (EmTpmSecrets *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EmTpmSecrets, em_tpm_secrets_clear)

/* NULL with G_IO_ERROR_INVALID_DATA where a modulus is none that OpenSSL encrypts to.
 * DATA is the text of part 6. The caller owns the blob. */
EmTpmBlob *em_tpm_blob_new (const EmTpmPublic *ek,
                            const EmTpmPublic *srk,
                            const EmTpmSecrets *secrets,
                            const char *data,
                            GError **error);
void em_tpm_blob_free (EmTpmBlob *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmTpmBlob, em_tpm_blob_free)

/* The parts one after the other. */
GBytes *em_tpm_blob_join (const EmTpmBlob *self);
