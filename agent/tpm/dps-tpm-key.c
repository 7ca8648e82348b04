/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-private.h"
#include "tpm/dps-tpm.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#define RSA_SIZE 256u
#define P256_SIZE 32u
#define RESPONSE_HEADER_SIZE 10u

#define STORAGE_ATTRIBUTES                                                               \
  (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |    \
   TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

#define AES_128_CFB                                                                      \
  {                                                                                      \
    .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB              \
  }

#define RSA_2048                                                                         \
  {                                                                                      \
    .symmetric = AES_128_CFB, .scheme.scheme = TPM2_ALG_NULL, .keyBits = 2048            \
  }

/* PolicySecret (TPM_RH_ENDORSEMENT), TCG EK Credential Profile, B.3. */
#define EK_POLICY                                                                        \
  {                                                                                      \
    .size = 32, .buffer = {                                                              \
      0x83,                                                                              \
      0x71,                                                                              \
      0x97,                                                                              \
      0x67,                                                                              \
      0x44,                                                                              \
      0x84,                                                                              \
      0xb3,                                                                              \
      0xf8,                                                                              \
      0x1a,                                                                              \
      0x90,                                                                              \
      0xcc,                                                                              \
      0x8d,                                                                              \
      0x46,                                                                              \
      0xa5,                                                                              \
      0xd7,                                                                              \
      0x24,                                                                              \
      0xfd,                                                                              \
      0x52,                                                                              \
      0xd7,                                                                              \
      0x6e,                                                                              \
      0x06,                                                                              \
      0x52,                                                                              \
      0x0b,                                                                              \
      0x64,                                                                              \
      0xf2,                                                                              \
      0xa1,                                                                              \
      0xda,                                                                              \
      0x1b,                                                                              \
      0x33,                                                                              \
      0x14,                                                                              \
      0x69,                                                                              \
      0xaa                                                                               \
    }                                                                                    \
  }

static const TPM2B_PUBLIC ek = {
  .publicArea = { .type = TPM2_ALG_RSA,
                  .nameAlg = TPM2_ALG_SHA256,
                  .objectAttributes = STORAGE_ATTRIBUTES | TPMA_OBJECT_ADMINWITHPOLICY,
                  .authPolicy = EK_POLICY,
                  .parameters.rsaDetail = RSA_2048,
                  .unique.rsa.size = RSA_SIZE },
};

static const TPM2B_PUBLIC legacy_ek = {
  .publicArea = { .type = TPM2_ALG_RSA,
                  .nameAlg = TPM2_ALG_SHA256,
                  .objectAttributes = STORAGE_ATTRIBUTES | TPMA_OBJECT_ADMINWITHPOLICY,
                  .authPolicy = EK_POLICY,
                  .parameters.rsaDetail = RSA_2048 },
};

static const TPM2B_PUBLIC rsa_srk = {
  .publicArea = { .type = TPM2_ALG_RSA,
                  .nameAlg = TPM2_ALG_SHA256,
                  .objectAttributes =
                      STORAGE_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
                  .parameters.rsaDetail = RSA_2048,
                  .unique.rsa.size = RSA_SIZE },
};

static const TPM2B_PUBLIC ecc_srk = {
  .publicArea = { .type = TPM2_ALG_ECC,
                  .nameAlg = TPM2_ALG_SHA256,
                  .objectAttributes =
                      STORAGE_ATTRIBUTES | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
                  .parameters.eccDetail = { .symmetric = AES_128_CFB,
                                            .scheme.scheme = TPM2_ALG_NULL,
                                            .curveID = TPM2_ECC_NIST_P256,
                                            .kdf.scheme = TPM2_ALG_NULL },
                  .unique.ecc = { .x.size = P256_SIZE, .y.size = P256_SIZE } },
};

const TPM2B_PUBLIC *
dps_tpm_template_ek (gboolean legacy)
{
  return legacy ? &legacy_ek : &ek;
}

const TPM2B_PUBLIC *
dps_tpm_template_rsa_srk (void)
{
  return &rsa_srk;
}

const TPM2B_PUBLIC *
dps_tpm_template_ecc_srk (void)
{
  return &ecc_srk;
}

gboolean
dps_tpm_is_storage_parent (const TPM2B_PUBLIC *public)
{
  const TPMT_PUBLIC *area = &public->publicArea;
  const TPMA_OBJECT wanted = TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;

  return (area->type == TPM2_ALG_RSA || area->type == TPM2_ALG_ECC) &&
         (area->objectAttributes & (wanted | TPMA_OBJECT_SIGN_ENCRYPT)) == wanted &&
         area->parameters.asymDetail.symmetric.algorithm != TPM2_ALG_NULL;
}

gboolean
dps_tpm_is_dps_parent (const TPM2B_PUBLIC *public)
{
  const TPMS_RSA_PARMS *rsa = &public->publicArea.parameters.rsaDetail;

  return dps_tpm_is_storage_parent (public) && public->publicArea.type == TPM2_ALG_RSA &&
         public->publicArea.nameAlg == TPM2_ALG_SHA256 && rsa->keyBits == 2048 &&
         rsa->symmetric.algorithm == TPM2_ALG_AES && rsa->symmetric.keyBits.aes == 128 &&
         rsa->symmetric.mode.aes == TPM2_ALG_CFB;
}

gboolean
dps_tpm_is_unguarded (const TPM2B_PUBLIC *public)
{
  return (public->publicArea.objectAttributes & TPMA_OBJECT_NODA) != 0;
}

/* ESAPI works the Name out from the public area (TCG Part 1, §16): what keys are pinned
 * by is never just said by whoever answers. */
static gboolean
fill_name (DpsTpm *self, DpsTpmKey *key, const char *step, GError **error)
{
  TPM2B_NAME *name = NULL;

  if (!dps_tpm_check (Esys_TR_GetName (self->esys, key->tr, &name),
                      DPS_TPM_AUTH_NONE,
                      step,
                      error))
    return FALSE;
  key->name = *name;
  Esys_Free (name);
  return TRUE;
}

/* ESAPI reads the public area for its own use only; a second ReadPublic would be a second
 * command. */
static gboolean
take_public (DpsTpm *self, DpsTpmKey *key, const char *step, GError **error)
{
  gsize size;
  gsize offset = RESPONSE_HEADER_SIZE;
  const guint8 *response = dps_tpm_tcti_get_response (self->tcti, &size);
  TPM2B_NAME said = { 0 };

  if (!dps_tpm_check (Tss2_MU_TPM2B_PUBLIC_Unmarshal (response,
                                                      size,
                                                      &offset,
                                                      &key->public),
                      DPS_TPM_AUTH_NONE,
                      step,
                      error) ||
      !dps_tpm_check (Tss2_MU_TPM2B_NAME_Unmarshal (response, size, &offset, &said),
                      DPS_TPM_AUTH_NONE,
                      step,
                      error) ||
      !fill_name (self, key, step, error))
    return FALSE;
  if (said.size == key->name.size && memcmp (said.name, key->name.name, said.size) == 0)
    return TRUE;
  g_set_error (error,
               DPS_TPM_ERROR,
               DPS_TPM_ERROR_LOST,
               "%s: its public area and its Name do not fit each other",
               step);
  return FALSE;
}

static const char *
step_of (TPM2_HANDLE handle)
{
  switch (handle)
    {
    case DPS_TPM_HANDLE_EK:
      return "reading the endorsement key at 0x81010001";
    case DPS_TPM_HANDLE_SRK:
      return "reading the storage root key at 0x81000001";
    default:
      return "reading a persistent key";
    }
}

gboolean
dps_tpm_read_key (DpsTpm *self,
                  TPM2_HANDLE handle,
                  DpsTpmKey *key,
                  gboolean *found,
                  GError **error)
{
  const char *step = step_of (handle);
  DpsTpmKey read = { .tr = ESYS_TR_NONE };
  TSS2_RC rc = Esys_TR_FromTPMPublic (self->esys,
                                      handle,
                                      ESYS_TR_NONE,
                                      ESYS_TR_NONE,
                                      ESYS_TR_NONE,
                                      &read.tr);

  *found = FALSE;
  if (dps_tpm_rc_base (rc) == TPM2_RC_HANDLE)
    return TRUE;
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_NONE, step, error))
    return FALSE;
  if (!take_public (self, &read, step, error))
    return dps_tpm_drop_key (self, &read), FALSE;
  if (handle == DPS_TPM_HANDLE_SRK && dps_tpm_has_auth (self, DPS_TPM_AUTH_SRK))
    Esys_TR_SetAuth (self->esys, read.tr, &self->auths[DPS_TPM_AUTH_SRK]);
  *key = read;
  return *found = TRUE;
}

static DpsTpmAuth
auth_of (ESYS_TR hierarchy)
{
  switch (hierarchy)
    {
    case ESYS_TR_RH_OWNER:
      return DPS_TPM_AUTH_OWNER;
    case ESYS_TR_RH_ENDORSEMENT:
      return DPS_TPM_AUTH_ENDORSEMENT;
    default:
      return DPS_TPM_AUTH_NONE;
    }
}

gboolean
dps_tpm_create_primary (DpsTpm *self,
                        ESYS_TR hierarchy,
                        const TPM2B_PUBLIC *template,
                        DpsTpmKey *key,
                        GError **error)
{
  const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
  const TPM2B_DATA outside = { 0 };
  const TPML_PCR_SELECTION pcrs = { 0 };
  const char *step = "making a primary key";
  TPM2B_PUBLIC *public = NULL;
  DpsTpmKey made = { .tr = ESYS_TR_NONE, .transient = TRUE };
  ESYS_TR session;
  TSS2_RC rc;

  if (!dps_tpm_authorise (self, auth_of (hierarchy), NULL, &session, error))
    return FALSE;
  rc = Esys_CreatePrimary (self->esys,
                           hierarchy,
                           session,
                           ESYS_TR_NONE,
                           ESYS_TR_NONE,
                           &sensitive,
                           template,
                           &outside,
                           &pcrs,
                           &made.tr,
                           &public,
                           NULL,
                           NULL,
                           NULL);
  dps_tpm_settle (self, &session, rc);
  if (!dps_tpm_check (rc, auth_of (hierarchy), step, error))
    return FALSE;
  dps_tpm_track (self, made.tr);
  made.public = *public;
  Esys_Free (public);
  if (!fill_name (self, &made, step, error))
    return dps_tpm_drop_key (self, &made), FALSE;
  *key = made;
  return TRUE;
}

gboolean
dps_tpm_persist (DpsTpm *self, const DpsTpmKey *key, TPM2_HANDLE handle, GError **error)
{
  ESYS_TR persistent = ESYS_TR_NONE;
  ESYS_TR session;
  TSS2_RC rc;

  if (!dps_tpm_authorise (self, DPS_TPM_AUTH_OWNER, NULL, &session, error))
    return FALSE;
  rc = Esys_EvictControl (self->esys,
                          ESYS_TR_RH_OWNER,
                          key->tr,
                          session,
                          ESYS_TR_NONE,
                          ESYS_TR_NONE,
                          handle,
                          &persistent);
  dps_tpm_settle (self, &session, rc);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_OWNER, "keeping a key at its handle", error))
    return FALSE;
  if (persistent != ESYS_TR_NONE)
    Esys_TR_Close (self->esys, &persistent);
  return TRUE;
}

gboolean
dps_tpm_load (DpsTpm *self,
              const DpsTpmKey *parent,
              ESYS_TR session,
              const TPM2B_PRIVATE *private,
              const TPM2B_PUBLIC *public,
              ESYS_TR *object,
              GError **error)
{
  gboolean own = session == ESYS_TR_NONE;
  TSS2_RC rc;

  *object = ESYS_TR_NONE;
  if (own && !dps_tpm_authorise (self,
                                 parent->transient ? DPS_TPM_AUTH_NONE : DPS_TPM_AUTH_SRK,
                                 parent,
                                 &session,
                                 error))
    return FALSE;
  rc = Esys_Load (self->esys,
                  parent->tr,
                  session,
                  ESYS_TR_NONE,
                  ESYS_TR_NONE,
                  private,
                  public,
                  object);
  if (own)
    dps_tpm_settle (self, &session, rc);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_SRK, "loading a wrapped object", error))
    return *object = ESYS_TR_NONE, FALSE;
  dps_tpm_track (self, *object);
  return TRUE;
}

void
dps_tpm_drop_key (DpsTpm *self, DpsTpmKey *key)
{
  if (key->transient)
    dps_tpm_flush (self, &key->tr);
  else if (key->tr != ESYS_TR_NONE && key->tr != 0)
    {
      const TPM2B_AUTH none = { 0 };

      Esys_TR_SetAuth (self->esys, key->tr, &none);
      Esys_TR_Close (self->esys, &key->tr);
    }
  memset (key, 0, sizeof *key);
}
