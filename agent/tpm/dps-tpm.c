/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm.h"

#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-private.h"

#include <string.h>

#define AUTH_SIZE_MAX 64u

DpsTpm *
dps_tpm_new (int fd, GError **error)
{
  g_autoptr (DpsTpm) self = g_new0 (DpsTpm, 1);
  TSS2_RC rc;

  self->loaded = g_array_new (FALSE, FALSE, sizeof (ESYS_TR));
  self->tcti = dps_tpm_tcti_new (fd);
  rc = Esys_Initialize (&self->esys, dps_tpm_tcti_get_context (self->tcti), NULL);
  if (!dps_tpm_check (rc, DPS_TPM_AUTH_NONE, "setting up ESAPI", error))
    return NULL;
  return g_steal_pointer (&self);
}

/* ESAPI frees its copies without wiping them. */
static void
wipe_auths (DpsTpm *self)
{
  const TPM2B_AUTH none = { 0 };

  if (self->auths[DPS_TPM_AUTH_OWNER].size > 0)
    Esys_TR_SetAuth (self->esys, ESYS_TR_RH_OWNER, &none);
  if (self->auths[DPS_TPM_AUTH_ENDORSEMENT].size > 0)
    Esys_TR_SetAuth (self->esys, ESYS_TR_RH_ENDORSEMENT, &none);
  explicit_bzero (self->auths, sizeof self->auths);
}

void
dps_tpm_free (DpsTpm *self)
{
  if (self->esys != NULL)
    {
      while (self->loaded->len > 0)
        {
          ESYS_TR tr = g_array_index (self->loaded, ESYS_TR, self->loaded->len - 1);

          dps_tpm_flush (self, &tr);
        }
      wipe_auths (self);
      Esys_Finalize (&self->esys);
    }
  dps_tpm_tcti_free (self->tcti);
  g_array_unref (self->loaded);
  g_free (self);
}

ESYS_CONTEXT *
dps_tpm_get_esys (DpsTpm *self)
{
  return self->esys;
}

TPM2_RC
dps_tpm_rc_base (TSS2_RC rc)
{
  TPM2_RC code = rc & ~TSS2_RC_LAYER_MASK;

  return code & TPM2_RC_FMT1 ? code & (TPM2_RC_FMT1 | 0x3fu) : code;
}

static DpsTpmError
classify_auth (DpsTpmAuth auth)
{
  switch (auth)
    {
    case DPS_TPM_AUTH_OWNER:
      return DPS_TPM_ERROR_OWNER_AUTH;
    case DPS_TPM_AUTH_ENDORSEMENT:
      return DPS_TPM_ERROR_ENDORSEMENT_AUTH;
    case DPS_TPM_AUTH_SRK:
      return DPS_TPM_ERROR_SRK_AUTH;
    case DPS_TPM_AUTH_NONE:
      break;
    }
  return DPS_TPM_ERROR_FAILED;
}

static DpsTpmError
classify_tpm (TPM2_RC base, DpsTpmAuth auth)
{
  switch (base)
    {
    case TPM2_RC_AUTH_FAIL:
    case TPM2_RC_BAD_AUTH:
      return classify_auth (auth);
    case TPM2_RC_LOCKOUT:
      return DPS_TPM_ERROR_LOCKOUT;
    case TPM2_RC_RETRY:
    case TPM2_RC_NV_RATE:
    case TPM2_RC_NV_UNAVAILABLE:
    case TPM2_RC_TESTING:
    case TPM2_RC_YIELDED:
      return DPS_TPM_ERROR_BUSY;
    case TPM2_RC_CONTEXT_GAP:
    case TPM2_RC_MEMORY:
    case TPM2_RC_OBJECT_MEMORY:
    case TPM2_RC_OBJECT_HANDLES:
    case TPM2_RC_SESSION_MEMORY:
    case TPM2_RC_SESSION_HANDLES:
      return DPS_TPM_ERROR_MEMORY;
    case TPM2_RC_NV_SPACE:
      return DPS_TPM_ERROR_NV_FULL;
    case TPM2_RC_COMMAND_CODE:
    case TPM2_RC_DISABLED:
    case TPM2_RC_ASYMMETRIC:
    case TPM2_RC_CURVE:
    case TPM2_RC_HASH:
    case TPM2_RC_KDF:
    case TPM2_RC_MODE:
    case TPM2_RC_SCHEME:
    case TPM2_RC_SYMMETRIC:
      return DPS_TPM_ERROR_NOT_SUPPORTED;
    default:
      return DPS_TPM_ERROR_FAILED;
    }
}

/* What ESAPI and the transport say. A response whose HMAC does not fit was changed on its
 * way: none to go by. */
static DpsTpmError
classify_stack (TSS2_RC rc)
{
  if (rc == DPS_TPM_TCTI_RC_TIMED_OUT)
    return DPS_TPM_ERROR_TIMED_OUT;
  switch (rc & ~TSS2_RC_LAYER_MASK)
    {
    case TSS2_BASE_RC_IO_ERROR:
    case TSS2_BASE_RC_NO_CONNECTION:
    case TSS2_BASE_RC_MALFORMED_RESPONSE:
    case TSS2_BASE_RC_INSUFFICIENT_BUFFER:
    case TSS2_BASE_RC_INSUFFICIENT_RESPONSE:
    case TSS2_BASE_RC_RSP_AUTH_FAILED:
      return DPS_TPM_ERROR_LOST;
    case TSS2_BASE_RC_NOT_IMPLEMENTED:
    case TSS2_BASE_RC_NOT_SUPPORTED:
      return DPS_TPM_ERROR_NOT_SUPPORTED;
    default:
      return DPS_TPM_ERROR_FAILED;
    }
}

static const char *
describe (DpsTpmError code)
{
  switch (code)
    {
    case DPS_TPM_ERROR_TIMED_OUT:
      return "the TPM did not answer in time";
    case DPS_TPM_ERROR_LOST:
      return "the connection is gone, or what came was no response";
    case DPS_TPM_ERROR_OWNER_AUTH:
      return "the owner hierarchy wants another password";
    case DPS_TPM_ERROR_ENDORSEMENT_AUTH:
      return "the endorsement hierarchy wants another password";
    case DPS_TPM_ERROR_SRK_AUTH:
      return "the storage root key wants another password";
    case DPS_TPM_ERROR_LOCKOUT:
      return "the TPM is in dictionary-attack lockout";
    case DPS_TPM_ERROR_BUSY:
      return "the TPM stayed busy";
    case DPS_TPM_ERROR_MEMORY:
      return "the TPM has no room for another object or session";
    case DPS_TPM_ERROR_NV_FULL:
      return "the TPM has no room for another persistent key";
    case DPS_TPM_ERROR_NOT_SUPPORTED:
      return "the TPM lacks a command or an algorithm";
    default:
      return "the TPM refused";
    }
}

/* A resource manager answers some commands itself, with the TPM's codes: in the kernel
 * under the layer that tpm2-tss names TSS2_RESMGR_RC_LAYER. */
static gboolean
is_from_tpm (TSS2_RC rc)
{
  TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

  return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_RC_LAYER ||
         layer == TSS2_RESMGR_TPM_RC_LAYER;
}

gboolean
dps_tpm_check (TSS2_RC rc, DpsTpmAuth auth, const char *step, GError **error)
{
  DpsTpmError code;

  if (rc == TSS2_RC_SUCCESS)
    return TRUE;
  code =
      is_from_tpm (rc) ? classify_tpm (dps_tpm_rc_base (rc), auth) : classify_stack (rc);
  g_set_error (error,
               DPS_TPM_ERROR,
               code,
               "%s: %s (response code 0x%03x)",
               step,
               describe (code),
               rc);
  return FALSE;
}

static gsize
without_line_end (const guint8 *data, gsize size)
{
  if (size > 0 && data[size - 1] == '\n')
    size--;
  if (size > 0 && data[size - 1] == '\r')
    size--;
  return size;
}

static TSS2_RC
tell_esapi (DpsTpm *self, DpsTpmAuth auth)
{
  switch (auth)
    {
    case DPS_TPM_AUTH_OWNER:
      return Esys_TR_SetAuth (self->esys, ESYS_TR_RH_OWNER, &self->auths[auth]);
    case DPS_TPM_AUTH_ENDORSEMENT:
      return Esys_TR_SetAuth (self->esys, ESYS_TR_RH_ENDORSEMENT, &self->auths[auth]);
    default:
      return TSS2_RC_SUCCESS; /* the SRK's is set on the key, when it is read */
    }
}

/* What TPMA_PERMANENT (TCG Part 2, §8.6) says of a hierarchy's password; keys have none
 * there. */
static gboolean
is_in_use (DpsTpm *self, DpsTpmAuth auth, gboolean *in_use, GError **error)
{
  const TPMA_PERMANENT bit = auth == DPS_TPM_AUTH_OWNER
                                 ? TPMA_PERMANENT_OWNERAUTHSET
                                 : TPMA_PERMANENT_ENDORSEMENTAUTHSET;
  TPMS_CAPABILITY_DATA *data = NULL;
  TPMI_YES_NO more;

  *in_use = TRUE;
  if (auth != DPS_TPM_AUTH_OWNER && auth != DPS_TPM_AUTH_ENDORSEMENT)
    return TRUE;
  if (!dps_tpm_check (Esys_GetCapability (self->esys,
                                          ESYS_TR_NONE,
                                          ESYS_TR_NONE,
                                          ESYS_TR_NONE,
                                          TPM2_CAP_TPM_PROPERTIES,
                                          TPM2_PT_PERMANENT,
                                          1,
                                          &more,
                                          &data),
                      DPS_TPM_AUTH_NONE,
                      "asking which passwords there are",
                      error))
    return FALSE;
  if (data->data.tpmProperties.count == 1 &&
      data->data.tpmProperties.tpmProperty[0].property == TPM2_PT_PERMANENT)
    *in_use = (data->data.tpmProperties.tpmProperty[0].value & bit) != 0;
  Esys_Free (data);
  return TRUE;
}

gboolean
dps_tpm_set_auth (DpsTpm *self,
                  DpsTpmAuth auth,
                  const guint8 *data,
                  gsize size,
                  GError **error)
{
  TPM2B_AUTH *mine = &self->auths[auth];
  gboolean in_use;

  g_return_val_if_fail (auth > DPS_TPM_AUTH_NONE && auth < DPS_TPM_N_AUTHS, FALSE);

  size = data != NULL ? without_line_end (data, size) : 0;
  if (size > AUTH_SIZE_MAX)
    {
      g_set_error (error,
                   DPS_TPM_ERROR,
                   (int) classify_auth (auth),
                   "a password of %" G_GSIZE_FORMAT
                   " bytes, where a TPM takes at most %u",
                   size,
                   AUTH_SIZE_MAX);
      return FALSE;
    }
  if (size > 0 && !is_in_use (self, auth, &in_use, error))
    return FALSE;
  if (size > 0 && !in_use)
    size = 0;
  explicit_bzero (mine, sizeof *mine);
  if (size > 0)
    memcpy (mine->buffer, data, size);
  mine->size = (guint16) size;
  return dps_tpm_check (tell_esapi (self, auth), auth, "setting a password", error);
}

gboolean
dps_tpm_has_auth (DpsTpm *self, DpsTpmAuth auth)
{
  return self->auths[auth].size > 0;
}

void
dps_tpm_track (DpsTpm *self, ESYS_TR tr)
{
  g_array_append_val (self->loaded, tr);
}

void
dps_tpm_forget (DpsTpm *self, ESYS_TR tr)
{
  for (guint i = 0; i < self->loaded->len; i++)
    if (g_array_index (self->loaded, ESYS_TR, i) == tr)
      {
        g_array_remove_index_fast (self->loaded, i);
        return;
      }
}

void
dps_tpm_flush (DpsTpm *self, ESYS_TR *handle)
{
  ESYS_TR tr = *handle;

  *handle = ESYS_TR_NONE;
  if (tr == ESYS_TR_NONE || tr == ESYS_TR_PASSWORD || tr == 0)
    return;
  dps_tpm_forget (self, tr);
  Esys_FlushContext (self->esys, tr);
}
