/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-tpm-blob.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define RSA_EXPONENT 65537

/* restricted and decrypt, without sign: what makes a key a parent. */
#define ATTRIBUTES_MASK 0x00070000
#define ATTRIBUTES_PARENT 0x00030000

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIGNUM, BN_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (OSSL_PARAM, OSSL_PARAM_free)

/* Bytes that are still to be read. */
typedef struct
{
  const guint8 *data;
  gsize len;
} Cursor;

static const guint8 *
take (Cursor *cursor, gsize len)
{
  const guint8 *data = cursor->data;

  if (len > cursor->len)
    return NULL;
  cursor->data += len;
  cursor->len -= len;
  return data;
}

static gboolean
take_number (Cursor *cursor, gsize size, guint32 *out)
{
  const guint8 *data = take (cursor, size);
  guint32 value = 0;

  if (data == NULL)
    return FALSE;
  for (gsize i = 0; i < size; i++)
    value = value << 8 | data[i];
  *out = value;
  return TRUE;
}

static gboolean
not_taken (const char *what, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s", what);
  return FALSE;
}

/* One fixed field of the public area. */
typedef struct
{
  gsize size;
  guint32 wanted;
  const char *refusal;
} Field;

static gboolean
take_fields (Cursor *cursor, const Field *fields, gsize n, GError **error)
{
  for (gsize i = 0; i < n; i++)
    {
      guint32 value;

      if (!take_number (cursor, fields[i].size, &value))
        return not_taken ("ends too early", error);
      if (value != fields[i].wanted)
        return not_taken (fields[i].refusal, error);
    }

  return TRUE;
}

static gboolean
take_attributes_and_policy (Cursor *cursor, GError **error)
{
  guint32 attributes, policy_len;

  if (!take_number (cursor, 4, &attributes))
    return not_taken ("ends too early", error);
  if ((attributes & ATTRIBUTES_MASK) != ATTRIBUTES_PARENT)
    return not_taken ("not a restricted decryption key", error);
  if (!take_number (cursor, 2, &policy_len))
    return not_taken ("ends too early", error);
  if (policy_len != 0 && policy_len != EM_TPM_DIGEST_LEN)
    return not_taken ("its policy is not a SHA-256 digest", error);
  if (take (cursor, policy_len) == NULL)
    return not_taken ("ends too early", error);
  return TRUE;
}

static gboolean
take_modulus (Cursor *cursor, const guint8 **out, GError **error)
{
  guint32 exponent, size;
  const guint8 *modulus;

  if (!take_number (cursor, 4, &exponent) || !take_number (cursor, 2, &size))
    return not_taken ("ends too early", error);
  if (exponent != 0 && exponent != RSA_EXPONENT)
    return not_taken ("its exponent is not 65537", error);
  if (size != EM_TPM_RSA_LEN)
    return not_taken ("its modulus has not 256 bytes", error);

  modulus = take (cursor, EM_TPM_RSA_LEN);
  if (modulus == NULL)
    return not_taken ("ends too early", error);
  if ((modulus[0] & 0x80) == 0)
    return not_taken ("its modulus has not 2048 bits", error);
  *out = modulus;
  return TRUE;
}

gboolean
em_tpm_public_parse (GBytes *bytes, EmTpmPublic *out, GError **error)
{
  static const Field key[] = {
    { 2, 0x0001, "not an RSA key" },
    { 2, 0x000b, "its Name is not made with SHA-256" },
  };
  static const Field details[] = {
    { 2, 0x0006, "its symmetric cipher is not AES" },
    { 2, 128, "its symmetric cipher has not 128 bits" },
    { 2, 0x0043, "its symmetric cipher has not the mode CFB" },
    { 2, 0x0010, "it has a signing or encryption scheme" },
    { 2, 2048, "it has not 2048 bits" },
  };
  gsize len;
  const guint8 *data = g_bytes_get_data (bytes, &len);
  Cursor cursor = { data, len };
  const guint8 *modulus = NULL;
  guint32 size;

  if (!take_number (&cursor, 2, &size) || size != cursor.len)
    return not_taken ("its size is not that of its content", error);
  if (!take_fields (&cursor, key, G_N_ELEMENTS (key), error) ||
      !take_attributes_and_policy (&cursor, error) ||
      !take_fields (&cursor, details, G_N_ELEMENTS (details), error) ||
      !take_modulus (&cursor, &modulus, error))
    return FALSE;
  if (cursor.len != 0)
    return not_taken ("bytes follow its modulus", error);

  memcpy (out->modulus, modulus, sizeof out->modulus);
  em_tpm_name (data + 2, len - 2, out->name);
  return TRUE;
}

/* The Name covers the whole public area. */
gboolean
em_tpm_public_equal (const EmTpmPublic *self, const EmTpmPublic *other)
{
  return memcmp (self->name, other->name, sizeof self->name) == 0;
}

static void
fill (guint8 *data, gsize len)
{
  if (RAND_bytes (data, (int) len) != 1)
    g_error ("OpenSSL has no random bytes");
}

void
em_tpm_secrets_make (EmTpmSecrets *self, gsize key_len)
{
  g_return_if_fail (key_len <= EM_TPM_KEY_LEN_MAX);

  fill (self->inner_key, sizeof self->inner_key);
  fill (self->credential_seed, sizeof self->credential_seed);
  fill (self->duplication_seed, sizeof self->duplication_seed);
  fill (self->seed_value, sizeof self->seed_value);
  fill (self->key, key_len);
  self->key_len = key_len;
}

void
em_tpm_secrets_clear (EmTpmSecrets *self)
{
  OPENSSL_cleanse (self, sizeof *self);
}

static EVP_PKEY *
load_key (const EmTpmPublic *key)
{
  g_autoptr (BIGNUM) modulus = BN_bin2bn (key->modulus, sizeof key->modulus, NULL);
  g_autoptr (OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new ();
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_name (NULL, "RSA", NULL);
  g_autoptr (OSSL_PARAM) params = NULL;
  EVP_PKEY *out = NULL;

  if (!OSSL_PARAM_BLD_push_BN (builder, OSSL_PKEY_PARAM_RSA_N, modulus) ||
      !OSSL_PARAM_BLD_push_ulong (builder, OSSL_PKEY_PARAM_RSA_E, RSA_EXPONENT))
    return NULL;
  params = OSSL_PARAM_BLD_to_param (builder);
  if (EVP_PKEY_fromdata_init (context) != 1 ||
      EVP_PKEY_fromdata (context, &out, EVP_PKEY_PUBLIC_KEY, params) != 1)
    return NULL;
  return out;
}

static gboolean
use_oaep (EVP_PKEY_CTX *context, const char *label)
{
  gsize len = strlen (label) + 1; /* its NUL is part of the label */
  char *copy = OPENSSL_memdup (label, len);

  if (EVP_PKEY_encrypt_init (context) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding (context, RSA_PKCS1_OAEP_PADDING) == 1 &&
      EVP_PKEY_CTX_set_rsa_oaep_md (context, EVP_sha256 ()) == 1 &&
      EVP_PKEY_CTX_set_rsa_mgf1_md (context, EVP_sha256 ()) == 1 &&
      EVP_PKEY_CTX_set0_rsa_oaep_label (context, copy, (int) len) == 1)
    return TRUE;

  OPENSSL_free (copy);
  return FALSE;
}

/* A TPM2B_ENCRYPTED_SECRET. */
static GByteArray *
encrypt_seed (const EmTpmPublic *key,
              const guint8 seed[EM_TPM_DIGEST_LEN],
              const char *label,
              GError **error)
{
  g_autoptr (EVP_PKEY) rsa = load_key (key);
  g_autoptr (EVP_PKEY_CTX) context =
      rsa != NULL ? EVP_PKEY_CTX_new_from_pkey (NULL, rsa, NULL) : NULL;
  guint8 encrypted[EM_TPM_RSA_LEN];
  gsize len = sizeof encrypted;
  GByteArray *out;

  if (context == NULL || !use_oaep (context, label) ||
      EVP_PKEY_encrypt (context, encrypted, &len, seed, EM_TPM_DIGEST_LEN) != 1)
    {
      not_taken ("its modulus is not one of RSA", error);
      return NULL;
    }

  out = g_byte_array_new ();
  em_tpm_put_2b (out, encrypted, len);
  return out;
}

static gboolean
add_duplicate (EmTpmBlob *self,
               const EmTpmPublic *srk,
               const EmTpmSecrets *secrets,
               GError **error)
{
  g_auto (EmTpmObject) object = { 0 };
  g_auto (EmTpmWrapped) wrapped = { 0 };
  g_autoptr (GByteArray) inner = NULL;

  em_tpm_object_init (&object, secrets);
  inner = em_tpm_inner_wrap (&object, secrets->inner_key);
  em_tpm_wrap (&wrapped, secrets->duplication_seed, object.name, inner);

  self->parts[2] = g_steal_pointer (&wrapped.part);
  self->parts[3] = encrypt_seed (srk, secrets->duplication_seed, "DUPLICATE", error);
  self->parts[4] = g_steal_pointer (&object.public_area);
  return self->parts[3] != NULL;
}

static gboolean
add_credential (EmTpmBlob *self,
                const EmTpmPublic *ek,
                const EmTpmPublic *srk,
                const EmTpmSecrets *secrets,
                GError **error)
{
  g_auto (EmTpmWrapped) wrapped = { 0 };
  g_autoptr (GByteArray) inner = g_byte_array_new ();

  em_tpm_put_2b (inner, secrets->inner_key, sizeof secrets->inner_key);
  em_tpm_wrap (&wrapped, secrets->credential_seed, srk->name, inner);

  self->parts[0] = g_steal_pointer (&wrapped.part);
  self->parts[1] = encrypt_seed (ek, secrets->credential_seed, "IDENTITY", error);
  return self->parts[1] != NULL;
}

static void
add_data (EmTpmBlob *self, const EmTpmSecrets *secrets, const char *data)
{
  g_autoptr (GByteArray) encrypted =
      em_tpm_encrypt (secrets->inner_key, data, strlen (data));

  self->parts[5] = g_byte_array_new ();
  em_tpm_put_2b (self->parts[5], encrypted->data, encrypted->len);
}

EmTpmBlob *
em_tpm_blob_new (const EmTpmPublic *ek,
                 const EmTpmPublic *srk,
                 const EmTpmSecrets *secrets,
                 const char *data,
                 GError **error)
{
  g_autoptr (EmTpmBlob) self = g_new0 (EmTpmBlob, 1);

  if (!add_credential (self, ek, srk, secrets, error))
    {
      g_prefix_error (error, "endorsement key: ");
      return NULL;
    }
  if (!add_duplicate (self, srk, secrets, error))
    {
      g_prefix_error (error, "storage root key: ");
      return NULL;
    }
  add_data (self, secrets, data);
  return g_steal_pointer (&self);
}

void
em_tpm_blob_free (EmTpmBlob *self)
{
  for (guint i = 0; i < EM_TPM_PARTS; i++)
    g_clear_pointer (&self->parts[i], g_byte_array_unref);
  g_free (self);
}

GBytes *
em_tpm_blob_join (const EmTpmBlob *self)
{
  GByteArray *out = g_byte_array_new ();

  for (guint i = 0; i < EM_TPM_PARTS; i++)
    if (self->parts[i] != NULL)
      g_byte_array_append (out, self->parts[i]->data, self->parts[i]->len);
  return g_byte_array_free_to_bytes (out);
}
