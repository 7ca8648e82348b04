/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "target.h"
#include "tpm-challenge.h"
#include "tpm-key-blob.h"

#include "tpm/dps-tpm-error.h"

/* First byte: c a challenge as the service sends it to the tpm plugin, k a key as the
 * plugin had it stored. What is taken is within its bounds; a key, written again, is the
 * same bytes. */

static void
try_challenge (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  TpmChallenge challenge;

  if (!tpm_challenge_parse (data, size, &challenge, &error))
    {
      g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_CHALLENGE_MALFORMED);
      return;
    }
  g_assert_cmpuint (size, <=, TPM_CHALLENGE_MAX);
  g_assert_cmpuint (challenge.credential.size, <=, 68);
  g_assert_cmpuint (challenge.secret.size, ==, 256);
  g_assert_cmpuint (challenge.in_seed.size, ==, 256);
  g_assert_cmpuint (challenge.duplicate.size, <=, sizeof challenge.duplicate.buffer);
  g_assert_cmpuint (challenge.public.publicArea.authPolicy.size, <=, 64);
}

static void
try_key (const guint8 *data, gsize size)
{
  TpmKeyBlob key;

  if (tpm_key_blob_parse (data, size, &key, NULL))
    {
      gsize length;
      g_autofree guint8 *again = tpm_key_blob_write (&key, &length);

      g_assert_cmpmem (again, length, data, size);
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  if (size == 0)
    return 0;
  if (data[0] == 'c')
    try_challenge (data + 1, size - 1);
  if (data[0] == 'k')
    try_key (data + 1, size - 1);
  return 0;
}
