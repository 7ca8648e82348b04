/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-log.h"

void
dps_provisioner_on_identity_lost (DpsSigner *signer,
                                  DpsIdentity *identity,
                                  DpsFailure *failure,
                                  gpointer data)
{
  DpsProvisioner *self = data;

  /* What is under way, or waited for, ends with another identity or with none. */
  if (identity != dps_keeper_get_identity (self->keeper) || self->attempt != NULL ||
      self->timer != 0 || self->reset != NULL || self->resetting || self->preparing ||
      dps_group_import_is_active (self->import) || dps_keeper_is_busy (self->keeper) ||
      dps_settings_get_config (self->settings) == NULL)
    return;
  dps_warning ((TOPIC ("identity"), OBJECT (identity->device_id)),
               "the identity is lost (%s); this host registers again",
               dps_failure_row (failure->kind)->cause);
  dps_recheck_stop (self->recheck);
  /* Its store may be lost with it, and is not to be written under the seal of before. */
  dps_keeper_doubt (self->keeper);
  /* Where that did not help, who asks for tokens does not set the pace of registrations.
   */
  if (self->losses++ > 0)
    failure->wait = dps_pacing_slow (g_random_int ());
  dps_provisioner_after_failure (self, failure, WANT_NEW_IDENTITY);
  /* Nobody asked to be left alone: an operator may be faster. */
  self->not_before = 0;
}
