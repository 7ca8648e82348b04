/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-activation.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>

#define ACTIVATING "opening the challenge of the service"
#define IMPORTING "importing the key of the challenge"

/* One activation. */
typedef struct
{
  TpmKeys *keys;
  const TpmChallenge *challenge;
  ESYS_TR session; /* HMAC, salted to the storage root key */
  ESYS_TR policy;
} Activation;

/* Where the TPM finds fault with parameter n of a command. */
static gboolean
blames_parameter (TSS2_RC rc, guint n)
{
  return (rc & TPM2_RC_FMT1) != 0 && (rc & TPM2_RC_P) != 0 &&
         (rc & TPM2_RC_N_MASK) == n << 8;
}

static gboolean
blame (DpsTpmError code, TSS2_RC rc, const char *text, GError **error)
{
  g_set_error (error,
               DPS_TPM_ERROR,
               (gint) code,
               ACTIVATING ": %s (response code 0x%03x)",
               text,
               rc);
  return FALSE;
}

static gboolean
start (Activation *self, GError **error)
{
  TpmKeys *keys = self->keys;
  ESYS_CONTEXT *esys = dps_tpm_get_esys (keys->tpm);

  return dps_tpm_start_session (keys->tpm, &keys->srk.key, &self->session, error) &&
         dps_tpm_start_policy (keys->tpm, &self->policy, error) &&
         dps_tpm_use_session (keys->tpm, self->session, 0, FALSE, error) &&
         dps_tpm_check (Esys_PolicySecret (esys,
                                           ESYS_TR_RH_ENDORSEMENT,
                                           self->policy,
                                           self->session,
                                           ESYS_TR_NONE,
                                           ESYS_TR_NONE,
                                           NULL,
                                           NULL,
                                           NULL,
                                           0,
                                           NULL,
                                           NULL),
                        DPS_TPM_AUTH_ENDORSEMENT,
                        "authorising the endorsement key",
                        error);
}

/* The last command of the session. */
static TSS2_RC
import (Activation *self, const TPM2B_DATA *inner_key, TPM2B_PRIVATE **out)
{
  const TPMT_SYM_DEF_OBJECT symmetric = { .algorithm = TPM2_ALG_AES,
                                          .keyBits.aes = (UINT16) (8 * inner_key->size),
                                          .mode.aes = TPM2_ALG_CFB };
  DpsTpm *tpm = self->keys->tpm;
  TSS2_RC rc;

  if (!dps_tpm_use_session (tpm, self->session, TPMA_SESSION_DECRYPT, TRUE, NULL))
    return TSS2_BASE_RC_GENERAL_FAILURE;
  rc = Esys_Import (dps_tpm_get_esys (tpm),
                    self->keys->srk.key.tr,
                    self->session,
                    ESYS_TR_NONE,
                    ESYS_TR_NONE,
                    inner_key,
                    &self->challenge->public,
                    &self->challenge->duplicate,
                    &self->challenge->in_seed,
                    &symmetric,
                    out);
  dps_tpm_settle (tpm, &self->session, rc);
  return rc;
}

/* Not in failure mode, in which a TPM answers everything like a key that does not fit. */
static gboolean
is_alive (Activation *self)
{
  TPM2B_DIGEST *random = NULL;
  TSS2_RC rc = Esys_GetRandom (dps_tpm_get_esys (self->keys->tpm),
                               ESYS_TR_NONE,
                               ESYS_TR_NONE,
                               ESYS_TR_NONE,
                               1,
                               &random);

  Esys_Free (random);
  return rc == TSS2_RC_SUCCESS;
}

/* Whether the TPM's key does not open what parameter n is encrypted to. Some TPMs say
 * FAILURE then. */
static gboolean
does_not_open (Activation *self, TSS2_RC rc, guint n)
{
  return blames_parameter (rc, n) || (rc == TPM2_RC_FAILURE && is_alive (self));
}

/* A challenge that was changed and one for another storage root key fail alike: its
 * integrity value does not fit. What tells them apart is whether that key opens part 4,
 * which Import does first, whatever the inner key is. */
static gboolean
is_for_other_srk (Activation *self)
{
  const TPM2B_DATA no_key = { .size = 16 };
  TPM2B_PRIVATE *private = NULL;
  TSS2_RC rc = import (self, &no_key, &private);

  Esys_Free (private);
  return does_not_open (self, rc, 4);
}

/* What it means that ActivateCredential failed. */
static gboolean
refuse (Activation *self, TSS2_RC rc, GError **error)
{
  if (does_not_open (self, rc, 2))
    return blame (DPS_TPM_ERROR_OTHER_EK, rc, "it is for another endorsement key", error);
  if (!blames_parameter (rc, 1))
    return dps_tpm_check (rc, DPS_TPM_AUTH_SRK, ACTIVATING, error);
  if (dps_tpm_rc_base (rc) == TPM2_RC_INTEGRITY && is_for_other_srk (self))
    return blame (DPS_TPM_ERROR_OTHER_SRK,
                  rc,
                  "it is for another storage root key",
                  error);
  return blame (DPS_TPM_ERROR_CHALLENGE_DAMAGED,
                rc,
                "its integrity value does not fit",
                error);
}

/* The inner key; to be wiped. */
static gboolean
activate (Activation *self, TPM2B_DATA *inner_key, GError **error)
{
  TpmKeys *keys = self->keys;
  TPM2B_DIGEST *opened = NULL;
  TSS2_RC rc;

  if (!dps_tpm_use_session (keys->tpm,
                            self->session,
                            TPMA_SESSION_ENCRYPT,
                            FALSE,
                            error) ||
      !dps_tpm_use_session (keys->tpm, self->policy, 0, TRUE, error) ||
      !tpm_keys_load (keys, &keys->ek, error))
    return FALSE;
  rc = Esys_ActivateCredential (dps_tpm_get_esys (keys->tpm),
                                keys->srk.key.tr,
                                keys->ek.key.tr,
                                self->session,
                                self->policy,
                                ESYS_TR_NONE,
                                &self->challenge->credential,
                                &self->challenge->secret,
                                &opened);
  dps_tpm_wipe_last (keys->tpm);
  dps_tpm_settle (keys->tpm, &self->policy, rc);
  tpm_keys_unload (keys, &keys->ek);
  if (rc != TSS2_RC_SUCCESS)
    return refuse (self, rc, error);
  inner_key->size = opened->size;
  memcpy (inner_key->buffer, opened->buffer, opened->size);
  explicit_bzero (opened, sizeof *opened);
  Esys_Free (opened);
  return TRUE;
}

static gboolean
import_key (Activation *self,
            const TPM2B_DATA *inner_key,
            TPM2B_PRIVATE *private,
            GError **error)
{
  TPM2B_PRIVATE *imported = NULL;
  TSS2_RC rc = import (self, inner_key, &imported);

  if (rc == TSS2_RC_SUCCESS)
    {
      *private = *imported;
      Esys_Free (imported);
      return TRUE;
    }
  /* The keys are the right ones, so that all else is what was sent. */
  if ((rc & TSS2_RC_LAYER_MASK) == 0 && ((rc & TPM2_RC_FMT1 && rc & TPM2_RC_P) ||
                                         (rc == TPM2_RC_FAILURE && is_alive (self))))
    {
      g_set_error (error,
                   DPS_TPM_ERROR,
                   DPS_TPM_ERROR_CHALLENGE_DAMAGED,
                   IMPORTING ": the TPM does not take it (response code 0x%03x)",
                   rc);
      return FALSE;
    }
  return dps_tpm_check (rc, DPS_TPM_AUTH_SRK, IMPORTING, error);
}

static gboolean
run (Activation *self, TPM2B_PRIVATE *private, GError **error)
{
  TPM2B_DATA inner_key = { 0 };
  gboolean done;

  done = tpm_keys_load (self->keys, &self->keys->srk, error) && start (self, error) &&
         activate (self, &inner_key, error) &&
         import_key (self, &inner_key, private, error);
  explicit_bzero (&inner_key, sizeof inner_key);
  dps_tpm_flush (self->keys->tpm, &self->session);
  dps_tpm_flush (self->keys->tpm, &self->policy);
  tpm_keys_unload (self->keys, &self->keys->srk);
  return done;
}

gboolean
tpm_activate (TpmKeys *keys,
              const TpmChallenge *challenge,
              TpmKeyBlob *blob,
              GError **error)
{
  Activation self = { keys, challenge, ESYS_TR_NONE, ESYS_TR_NONE };

  if (!tpm_keys_find_ek (keys, error) || !tpm_keys_find_srk (keys, error) ||
      !run (&self, &blob->private, error))
    return FALSE;
  blob->parent = keys->parent;
  blob->srk_name = keys->srk.key.name;
  blob->ek_name = keys->ek.key.name;
  blob->public = challenge->public;
  return TRUE;
}
