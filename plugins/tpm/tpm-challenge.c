/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-challenge.h"
#include "tpm-reader.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#define DIGEST_SIZE 32 /* of SHA-256 */
#define RSA_SIZE 256   /* what RSA-2048 encrypts to */
#define DIGEST_2B (2 + DIGEST_SIZE)

/* The smallest TPM2B_SENSITIVE there is, and the largest: no password or one, a seed, a
 * key of up to a block of any hash. */
#define SENSITIVE_MIN (2 + 2 + 2 + 2 + 2 + 1)
#define SENSITIVE_MAX (2 + 2 + (2 + 64) + (2 + 64) + (2 + 128))

/* What each part has, without its size. */
static const struct
{
  const char *name;
  gsize min, max;
} parts[] = {
  { "credential", DIGEST_2B + 2 + 16, DIGEST_2B + 2 + 32 },
  { "credential seed", RSA_SIZE, RSA_SIZE },
  /* Two integrity values, outside and inside. */
  { "wrapped key", 2 * DIGEST_2B + SENSITIVE_MIN, 2 * DIGEST_2B + SENSITIVE_MAX },
  { "import seed", RSA_SIZE, RSA_SIZE },
  { "public area", 2, sizeof (TPMT_PUBLIC) },
};

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error,
               DPS_TPM_ERROR,
               DPS_TPM_ERROR_CHALLENGE_MALFORMED,
               "the challenge of the service: %s",
               text);
  return FALSE;
}

static gboolean
take_part (TpmReader *reader, gsize part, TpmReader *content, GError **error)
{
  if (!tpm_reader_take_2b (reader, content))
    return refuse (error,
                   "it ends within part %" G_GSIZE_FORMAT " (%s)",
                   part + 1,
                   parts[part].name);
  if (content->size >= parts[part].min && content->size <= parts[part].max)
    return TRUE;
  return refuse (error,
                 "part %" G_GSIZE_FORMAT " (%s) has %" G_GSIZE_FORMAT
                 " bytes, where %" G_GSIZE_FORMAT " to %" G_GSIZE_FORMAT " are expected",
                 part + 1,
                 parts[part].name,
                 content->size,
                 parts[part].min,
                 parts[part].max);
}

/* Parts 1 and 3 begin with an integrity value. */
static gboolean
check_integrity (gsize part, TpmReader content, gsize *rest, GError **error)
{
  TpmReader integrity;

  if (!tpm_reader_take_2b (&content, &integrity) || integrity.size != DIGEST_SIZE)
    return refuse (error,
                   "part %" G_GSIZE_FORMAT
                   " (%s) does not begin with an integrity value of %d bytes",
                   part + 1,
                   parts[part].name,
                   DIGEST_SIZE);
  *rest = content.size;
  return TRUE;
}

/* The inner key is one of AES, with its size ahead of it. */
static gboolean
is_inner_key_size (gsize size)
{
  return size == 2 + 16 || size == 2 + 24 || size == 2 + 32;
}

static gboolean
is_hmac_sha256 (const TPMT_KEYEDHASH_SCHEME *scheme)
{
  return scheme->scheme == TPM2_ALG_NULL ||
         (scheme->scheme == TPM2_ALG_HMAC &&
          scheme->details.hmac.hashAlg == TPM2_ALG_SHA256);
}

const char *
tpm_challenge_read_public (const guint8 *data, gsize size, TPM2B_PUBLIC *public)
{
  const TPMT_PUBLIC *area = &public->publicArea;
  gsize offset = 0;

  memset (public, 0, sizeof *public);
  if (Tss2_MU_TPM2B_PUBLIC_Unmarshal (data, size, &offset, public) != TSS2_RC_SUCCESS ||
      offset != size)
    return "is no public area, or has bytes behind it";
  if (area->type != TPM2_ALG_KEYEDHASH || area->nameAlg != TPM2_ALG_SHA256 ||
      !is_hmac_sha256 (&area->parameters.keyedHashDetail.scheme) ||
      area->unique.keyedHash.size != DIGEST_SIZE)
    return "is of no key for HMAC-SHA256";
  if ((area->objectAttributes & (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_USERWITHAUTH)) !=
          (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_USERWITHAUTH) ||
      (area->objectAttributes &
       (TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT)) != 0)
    return "is of a key that can not be imported and sign";
  return NULL;
}

static gboolean
parse_credential (TpmReader *reader, TpmChallenge *challenge, GError **error)
{
  TpmReader content;
  gsize rest = 0;

  if (!take_part (reader, 0, &content, error) ||
      !check_integrity (0, content, &rest, error))
    return FALSE;
  if (!is_inner_key_size (rest))
    return refuse (error,
                   "part 1 (%s) holds %" G_GSIZE_FORMAT " bytes, which is no key of AES",
                   parts[0].name,
                   rest);
  challenge->credential.size = (UINT16) content.size;
  memcpy (challenge->credential.credential, content.data, content.size);
  return TRUE;
}

static gboolean
parse_seed (TpmReader *reader, gsize part, TPM2B_ENCRYPTED_SECRET *seed, GError **error)
{
  TpmReader content;

  if (!take_part (reader, part, &content, error))
    return FALSE;
  seed->size = (UINT16) content.size;
  memcpy (seed->secret, content.data, content.size);
  return TRUE;
}

static gboolean
parse_duplicate (TpmReader *reader, TpmChallenge *challenge, GError **error)
{
  TpmReader content;
  gsize rest = 0;

  if (!take_part (reader, 2, &content, error) ||
      !check_integrity (2, content, &rest, error))
    return FALSE;
  challenge->duplicate.size = (UINT16) content.size;
  memcpy (challenge->duplicate.buffer, content.data, content.size);
  return TRUE;
}

static gboolean
parse_public (TpmReader *reader, TpmChallenge *challenge, GError **error)
{
  const guint8 *begin = reader->data;
  const char *wrong;
  TpmReader content;

  if (!take_part (reader, 4, &content, error))
    return FALSE;
  wrong = tpm_challenge_read_public (begin, 2 + content.size, &challenge->public);
  return wrong == NULL || refuse (error, "part 5 (%s) %s", parts[4].name, wrong);
}

gboolean
tpm_challenge_parse (const guint8 *data,
                     gsize size,
                     TpmChallenge *challenge,
                     GError **error)
{
  TpmReader reader = { data, size }, content;

  if (size > TPM_CHALLENGE_MAX)
    return refuse (error,
                   "it has %" G_GSIZE_FORMAT " bytes, where at most %d are expected",
                   size,
                   TPM_CHALLENGE_MAX);
  if (!parse_credential (&reader, challenge, error) ||
      !parse_seed (&reader, 1, &challenge->secret, error) ||
      !parse_duplicate (&reader, challenge, error) ||
      !parse_seed (&reader, 3, &challenge->in_seed, error) ||
      !parse_public (&reader, challenge, error))
    return FALSE;
  if (reader.size > 0 && !tpm_reader_take_2b (&reader, &content))
    return refuse (error, "it ends within part 6 (data)");
  return TRUE;
}
