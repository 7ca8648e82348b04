/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-seal.h"

#include "tpm/dps-tpm-private.h"

#include <string.h>

static const TPM2B_PUBLIC sealed = {
  .publicArea = { .type = TPM2_ALG_KEYEDHASH,
                  .nameAlg = TPM2_ALG_SHA256,
                  .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                      TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
                  .parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL },
};

gboolean
dps_tpm_seal (DpsTpm *self,
              const DpsTpmKey *parent,
              const DpsSecret *secret,
              TPM2B_PUBLIC *public,
              TPM2B_PRIVATE *private,
              GError **error)
{
  TPM2B_SENSITIVE_CREATE sensitive = { 0 };
  const TPM2B_DATA outside = { 0 };
  const TPML_PCR_SELECTION pcrs = { 0 };
  TPM2B_PUBLIC *made_public = NULL;
  TPM2B_PRIVATE *made_private = NULL;
  ESYS_TR session;
  TSS2_RC rc;

  g_return_val_if_fail (dps_secret_size (secret) > 0, FALSE);
  g_return_val_if_fail (dps_secret_size (secret) <= DPS_TPM_SEALED_MAX, FALSE);

  if (!dps_tpm_start_session (self, parent, &session, error))
    return FALSE;
  if (!dps_tpm_use_session (self, session, TPMA_SESSION_DECRYPT, TRUE, error))
    return dps_tpm_flush (self, &session), FALSE;
  sensitive.sensitive.data.size = (guint16) dps_secret_size (secret);
  memcpy (sensitive.sensitive.data.buffer,
          dps_secret_data (secret),
          dps_secret_size (secret));
  rc = Esys_Create (self->esys,
                    parent->tr,
                    session,
                    ESYS_TR_NONE,
                    ESYS_TR_NONE,
                    &sensitive,
                    &sealed,
                    &outside,
                    &pcrs,
                    &made_private,
                    &made_public,
                    NULL,
                    NULL,
                    NULL);
  explicit_bzero (&sensitive, sizeof sensitive);
  dps_tpm_wipe_last (self);
  dps_tpm_settle (self, &session, rc);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_SRK, "sealing", error))
    return FALSE;
  *public = *made_public;
  *private = *made_private;
  Esys_Free (made_public);
  Esys_Free (made_private);
  return TRUE;
}

static DpsSecret *
unseal_loaded (DpsTpm *self, ESYS_TR object, ESYS_TR *session, GError **error)
{
  TPM2B_SENSITIVE_DATA *data = NULL;
  DpsSecret *secret;
  TSS2_RC rc;

  if (!dps_tpm_use_session (self, *session, TPMA_SESSION_ENCRYPT, TRUE, error))
    return NULL;
  rc = Esys_Unseal (self->esys, object, *session, ESYS_TR_NONE, ESYS_TR_NONE, &data);
  dps_tpm_wipe_last (self);
  dps_tpm_settle (self, session, rc);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_NONE, "unsealing", error))
    return NULL;
  secret = dps_secret_new (data->buffer, data->size);
  explicit_bzero (data, sizeof *data);
  Esys_Free (data);
  return secret;
}

DpsSecret *
dps_tpm_unseal (DpsTpm *self,
                const DpsTpmKey *parent,
                const TPM2B_PUBLIC *public,
                const TPM2B_PRIVATE *private,
                GError **error)
{
  ESYS_TR session;
  ESYS_TR object = ESYS_TR_NONE;
  DpsSecret *secret = NULL;

  if (!dps_tpm_start_session (self, parent, &session, error))
    return NULL;
  if (dps_tpm_use_session (self, session, 0, FALSE, error) &&
      dps_tpm_load (self, parent, session, private, public, &object, error))
    secret = unseal_loaded (self, object, &session, error);
  dps_tpm_flush (self, &object);
  dps_tpm_flush (self, &session);
  return secret;
}
