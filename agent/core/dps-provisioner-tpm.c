/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-log.h"
#include "core/dps-summary.h"
#include "core/dps-tpm-watch.h"

static gboolean
wants_tpm (DpsFailureKind kind)
{
  return kind == DPS_FAILURE_TPM_NO_DEVICE || kind == DPS_FAILURE_TPM_PERMISSION ||
         kind == DPS_FAILURE_TPM_RAW_ONLY || kind == DPS_FAILURE_STORE_SEALED ||
         kind == DPS_FAILURE_STORE_UNPROTECTED;
}

static void
on_appeared (gpointer data)
{
  DpsProvisioner *self = data;

  dps_summary_show_tpm (self->report, self->settings);
  dps_info ((TOPIC ("tpm")), "the TPM is there, trying again at once");
  self->tpm_hurried = TRUE;
  dps_provisioner_end_wait_early (self);
}

void
dps_provisioner_watch_tpm (DpsProvisioner *self, const DpsFailure *failure)
{
  const char *tcti = dps_config_get_tcti (dps_settings_get_config (self->settings));

  g_clear_pointer (&self->tpm_watch, dps_tpm_watch_free);
  if (!wants_tpm (failure->kind))
    return;
  dps_summary_show_tpm (self->report, self->settings);
  self->tpm_watch = dps_tpm_watch_new (tcti, on_appeared, self);
  if (!dps_tpm_watch_is_there (tcti))
    self->tpm_hurried = FALSE;
  else if (!self->tpm_hurried)
    on_appeared (self);
  else
    g_clear_pointer (&self->tpm_watch, dps_tpm_watch_free);
}
