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

DpsFailureKind
dps_plugin_cause_kind (GError *error)
{
  g_autofree char *word = dps_plugin_reply_take_cause (error);
  DpsTpmError code;

  if (word != NULL && dps_tpm_error_from_word (word, &code))
    return dps_tpm_failure_kind (code);
  return kind_of_code (error);
}
