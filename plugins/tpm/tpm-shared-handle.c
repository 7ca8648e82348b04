/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-shared-handle.h"

#include "tpm/dps-tpm-error.h"

static gboolean
is_hmac_key (const TPM2B_PUBLIC *public)
{
  return public->publicArea.type == TPM2_ALG_KEYEDHASH &&
         (public->publicArea.objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) != 0;
}

/* The handle is free afterwards; there is empty in any case. */
static gboolean
evict (TpmKeys *keys, DpsTpmKey *there, GError **error)
{
  ESYS_TR session, none = ESYS_TR_NONE;
  TSS2_RC rc;

  if (!is_hmac_key (&there->public))
    {
      g_set_error (error,
                   DPS_TPM_ERROR,
                   DPS_TPM_ERROR_FAILED,
                   "what is at persist-handle=, 0x%08x, is no HMAC key and stays there;"
                   " set another handle",
                   keys->settings.persist_handle);
      dps_tpm_drop_key (keys->tpm, there);
      return FALSE;
    }
  if (!dps_tpm_authorise (keys->tpm, DPS_TPM_AUTH_OWNER, NULL, &session, error))
    {
      dps_tpm_drop_key (keys->tpm, there);
      return FALSE;
    }
  rc = Esys_EvictControl (dps_tpm_get_esys (keys->tpm),
                          ESYS_TR_RH_OWNER,
                          there->tr,
                          session,
                          ESYS_TR_NONE,
                          ESYS_TR_NONE,
                          keys->settings.persist_handle,
                          &none);
  dps_tpm_settle (keys->tpm, &session, rc);
  /* ESAPI has let go of what it evicted. */
  if (rc == TSS2_RC_SUCCESS)
    *there = (DpsTpmKey){ 0 };
  else
    dps_tpm_drop_key (keys->tpm, there);
  return dps_tpm_check (rc, DPS_TPM_AUTH_OWNER, "taking a key from its handle", error);
}

/* Whether it is the loaded key, by its Name. */
static gboolean
is_key (TpmKeys *keys, ESYS_TR key, const DpsTpmKey *there)
{
  TPM2B_NAME *name = NULL;
  gboolean same;

  if (Esys_TR_GetName (dps_tpm_get_esys (keys->tpm), key, &name) != TSS2_RC_SUCCESS)
    return FALSE;
  same = tpm_name_equal (name, &there->name);
  Esys_Free (name);
  return same;
}

static gboolean
keep (TpmKeys *keys, ESYS_TR key, GError **error)
{
  const TPM2_HANDLE handle = keys->settings.persist_handle;
  const DpsTpmKey loaded = { .tr = key, .transient = TRUE };
  DpsTpmKey there = { 0 };
  gboolean found;

  if (!dps_tpm_read_key (keys->tpm, handle, &there, &found, error))
    return FALSE;
  if (found && is_key (keys, key, &there))
    {
      dps_tpm_drop_key (keys->tpm, &there);
      return TRUE;
    }
  if (found && !evict (keys, &there, error))
    return FALSE;
  if (!dps_tpm_persist (keys->tpm, &loaded, handle, error))
    return FALSE;
  tpm_keys_say (keys,
                DPS_PLUGIN_LOG_INFO,
                "the hub key is kept at 0x%08x as well, for older agents",
                handle);
  return TRUE;
}

void
tpm_shared_handle_keep (TpmKeys *keys, ESYS_TR key)
{
  g_autoptr (GError) error = NULL;

  if (!keep (keys, key, &error))
    tpm_keys_say (keys,
                  DPS_PLUGIN_LOG_WARNING,
                  "older agents do not find the hub key at 0x%08x: %s",
                  keys->settings.persist_handle,
                  error->message);
}

gboolean
tpm_shared_handle_clear (TpmKeys *keys, GError **error)
{
  DpsTpmKey there = { 0 };
  gboolean found;

  if (!dps_tpm_read_key (keys->tpm, keys->settings.persist_handle, &there, &found, error))
    return FALSE;
  if (!found)
    return TRUE;
  if (is_hmac_key (&there.public))
    return evict (keys, &there, error);
  dps_tpm_drop_key (keys->tpm, &there);
  return TRUE;
}
