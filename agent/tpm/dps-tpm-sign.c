/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-sign.h"

#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-private.h"

#include <string.h>

#define SHA256_SIZE 32u
#define SHA384_SIZE 48u

static const TPM2B_PUBLIC template = {
  .publicArea = { .type = TPM2_ALG_ECC,
                  .nameAlg = TPM2_ALG_SHA256,
                  .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                      TPMA_OBJECT_SENSITIVEDATAORIGIN |
                                      TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
                                      TPMA_OBJECT_SIGN_ENCRYPT,
                  .parameters.eccDetail = { .symmetric.algorithm = TPM2_ALG_NULL,
                                            .scheme.scheme = TPM2_ALG_NULL,
                                            .curveID = TPM2_ECC_NIST_P384,
                                            .kdf.scheme = TPM2_ALG_NULL } },
};

/* TestParms refuses what it lacks by a code of format 1 on the parameter (TCG Part 3,
 * §30.3); which one of them, implementations differ in. */
static gboolean
says_no (TSS2_RC rc)
{
  return (rc & TSS2_RC_LAYER_MASK) == TSS2_TPM_RC_LAYER && (rc & TPM2_RC_FMT1) != 0;
}

gboolean
dps_tpm_has_p384 (DpsTpm *self, gboolean *has, GError **error)
{
  TPMT_PUBLIC_PARMS parameters = { .type = TPM2_ALG_ECC };
  g_autoptr (GError) local = NULL;
  TSS2_RC rc;

  parameters.parameters.eccDetail = template.publicArea.parameters.eccDetail;
  parameters.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
  parameters.parameters.eccDetail.scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA384;
  rc = Esys_TestParms (self->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &parameters);
  *has = rc == TSS2_RC_SUCCESS;
  if (*has || says_no (rc) ||
      dps_tpm_check (rc, DPS_TPM_AUTH_NONE, "asking for P-384", &local) ||
      g_error_matches (local, DPS_TPM_ERROR, DPS_TPM_ERROR_NOT_SUPPORTED))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
dps_tpm_is_p384 (const TPM2B_PUBLIC *public)
{
  const TPMT_PUBLIC *area = &public->publicArea;

  return area->type == TPM2_ALG_ECC && area->nameAlg == TPM2_ALG_SHA256 &&
         area->objectAttributes == template.publicArea.objectAttributes &&
         area->authPolicy.size == 0 &&
         area->parameters.eccDetail.curveID == TPM2_ECC_NIST_P384 &&
         area->parameters.eccDetail.scheme.scheme == TPM2_ALG_NULL &&
         area->unique.ecc.x.size > 0 && area->unique.ecc.x.size <= DPS_TPM_P384_SIZE &&
         area->unique.ecc.y.size > 0 && area->unique.ecc.y.size <= DPS_TPM_P384_SIZE;
}

static gboolean
check_made (const TPM2B_PUBLIC *public, GError **error)
{
  if (dps_tpm_is_p384 (public))
    return TRUE;
  g_set_error (error,
               DPS_TPM_ERROR,
               DPS_TPM_ERROR_FAILED,
               "making a P-384 key: the TPM made another one than was asked for");
  return FALSE;
}

gboolean
dps_tpm_create_p384 (DpsTpm *self,
                     const DpsTpmKey *parent,
                     TPM2B_PUBLIC *public,
                     TPM2B_PRIVATE *private,
                     GError **error)
{
  const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
  const TPM2B_DATA outside = { 0 };
  const TPML_PCR_SELECTION pcrs = { 0 };
  TPM2B_PUBLIC *made_public = NULL;
  TPM2B_PRIVATE *made_private = NULL;
  ESYS_TR session;
  TSS2_RC rc;

  if (!dps_tpm_start_session (self, parent, &session, error))
    return FALSE;
  if (!dps_tpm_use_session (self, session, TPMA_SESSION_DECRYPT, TRUE, error))
    return dps_tpm_flush (self, &session), FALSE;
  rc = Esys_Create (self->esys,
                    parent->tr,
                    session,
                    ESYS_TR_NONE,
                    ESYS_TR_NONE,
                    &sensitive,
                    &template,
                    &outside,
                    &pcrs,
                    &made_private,
                    &made_public,
                    NULL,
                    NULL,
                    NULL);
  dps_tpm_settle (self, &session, rc);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_SRK, "making a P-384 key", error))
    return FALSE;
  *public = *made_public;
  *private = *made_private;
  Esys_Free (made_public);
  Esys_Free (made_private);
  return check_made (public, error);
}

static gboolean
sign_loaded (DpsTpm *self,
             ESYS_TR object,
             const TPM2B_DIGEST *digest,
             TPMS_SIGNATURE_ECC *signature,
             GError **error)
{
  const TPMT_SIG_SCHEME scheme = { .scheme = TPM2_ALG_ECDSA,
                                   .details.ecdsa.hashAlg = digest->size == SHA384_SIZE
                                                                ? TPM2_ALG_SHA384
                                                                : TPM2_ALG_SHA256 };
  /* The digest comes from elsewhere: no ticket, and none is needed by a key that is not
   * restricted (TCG Part 3, §20.2). */
  const TPMT_TK_HASHCHECK ticket = { .tag = TPM2_ST_HASHCHECK,
                                     .hierarchy = TPM2_RH_NULL };
  TPMT_SIGNATURE *made = NULL;

  if (!dps_tpm_check (Esys_Sign (self->esys,
                                 object,
                                 ESYS_TR_PASSWORD,
                                 ESYS_TR_NONE,
                                 ESYS_TR_NONE,
                                 digest,
                                 &scheme,
                                 &ticket,
                                 &made),
                      DPS_TPM_AUTH_NONE,
                      "signing",
                      error))
    return FALSE;
  *signature = made->signature.ecdsa;
  Esys_Free (made);
  return TRUE;
}

gboolean
dps_tpm_sign_p384 (DpsTpm *self,
                   const DpsTpmKey *parent,
                   const TPM2B_PUBLIC *public,
                   const TPM2B_PRIVATE *private,
                   const guint8 *digest,
                   gsize size,
                   TPMS_SIGNATURE_ECC *signature,
                   GError **error)
{
  TPM2B_DIGEST sized = { .size = (guint16) size };
  ESYS_TR object;
  gboolean done;

  g_return_val_if_fail (size == SHA256_SIZE || size == SHA384_SIZE, FALSE);

  memcpy (sized.buffer, digest, size);
  if (!dps_tpm_load (self, parent, ESYS_TR_NONE, private, public, &object, error))
    return FALSE;
  done = sign_loaded (self, object, &sized, signature, error);
  dps_tpm_flush (self, &object);
  return done;
}
