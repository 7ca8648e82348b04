/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-cause.h"
#include "common/dps-error.h"
#include "core/dps-plugin-reply.h"
#include "core/dps-tpm-failure.h"

static DpsFailureKind
kind_of_code (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return DPS_FAILURE_CANCELLED;
  if (error->domain == DPS_TPM_ERROR)
    return dps_tpm_failure_kind ((DpsTpmError) error->code);
  if (error->domain != DPS_ERROR)
    return DPS_FAILURE_PLUGIN_CRASHED;
  switch (error->code)
    {
    case DPS_ERROR_TIMED_OUT:
      return DPS_FAILURE_PLUGIN_TIMED_OUT;
    case DPS_ERROR_FAILED:
      return DPS_FAILURE_PLUGIN_CRASHED;
    case DPS_ERROR_BUSY:
      return DPS_FAILURE_PLUGIN_LATER;
    case DPS_ERROR_NOT_CONFIGURED:
    case DPS_ERROR_INVALID_ARGUMENT:
      return DPS_FAILURE_PLUGIN_REFUSED;
    default:
      return DPS_FAILURE_PLUGIN_UNUSABLE;
    }
}

/* What plugins/x509/README.md lists. */
static const struct
{
  const char *word;
  DpsFailureKind kind;
} x509_words[] = {
  { "x509-certificate", DPS_FAILURE_X509_CERTIFICATE },
  { "x509-key", DPS_FAILURE_X509_KEY },
  { "x509-expired", DPS_FAILURE_X509_EXPIRED },
  { "x509-not-yet-valid", DPS_FAILURE_X509_NOT_YET_VALID },
  { "x509-key-mismatch", DPS_FAILURE_X509_KEY_MISMATCH },
  { "x509-chain", DPS_FAILURE_X509_CHAIN },
  { "x509-common-name", DPS_FAILURE_X509_COMMON_NAME },
  { "x509-usage", DPS_FAILURE_X509_USAGE },
  { "x509-passphrase", DPS_FAILURE_X509_PASSPHRASE },
  { "pkcs11-pin", DPS_FAILURE_PKCS11_PIN },
  { "pkcs11-pin-locked", DPS_FAILURE_PKCS11_PIN_LOCKED },
  { "pkcs11-no-token", DPS_FAILURE_PKCS11_NO_TOKEN },
  { "pkcs11-no-key", DPS_FAILURE_PKCS11_NO_KEY },
  { "pkcs11-module", DPS_FAILURE_PKCS11_MODULE },
  { "x509-tpm-key", DPS_FAILURE_X509_TPM_KEY },
  { "x509-failed", DPS_FAILURE_X509_FAILED },
};

static gboolean
kind_of_word (const char *word, DpsFailureKind *kind)
{
  DpsTpmError code;

  for (gsize i = 0; i < G_N_ELEMENTS (x509_words); i++)
    if (g_str_equal (x509_words[i].word, word))
      {
        *kind = x509_words[i].kind;
        return TRUE;
      }
  if (!dps_tpm_error_from_word (word, &code))
    return FALSE;
  *kind = dps_tpm_failure_kind (code);
  return TRUE;
}

DpsFailureKind
dps_plugin_cause_kind (GError *error)
{
  g_autofree char *word = dps_plugin_reply_take_cause (error);
  DpsFailureKind kind;

  if (word != NULL && kind_of_word (word, &kind))
    return kind;
  return kind_of_code (error);
}
