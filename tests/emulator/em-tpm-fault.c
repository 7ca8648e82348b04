/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-tpm-fault.h"

#include <openssl/rand.h>

/* Past the sizes of a part and of its digest. */
#define HMAC_OFFSET 4

const char *const em_tpm_fault_words[] = {
  [EM_TPM_SOUND] = "sound",
  [EM_TPM_MISSING] = "missing",
  [EM_TPM_OTHER_EK] = "other-ek",
  [EM_TPM_OTHER_SRK] = "other-srk",
  [EM_TPM_CREDENTIAL_HMAC] = "credential-hmac",
  [EM_TPM_DUPLICATE_HMAC] = "duplicate-hmac",
  [EM_TPM_NO_PART_6] = "no-part-6",
  [EM_TPM_TRUNCATED_1] = "truncated-1",
  "truncated-2",
  "truncated-3",
  "truncated-4",
  "truncated-5",
  [EM_TPM_TRUNCATED_6] = "truncated-6",
  NULL,
};

/* Nobody has the private half of it, but it encrypts like any other. */
static void
make_stranger (EmTpmPublic *out)
{
  if (RAND_bytes (out->modulus, sizeof out->modulus) != 1 ||
      RAND_bytes (out->name + 2, EM_TPM_DIGEST_LEN) != 1)
    g_error ("OpenSSL has no random bytes");
  out->modulus[0] |= 0x80;
  out->modulus[EM_TPM_RSA_LEN - 1] |= 1;
}

/* Half of PART is left, and nothing of what follows. */
static void
truncate_in (EmTpmBlob *blob, guint part)
{
  g_byte_array_set_size (blob->parts[part], blob->parts[part]->len / 2);
  for (guint i = part + 1; i < EM_TPM_PARTS; i++)
    g_clear_pointer (&blob->parts[i], g_byte_array_unref);
}

static void
spoil (EmTpmBlob *blob, EmTpmFault fault)
{
  if (fault == EM_TPM_CREDENTIAL_HMAC)
    blob->parts[0]->data[HMAC_OFFSET] ^= 1;
  else if (fault == EM_TPM_DUPLICATE_HMAC)
    blob->parts[2]->data[HMAC_OFFSET] ^= 1;
  else if (fault == EM_TPM_NO_PART_6)
    g_clear_pointer (&blob->parts[5], g_byte_array_unref);
  else if (fault >= EM_TPM_TRUNCATED_1)
    truncate_in (blob, fault - EM_TPM_TRUNCATED_1);
}

gboolean
em_tpm_fault_blob (EmTpmFault fault,
                   const EmTpmHost *host,
                   const EmTpmSecrets *secrets,
                   const char *data,
                   char **out,
                   GError **error)
{
  EmTpmHost target = *host;
  g_autoptr (EmTpmBlob) blob = NULL;
  g_autoptr (GBytes) joined = NULL;
  const guint8 *content;
  gsize len;

  if (fault == EM_TPM_MISSING)
    return TRUE;
  if (fault == EM_TPM_OTHER_EK)
    make_stranger (&target.ek);
  if (fault == EM_TPM_OTHER_SRK)
    make_stranger (&target.srk);

  blob = em_tpm_blob_new (&target.ek, &target.srk, secrets, data, error);
  if (blob == NULL)
    return FALSE;
  spoil (blob, fault);
  joined = em_tpm_blob_join (blob);
  content = g_bytes_get_data (joined, &len);
  *out = g_base64_encode (content, len);
  return TRUE;
}
