/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>

static const char *const words[] = {
  [DPS_TPM_ERROR_NO_DEVICE] = "tpm-no-device",
  [DPS_TPM_ERROR_PERMISSION] = "tpm-permission",
  [DPS_TPM_ERROR_RAW_ONLY] = "tpm-raw-only",
  [DPS_TPM_ERROR_TIMED_OUT] = "tpm-timed-out",
  [DPS_TPM_ERROR_LOST] = "tpm-lost",
  [DPS_TPM_ERROR_CLEARED] = "tpm-cleared",
  [DPS_TPM_ERROR_REPLACED] = "tpm-replaced",
  [DPS_TPM_ERROR_OWNER_AUTH] = "tpm-owner-auth",
  [DPS_TPM_ERROR_ENDORSEMENT_AUTH] = "tpm-endorsement-auth",
  [DPS_TPM_ERROR_SRK_AUTH] = "tpm-srk-auth",
  [DPS_TPM_ERROR_LOCKOUT] = "tpm-lockout",
  [DPS_TPM_ERROR_OTHER_EK] = "tpm-other-ek",
  [DPS_TPM_ERROR_OTHER_SRK] = "tpm-other-srk",
  [DPS_TPM_ERROR_CHALLENGE_MALFORMED] = "tpm-challenge-malformed",
  [DPS_TPM_ERROR_CHALLENGE_DAMAGED] = "tpm-challenge-damaged",
  [DPS_TPM_ERROR_BUSY] = "tpm-busy",
  [DPS_TPM_ERROR_MEMORY] = "tpm-memory",
  [DPS_TPM_ERROR_NV_FULL] = "tpm-nv-full",
  [DPS_TPM_ERROR_NOT_SUPPORTED] = "tpm-not-supported",
  [DPS_TPM_ERROR_FAILED] = "tpm-failed",
};
G_STATIC_ASSERT (G_N_ELEMENTS (words) == DPS_TPM_N_ERRORS);

G_DEFINE_QUARK (dps - tpm - error - quark, dps_tpm_error)

const char *
dps_tpm_error_word (DpsTpmError code)
{
  g_return_val_if_fail ((guint) code < DPS_TPM_N_ERRORS, "tpm-failed");

  return words[code];
}

gboolean
dps_tpm_error_from_word (const char *word, DpsTpmError *code)
{
  for (guint i = 0; i < DPS_TPM_N_ERRORS; i++)
    if (strcmp (words[i], word) == 0)
      {
        *code = (DpsTpmError) i;
        return TRUE;
      }
  return FALSE;
}
