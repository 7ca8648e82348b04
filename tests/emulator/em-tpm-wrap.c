/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-tpm-wrap.h"

#include <string.h>

#include <openssl/evp.h>

#define ALG_KEYEDHASH 0x0008
#define ALG_SHA256 0x000b
#define ALG_HMAC 0x0005
/* sign, noDA, userWithAuth; without fixedTPM and fixedParent, or it could not come here.
 */
#define ATTRIBUTES 0x00040440
#define CC_DUPLICATE 0x0000014b
#define CC_POLICY_COMMAND_CODE 0x0000016c

void
em_tpm_put_u16 (GByteArray *out, gsize value)
{
  const guint16 bytes = GUINT16_TO_BE ((guint16) value);

  g_byte_array_append (out, (const guint8 *) &bytes, sizeof bytes);
}

void
em_tpm_put_u32 (GByteArray *out, guint32 value)
{
  const guint32 bytes = GUINT32_TO_BE (value);

  g_byte_array_append (out, (const guint8 *) &bytes, sizeof bytes);
}

void
em_tpm_put_2b (GByteArray *out, const void *data, gsize len)
{
  em_tpm_put_u16 (out, len);
  g_byte_array_append (out, data, (guint) len);
}

static void
sha256 (const guint8 *data, gsize len, guint8 out[EM_TPM_DIGEST_LEN])
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize out_len = EM_TPM_DIGEST_LEN;

  g_checksum_update (checksum, data, (gssize) len);
  g_checksum_get_digest (checksum, out, &out_len);
}

static void
hmac (const guint8 key[EM_TPM_DIGEST_LEN],
      const GByteArray *data,
      guint8 out[EM_TPM_DIGEST_LEN])
{
  g_autoptr (GHmac) state = g_hmac_new (G_CHECKSUM_SHA256, key, EM_TPM_DIGEST_LEN);
  gsize out_len = EM_TPM_DIGEST_LEN;

  g_hmac_update (state, data->data, data->len);
  g_hmac_get_digest (state, out, &out_len);
}

/* KDFa of Part 1, "Key Derivation Function": one block of its counter mode is all that is
 * wanted here. */
static void
derive (const guint8 seed[EM_TPM_DIGEST_LEN],
        const char *label,
        const guint8 *context,
        gsize context_len,
        guint8 *out,
        gsize out_len)
{
  g_autoptr (GByteArray) input = g_byte_array_new ();
  guint8 block[EM_TPM_DIGEST_LEN];

  em_tpm_put_u32 (input, 1);
  g_byte_array_append (input, (const guint8 *) label, (guint) strlen (label) + 1);
  g_byte_array_append (input, context, (guint) context_len);
  em_tpm_put_u32 (input, (guint32) out_len * 8);
  hmac (seed, input, block);
  memcpy (out, block, out_len);
}

GByteArray *
em_tpm_encrypt (const guint8 key[EM_TPM_CIPHER_KEY_LEN], const void *data, gsize len)
{
  static const guint8 zero[EM_TPM_CIPHER_KEY_LEN];
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new ();
  GByteArray *out = g_byte_array_new ();
  int out_len = 0;

  g_byte_array_set_size (out, (guint) len);
  if (EVP_EncryptInit_ex (context, EVP_aes_128_cfb128 (), NULL, key, zero) != 1 ||
      EVP_EncryptUpdate (context, out->data, &out_len, data, (int) len) != 1 ||
      (gsize) out_len != len)
    g_error ("OpenSSL has no AES-128-CFB");
  EVP_CIPHER_CTX_free (context);
  return out;
}

void
em_tpm_name (const guint8 *area, gsize len, guint8 name[EM_TPM_NAME_LEN])
{
  name[0] = ALG_SHA256 >> 8;
  name[1] = ALG_SHA256 & 0xff;
  sha256 (area, len, name + 2);
}

/* PolicyCommandCode(TPM2_Duplicate): nothing but a further duplication could use it, and
 * the key is not to be duplicated. */
static void
duplicate_policy (guint8 out[EM_TPM_DIGEST_LEN])
{
  static const guint8 start[EM_TPM_DIGEST_LEN];
  g_autoptr (GByteArray) input = g_byte_array_new ();

  g_byte_array_append (input, start, sizeof start);
  em_tpm_put_u32 (input, CC_POLICY_COMMAND_CODE);
  em_tpm_put_u32 (input, CC_DUPLICATE);
  sha256 (input->data, input->len, out);
}

/* Binds the public area to the key without telling it. */
static void
unique_of (const EmTpmSecrets *secrets, guint8 out[EM_TPM_DIGEST_LEN])
{
  g_autoptr (GByteArray) input = g_byte_array_new ();

  g_byte_array_append (input, secrets->seed_value, sizeof secrets->seed_value);
  g_byte_array_append (input, secrets->key, (guint) secrets->key_len);
  sha256 (input->data, input->len, out);
}

static GByteArray *
make_public (const EmTpmSecrets *secrets)
{
  g_autoptr (GByteArray) area = g_byte_array_new ();
  GByteArray *out = g_byte_array_new ();
  guint8 digest[EM_TPM_DIGEST_LEN];

  em_tpm_put_u16 (area, ALG_KEYEDHASH);
  em_tpm_put_u16 (area, ALG_SHA256);
  em_tpm_put_u32 (area, ATTRIBUTES);
  duplicate_policy (digest);
  em_tpm_put_2b (area, digest, sizeof digest);
  em_tpm_put_u16 (area, ALG_HMAC);
  em_tpm_put_u16 (area, ALG_SHA256);
  unique_of (secrets, digest);
  em_tpm_put_2b (area, digest, sizeof digest);

  em_tpm_put_2b (out, area->data, area->len);
  return out;
}

static GByteArray *
make_sensitive (const EmTpmSecrets *secrets)
{
  g_autoptr (GByteArray) area = g_byte_array_new ();
  GByteArray *out = g_byte_array_new ();

  em_tpm_put_u16 (area, ALG_KEYEDHASH);
  em_tpm_put_2b (area, "", 0); /* no authorisation value */
  em_tpm_put_2b (area, secrets->seed_value, sizeof secrets->seed_value);
  em_tpm_put_2b (area, secrets->key, secrets->key_len);

  em_tpm_put_2b (out, area->data, area->len);
  return out;
}

void
em_tpm_object_init (EmTpmObject *self, const EmTpmSecrets *secrets)
{
  self->public_area = make_public (secrets);
  self->sensitive = make_sensitive (secrets);
  em_tpm_name (self->public_area->data + 2, self->public_area->len - 2, self->name);
}

void
em_tpm_object_clear (EmTpmObject *self)
{
  g_clear_pointer (&self->public_area, g_byte_array_unref);
  g_clear_pointer (&self->sensitive, g_byte_array_unref);
}

GByteArray *
em_tpm_inner_integrity (const EmTpmObject *object)
{
  g_autoptr (GByteArray) input = g_byte_array_new ();
  GByteArray *out = g_byte_array_new ();
  guint8 digest[EM_TPM_DIGEST_LEN];

  g_byte_array_append (input, object->sensitive->data, object->sensitive->len);
  g_byte_array_append (input, object->name, sizeof object->name);
  sha256 (input->data, input->len, digest);
  em_tpm_put_2b (out, digest, sizeof digest);
  return out;
}

GByteArray *
em_tpm_inner_wrap (const EmTpmObject *object,
                   const guint8 inner_key[EM_TPM_CIPHER_KEY_LEN])
{
  g_autoptr (GByteArray) plain = em_tpm_inner_integrity (object);

  g_byte_array_append (plain, object->sensitive->data, object->sensitive->len);
  return em_tpm_encrypt (inner_key, plain->data, plain->len);
}

void
em_tpm_wrap (EmTpmWrapped *out,
             const guint8 seed[EM_TPM_DIGEST_LEN],
             const guint8 name[EM_TPM_NAME_LEN],
             const GByteArray *plain)
{
  g_autoptr (GByteArray) bound = g_byte_array_new ();
  g_autoptr (GByteArray) content = g_byte_array_new ();

  derive (seed,
          "STORAGE",
          name,
          EM_TPM_NAME_LEN,
          out->cipher_key,
          sizeof out->cipher_key);
  derive (seed, "INTEGRITY", (const guint8 *) "", 0, out->hmac_key, sizeof out->hmac_key);
  out->encrypted = em_tpm_encrypt (out->cipher_key, plain->data, plain->len);

  g_byte_array_append (bound, out->encrypted->data, out->encrypted->len);
  g_byte_array_append (bound, name, EM_TPM_NAME_LEN);
  hmac (out->hmac_key, bound, out->hmac);

  em_tpm_put_2b (content, out->hmac, sizeof out->hmac);
  g_byte_array_append (content, out->encrypted->data, out->encrypted->len);
  out->part = g_byte_array_new ();
  em_tpm_put_2b (out->part, content->data, content->len);
}

void
em_tpm_wrapped_clear (EmTpmWrapped *self)
{
  g_clear_pointer (&self->encrypted, g_byte_array_unref);
  g_clear_pointer (&self->part, g_byte_array_unref);
}
