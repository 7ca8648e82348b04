/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-signing.h"
#include "tpm-shared-handle.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>

#define SIGNING "signing"

/* What every TPM takes at once; a token's text is shorter, so that no TPM is asked for
 * its input buffer in the common case. */
#define ANY_INPUT_BUFFER 512

/* To how much ESAPI's and the TPM's buffers hold. */
static gboolean
ask_input_buffer (TpmKeys *keys, gsize *size, GError **error)
{
  TPMS_CAPABILITY_DATA *found = NULL;
  const TPML_TAGGED_TPM_PROPERTY *list;

  if (!dps_tpm_check (Esys_GetCapability (dps_tpm_get_esys (keys->tpm),
                                          ESYS_TR_NONE,
                                          ESYS_TR_NONE,
                                          ESYS_TR_NONE,
                                          TPM2_CAP_TPM_PROPERTIES,
                                          TPM2_PT_INPUT_BUFFER,
                                          1,
                                          NULL,
                                          &found),
                      DPS_TPM_AUTH_NONE,
                      "asking for the size of the input buffer",
                      error))
    return FALSE;
  list = &found->data.tpmProperties;
  *size = ANY_INPUT_BUFFER;
  if (list->count > 0 && list->tpmProperty[0].property == TPM2_PT_INPUT_BUFFER)
    *size = CLAMP (list->tpmProperty[0].value, ANY_INPUT_BUFFER, TPM2_MAX_DIGEST_BUFFER);
  Esys_Free (found);
  return TRUE;
}

static void
fill (TPM2B_MAX_BUFFER *buffer, const guint8 *data, gsize size)
{
  buffer->size = (UINT16) size;
  if (size > 0)
    memcpy (buffer->buffer, data, size);
}

static TSS2_RC
sign_at_once (TpmKeys *keys,
              ESYS_TR key,
              const guint8 *data,
              gsize size,
              TPM2B_DIGEST **digest)
{
  TPM2B_MAX_BUFFER buffer;

  fill (&buffer, data, size);
  return Esys_HMAC (dps_tpm_get_esys (keys->tpm),
                    key,
                    ESYS_TR_PASSWORD,
                    ESYS_TR_NONE,
                    ESYS_TR_NONE,
                    &buffer,
                    TPM2_ALG_SHA256,
                    digest);
}

/* Ends *sequence where it succeeds. */
static TSS2_RC
feed_sequence (TpmKeys *keys,
               ESYS_TR *sequence,
               const guint8 *data,
               gsize size,
               gsize block,
               TPM2B_DIGEST **digest)
{
  ESYS_CONTEXT *esys = dps_tpm_get_esys (keys->tpm);
  TPM2B_MAX_BUFFER buffer;
  TSS2_RC rc = TSS2_RC_SUCCESS;

  for (; size > block && rc == TSS2_RC_SUCCESS; data += block, size -= block)
    {
      fill (&buffer, data, block);
      rc = Esys_SequenceUpdate (esys,
                                *sequence,
                                ESYS_TR_PASSWORD,
                                ESYS_TR_NONE,
                                ESYS_TR_NONE,
                                &buffer);
    }
  if (rc != TSS2_RC_SUCCESS)
    return rc;
  fill (&buffer, data, size);
  rc = Esys_SequenceComplete (esys,
                              *sequence,
                              ESYS_TR_PASSWORD,
                              ESYS_TR_NONE,
                              ESYS_TR_NONE,
                              &buffer,
                              ESYS_TR_RH_NULL,
                              digest,
                              NULL);
  if (rc == TSS2_RC_SUCCESS)
    *sequence = ESYS_TR_NONE;
  return rc;
}

static TSS2_RC
sign_in_blocks (TpmKeys *keys,
                ESYS_TR key,
                const guint8 *data,
                gsize size,
                gsize block,
                TPM2B_DIGEST **digest)
{
  const TPM2B_AUTH no_auth = { 0 };
  ESYS_TR sequence = ESYS_TR_NONE;
  TSS2_RC rc = Esys_HMAC_Start (dps_tpm_get_esys (keys->tpm),
                                key,
                                ESYS_TR_PASSWORD,
                                ESYS_TR_NONE,
                                ESYS_TR_NONE,
                                &no_auth,
                                TPM2_ALG_SHA256,
                                &sequence);

  if (rc != TSS2_RC_SUCCESS)
    return rc;
  rc = feed_sequence (keys, &sequence, data, size, block, digest);
  dps_tpm_flush (keys->tpm, &sequence);
  return rc;
}

static gboolean
sign_loaded (TpmKeys *keys,
             ESYS_TR key,
             const guint8 *data,
             gsize size,
             guint8 signature[TPM_SIGNATURE_SIZE],
             GError **error)
{
  TPM2B_DIGEST *digest = NULL;
  gsize block = ANY_INPUT_BUFFER;
  gboolean fits;
  TSS2_RC rc;

  if (size > block && !ask_input_buffer (keys, &block, error))
    return FALSE;
  rc = size <= block ? sign_at_once (keys, key, data, size, &digest)
                     : sign_in_blocks (keys, key, data, size, block, &digest);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_NONE, SIGNING, error))
    return FALSE;
  fits = digest->size == TPM_SIGNATURE_SIZE;
  if (fits)
    memcpy (signature, digest->buffer, TPM_SIGNATURE_SIZE);
  else
    g_set_error (error,
                 DPS_TPM_ERROR,
                 DPS_TPM_ERROR_LOST,
                 SIGNING ": the TPM gave %u bytes, where %d are an HMAC-SHA256",
                 digest->size,
                 TPM_SIGNATURE_SIZE);
  Esys_Free (digest);
  return fits;
}

static gboolean
load (TpmKeys *keys, const TpmKeyBlob *blob, ESYS_TR *key, GError **error)
{
  gboolean loaded =
      tpm_keys_load (keys, &keys->srk, error) && dps_tpm_load (keys->tpm,
                                                               &keys->srk.key,
                                                               ESYS_TR_NONE,
                                                               &blob->private,
                                                               &blob->public,
                                                               key,
                                                               error);

  tpm_keys_unload (keys, &keys->srk);
  return loaded;
}

gboolean
tpm_sign (TpmKeys *keys,
          const TpmKeyBlob *blob,
          const guint8 *data,
          gsize size,
          gboolean persist,
          guint8 signature[TPM_SIGNATURE_SIZE],
          GError **error)
{
  ESYS_TR key = ESYS_TR_NONE;
  gboolean done;

  if (!tpm_keys_find_parent (keys, blob, error) || !load (keys, blob, &key, error))
    return FALSE;
  done = sign_loaded (keys, key, data, size, signature, error);
  if (done && persist)
    tpm_shared_handle_keep (keys, key);
  dps_tpm_flush (keys->tpm, &key);
  return done;
}
