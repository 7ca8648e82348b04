/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-generation.h"

#include "common/dps-error.h"
#include "store/dps-hkdf.h"
#include "store/dps-openssl.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_CIPHER, EVP_CIPHER_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

#define MAGIC "DPSSTORE"
#define INFO "dps-store-1"
#define KEY_SIZE 32
#define OVERHEAD                                                                         \
  (DPS_GENERATION_HEADER_SIZE + DPS_GENERATION_TAG_SIZE + DPS_GENERATION_SUM_SIZE)

enum
{
  AT_FORMAT = 8,
  AT_LENGTH = 12,
  AT_UUID = 20,
  AT_NUMBER = 36,
  AT_PROTECTION = 44,
  AT_SALT = 48,
  AT_NONCE = 80
};

static void
put_u32 (guint8 *at, guint32 value)
{
  value = GUINT32_TO_BE (value);
  memcpy (at, &value, sizeof value);
}

static void
put_u64 (guint8 *at, guint64 value)
{
  value = GUINT64_TO_BE (value);
  memcpy (at, &value, sizeof value);
}

static guint32
get_u32 (const guint8 *at)
{
  guint32 value;

  memcpy (&value, at, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
get_u64 (const guint8 *at)
{
  guint64 value;

  memcpy (&value, at, sizeof value);
  return GUINT64_FROM_BE (value);
}

static gboolean
reject (GError **error, const char *why)
{
  g_set_error_literal (error, DPS_ERROR, DPS_ERROR_REJECTED, why);
  return FALSE;
}

static void
write_header (guint8 *at, const DpsGenerationHeader *header, gsize length)
{
  memcpy (at, MAGIC, strlen (MAGIC));
  put_u32 (at + AT_FORMAT, DPS_GENERATION_FORMAT);
  put_u64 (at + AT_LENGTH, length);
  memcpy (at + AT_UUID, header->uuid, sizeof header->uuid);
  put_u64 (at + AT_NUMBER, header->number);
  put_u32 (at + AT_PROTECTION, header->protection);
  memcpy (at + AT_SALT, header->salt, sizeof header->salt);
  memcpy (at + AT_NONCE, header->nonce, sizeof header->nonce);
}

static void
read_header (const guint8 *at, DpsGenerationHeader *header)
{
  memcpy (header->uuid, at + AT_UUID, sizeof header->uuid);
  header->number = get_u64 (at + AT_NUMBER);
  header->protection = get_u32 (at + AT_PROTECTION);
  memcpy (header->salt, at + AT_SALT, sizeof header->salt);
  memcpy (header->nonce, at + AT_NONCE, sizeof header->nonce);
}

static DpsSecret *
derive_key (const DpsGenerationHeader *header, const DpsSecret *ikm, GError **error)
{
  guint8 info[sizeof INFO - 1 + 8];

  memcpy (info, INFO, sizeof INFO - 1);
  put_u64 (info + sizeof INFO - 1, header->number);
  return dps_hkdf_sha256 (ikm,
                          header->salt,
                          sizeof header->salt,
                          info,
                          sizeof info,
                          KEY_SIZE,
                          error);
}

/* A context with key, nonce (12 bytes, the default of GCM) and associated data set. */
static EVP_CIPHER_CTX *
start (const DpsGenerationHeader *header,
       const DpsSecret *ikm,
       const guint8 *aad,
       gboolean encrypt,
       GError **error)
{
  g_autoptr (EVP_CIPHER) cipher = EVP_CIPHER_fetch (NULL, "AES-256-GCM", NULL);
  g_autoptr (EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new ();
  g_autoptr (DpsSecret) key = derive_key (header, ikm, error);
  int n;

  if (key == NULL)
    return NULL;
  if (cipher == NULL || context == NULL ||
      EVP_CipherInit_ex2 (context,
                          cipher,
                          dps_secret_data (key),
                          header->nonce,
                          encrypt,
                          NULL) != 1 ||
      EVP_CipherUpdate (context, NULL, &n, aad, DPS_GENERATION_HEADER_SIZE) != 1)
    return dps_openssl_fail (error, "setting up AES-256-GCM"), NULL;
  return g_steal_pointer (&context);
}

static gboolean
sum (const guint8 *data, gsize size, guint8 *out, GError **error)
{
  if (EVP_Q_digest (NULL, "SHA256", NULL, data, size, out, NULL) != 1)
    return dps_openssl_fail (error, "computing SHA-256");
  return TRUE;
}

static gboolean
encrypt_into (guint8 *file,
              const DpsGenerationHeader *header,
              const DpsSecret *ikm,
              const DpsSecret *payload,
              GError **error)
{
  g_autoptr (EVP_CIPHER_CTX) context = start (header, ikm, file, TRUE, error);
  gsize size = dps_secret_size (payload);
  guint8 *at = file + DPS_GENERATION_HEADER_SIZE;
  int n = 0;

  if (context == NULL)
    return FALSE;
  if ((size > 0 &&
       EVP_CipherUpdate (context, at, &n, dps_secret_data (payload), (int) size) != 1) ||
      EVP_CipherFinal_ex (context, at + n, &n) != 1 ||
      EVP_CIPHER_CTX_ctrl (context,
                           EVP_CTRL_AEAD_GET_TAG,
                           DPS_GENERATION_TAG_SIZE,
                           at + size) != 1)
    return dps_openssl_fail (error, "encrypting");
  return TRUE;
}

GBytes *
dps_generation_pack (const DpsGenerationHeader *header,
                     const DpsSecret *ikm,
                     const DpsSecret *payload,
                     GError **error)
{
  gsize length = dps_secret_size (payload);
  gsize size = OVERHEAD + length;
  g_autofree guint8 *file = NULL;
  guint8 *end;

  if (length > DPS_GENERATION_PAYLOAD_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "%" G_GSIZE_FORMAT " bytes are to be stored where %u are allowed",
                   length,
                   DPS_GENERATION_PAYLOAD_MAX);
      return NULL;
    }

  file = g_malloc (size);
  end = file + size - DPS_GENERATION_SUM_SIZE;
  write_header (file, header, length);
  if (!encrypt_into (file, header, ikm, payload, error) ||
      !sum (file, (gsize) (end - file), end, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&file), size);
}

static gboolean
check_sum (const guint8 *data, gsize size, GError **error)
{
  guint8 expected[DPS_GENERATION_SUM_SIZE];
  gsize covered = size - sizeof expected;

  if (!sum (data, covered, expected, error))
    return FALSE;
  if (memcmp (expected, data + covered, sizeof expected) != 0)
    return reject (error,
                   "damaged: its checksum does not fit (a bad disk or a torn write)");
  return TRUE;
}

gboolean
dps_generation_peek (GBytes *file, DpsGenerationHeader *header, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (file, &size);
  guint32 format;

  if (size < AT_LENGTH + DPS_GENERATION_SUM_SIZE)
    return reject (error, "damaged: too short");
  if (memcmp (data, MAGIC, strlen (MAGIC)) != 0)
    return reject (error, "damaged: does not begin as a generation does");
  if (!check_sum (data, size, error))
    return FALSE;
  format = get_u32 (data + AT_FORMAT);
  if (format > DPS_GENERATION_FORMAT)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_SUPPORTED,
                   "written in format %u by a newer dps-agent, this one reads up to %u; "
                   "install the newer version again, or give the identity up with "
                   "'dpsctl reset --yes'",
                   format,
                   DPS_GENERATION_FORMAT);
      return FALSE;
    }
  if (format != DPS_GENERATION_FORMAT)
    return reject (error, "has format 0, which there never was");
  if (size < OVERHEAD || get_u64 (data + AT_LENGTH) != size - OVERHEAD ||
      size - OVERHEAD > DPS_GENERATION_PAYLOAD_MAX)
    return reject (error, "its length is not the one its header gives");

  read_header (data, header);
  return TRUE;
}

DpsSecret *
dps_generation_unpack (GBytes *file,
                       const DpsSecret *ikm,
                       DpsGenerationHeader *header,
                       GError **error)
{
  g_autoptr (EVP_CIPHER_CTX) context = NULL;
  g_autoptr (DpsSecret) payload = NULL;
  DpsGenerationHeader found;
  const guint8 *data = g_bytes_get_data (file, NULL);
  const guint8 *at;
  gsize length;
  guint8 none[1];
  int n = 0;

  if (!dps_generation_peek (file, &found, error))
    return NULL;
  context = start (&found, ikm, data, FALSE, error);
  if (context == NULL)
    return NULL;

  at = data + DPS_GENERATION_HEADER_SIZE;
  length = g_bytes_get_size (file) - OVERHEAD;
  payload = dps_secret_new_empty (length);
  if (EVP_CIPHER_CTX_ctrl (context,
                           EVP_CTRL_AEAD_SET_TAG,
                           DPS_GENERATION_TAG_SIZE,
                           (void *) (at + length)) != 1 ||
      (length > 0 &&
       EVP_CipherUpdate (context, dps_secret_edit (payload), &n, at, (int) length) != 1))
    return dps_openssl_fail (error, "decrypting"), NULL;
  if (EVP_CipherFinal_ex (context, none, &n) != 1)
    {
      ERR_clear_error ();
      reject (error,
              "does not authenticate though its checksum fits: it was changed on "
              "purpose, "
              "or sealed with a key this host does not have");
      return NULL;
    }

  *header = found;
  return g_steal_pointer (&payload);
}
