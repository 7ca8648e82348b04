/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-private.h"
#include "tpm/dps-tpm.h"

static gboolean
start (DpsTpm *self,
       ESYS_TR salt_key,
       TPM2_SE type,
       const TPMT_SYM_DEF *symmetric,
       const char *step,
       ESYS_TR *session,
       GError **error)
{
  TSS2_RC rc;

  *session = ESYS_TR_NONE;
  rc = Esys_StartAuthSession (self->esys,
                              salt_key,
                              ESYS_TR_NONE,
                              ESYS_TR_NONE,
                              ESYS_TR_NONE,
                              ESYS_TR_NONE,
                              NULL,
                              type,
                              symmetric,
                              TPM2_ALG_SHA256,
                              session);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_NONE, step, error))
    return *session = ESYS_TR_NONE, FALSE;
  dps_tpm_track (self, *session);
  return TRUE;
}

gboolean
dps_tpm_start_session (DpsTpm *self,
                       const DpsTpmKey *salt_key,
                       ESYS_TR *session,
                       GError **error)
{
  const TPMT_SYM_DEF symmetric = { .algorithm = TPM2_ALG_AES,
                                   .keyBits.aes = 128,
                                   .mode.aes = TPM2_ALG_CFB };

  return start (self,
                salt_key->tr,
                TPM2_SE_HMAC,
                &symmetric,
                "starting an encrypting session",
                session,
                error);
}

gboolean
dps_tpm_start_policy (DpsTpm *self, ESYS_TR *session, GError **error)
{
  const TPMT_SYM_DEF symmetric = { .algorithm = TPM2_ALG_NULL };

  return start (self,
                ESYS_TR_NONE,
                TPM2_SE_POLICY,
                &symmetric,
                "starting a policy session",
                session,
                error);
}

gboolean
dps_tpm_use_session (DpsTpm *self,
                     ESYS_TR session,
                     TPMA_SESSION attributes,
                     gboolean last,
                     GError **error)
{
  TSS2_RC rc =
      Esys_TRSess_SetAttributes (self->esys,
                                 session,
                                 attributes | (last ? 0 : TPMA_SESSION_CONTINUESESSION),
                                 0xff);

  return dps_tpm_check (rc, DPS_TPM_AUTH_NONE, "using a session", error);
}

/* A key that nobody has a password for, to salt to where there is no other. */
static gboolean
start_on_null_key (DpsTpm *self, ESYS_TR *session, GError **error)
{
  DpsTpmKey key = { 0 };
  gboolean started;

  if (!dps_tpm_create_primary (self,
                               ESYS_TR_RH_NULL,
                               dps_tpm_template_ecc_srk (),
                               &key,
                               error))
    return FALSE;
  started = dps_tpm_start_session (self, &key, session, error);
  dps_tpm_drop_key (self, &key);
  return started;
}

gboolean
dps_tpm_authorise (DpsTpm *self,
                   DpsTpmAuth auth,
                   const DpsTpmKey *salt_key,
                   ESYS_TR *session,
                   GError **error)
{
  gboolean started;

  *session = ESYS_TR_PASSWORD;
  if (auth == DPS_TPM_AUTH_NONE || !dps_tpm_has_auth (self, auth))
    return TRUE;
  started = salt_key != NULL ? dps_tpm_start_session (self, salt_key, session, error)
                             : start_on_null_key (self, session, error);
  if (!started)
    return FALSE;
  if (dps_tpm_use_session (self, *session, 0, TRUE, error))
    return TRUE;
  dps_tpm_flush (self, session);
  return FALSE;
}

void
dps_tpm_settle (DpsTpm *self, ESYS_TR *session, TSS2_RC rc)
{
  if (rc != TSS2_RC_SUCCESS)
    {
      dps_tpm_flush (self, session);
      return;
    }
  dps_tpm_forget (self, *session);
  *session = ESYS_TR_NONE;
}
