/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The steps by which a key is protected for a TPM (TPM 2.0 Library, Part 1, "Protected
 * Storage" and "Credential Protection"): pure functions of their arguments.
 *
 * All algorithms are those of an RSA-2048 parent with SHA-256 and AES-128-CFB. */
#pragma once

#include <glib.h>

#define EM_TPM_DIGEST_LEN 32
#define EM_TPM_CIPHER_KEY_LEN 16
/* nameAlg and a digest. */
#define EM_TPM_NAME_LEN (2 + EM_TPM_DIGEST_LEN)
#define EM_TPM_KEY_LEN_MAX 64

/* All that is random in a blob, but for the padding of its RSA parts. */
typedef struct
{
  guint8 inner_key[EM_TPM_CIPHER_KEY_LEN];
  guint8 credential_seed[EM_TPM_DIGEST_LEN];
  guint8 duplication_seed[EM_TPM_DIGEST_LEN];
  guint8 seed_value[EM_TPM_DIGEST_LEN];
  guint8 key[EM_TPM_KEY_LEN_MAX]; /* the HMAC key to hand over */
  gsize key_len;
} EmTpmSecrets;

/* The HMAC key as a TPM object. */
typedef struct
{
  GByteArray *public_area; /* TPM2B_PUBLIC */
  GByteArray *sensitive;   /* TPM2B_SENSITIVE */
  guint8 name[EM_TPM_NAME_LEN];
} EmTpmObject;

void em_tpm_object_init (EmTpmObject *self, const EmTpmSecrets *secrets);
void em_tpm_object_clear (EmTpmObject *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EmTpmObject, em_tpm_object_clear)

/* What a seed protects: encrypted, and bound to the Name of an object. */
typedef struct
{
  guint8 cipher_key[EM_TPM_CIPHER_KEY_LEN];
  guint8 hmac_key[EM_TPM_DIGEST_LEN];
  GByteArray *encrypted;
  guint8 hmac[EM_TPM_DIGEST_LEN];
  GByteArray *part; /* both, each with its size: TPM2B_PRIVATE or TPM2B_ID_OBJECT */
} EmTpmWrapped;

void em_tpm_wrap (EmTpmWrapped *out,
                  const guint8 seed[EM_TPM_DIGEST_LEN],
                  const guint8 name[EM_TPM_NAME_LEN],
                  const GByteArray *plain);
void em_tpm_wrapped_clear (EmTpmWrapped *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EmTpmWrapped, em_tpm_wrapped_clear)

/* The digest that goes ahead of the sensitive area, and both of them encrypted. */
GByteArray *em_tpm_inner_integrity (const EmTpmObject *object);
GByteArray *em_tpm_inner_wrap (const EmTpmObject *object,
                               const guint8 inner_key[EM_TPM_CIPHER_KEY_LEN]);

/* AES-128-CFB with a zero vector, as everywhere in a blob. */
GByteArray *em_tpm_encrypt (const guint8 key[EM_TPM_CIPHER_KEY_LEN],
                            const void *data,
                            gsize len);

/* The Name of an object with this TPMT_PUBLIC. */
void em_tpm_name (const guint8 *area, gsize len, guint8 name[EM_TPM_NAME_LEN]);

/* Marshalling, all big-endian: a TPM2B has its size ahead of it. */
void em_tpm_put_u16 (GByteArray *out, gsize value);
void em_tpm_put_u32 (GByteArray *out, guint32 value);
void em_tpm_put_2b (GByteArray *out, const void *data, gsize len);
