/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "core/dps-group-key.h"
#include "core/dps-standing.h"
#include "core/dps-summary.h"

gboolean
dps_provisioner_import_first (DpsProvisioner *self, Want want)
{
  /* What was derived before may be in the store, which nobody can tell now. */
  if (dps_keeper_get_failure (self->keeper) != NULL ||
      !dps_group_import_look (self->import))
    return FALSE;
  dps_provisioner_end_waits (self);
  self->want = MAX (self->want, want);
  dps_report_move (self->report, DPS_STATE_ATTESTING, NULL, 0);
  dps_provisioner_update_busy (self);
  return TRUE;
}

void
dps_provisioner_on_imported (DpsFailure *failure, gpointer data)
{
  DpsProvisioner *self = data;
  g_autoptr (DpsFailure) reason = NULL;
  Want want = self->want;

  dps_summary_show_identity (self->report, self->keeper);
  if (failure != NULL)
    self->want = WANT_NOTHING;
  /* A key that cannot be taken in is no reason to take a good identity for a bad one. */
  if (failure != NULL && want != WANT_NOTHING && self->reset == NULL &&
      !dps_standing_is_current (self->settings, self->keeper))
    {
      dps_provisioner_after_failure (self, failure, want);
      dps_provisioner_settle (self);
      return;
    }
  reason = failure ? dps_failure_ref (failure)
                   : dps_standing_reason (self->settings, self->keeper);
  dps_provisioner_rest (self, reason);
  dps_provisioner_settle (self);
}

gboolean
dps_provisioner_is_importing (DpsProvisioner *self)
{
  return dps_group_import_is_active (self->import);
}

gboolean
dps_provisioner_may_import (DpsProvisioner *self, GError **error)
{
  if (self->attempt == NULL && !self->resetting && !self->preparing &&
      !dps_group_import_is_active (self->import) && !dps_keeper_is_busy (self->keeper) &&
      dps_keeper_is_readable (self->keeper, error))
    return TRUE;
  if (error != NULL && *error == NULL)
    g_set_error (error, DPS_ERROR, DPS_ERROR_BUSY, "an attempt is in flight; try again");
  return FALSE;
}

char *
dps_provisioner_find_group_file (DpsProvisioner *self)
{
  return dps_group_import_find_file (self->import);
}

DpsImportedKey *
dps_provisioner_derive_key (DpsProvisioner *self, const DpsSecret *text, GError **error)
{
  DpsConfig *config;
  const char *id;

  if (!dps_provisioner_refresh (self, error))
    return NULL;
  config = dps_settings_get_config (self->settings);
  if (!dps_group_key_facts (config, self->keeper).is_symmetric)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_CONFIGURED,
                   "a group's key goes with attestation=symmetric-key, and attestation= "
                   "is '%s'",
                   dps_config_get_string (config, DPS_CONFIG_ATTESTATION));
      return NULL;
    }
  id = dps_config_get_string (config, DPS_CONFIG_REGISTRATION_ID);
  if (id != NULL)
    return dps_group_key_derive (text, id, NULL, error);
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_CONFIGURED,
               "%s a device key is derived for a registration id; %s",
               dps_failure_row (DPS_FAILURE_NO_REGISTRATION_ID)->code,
               dps_failure_row (DPS_FAILURE_NO_REGISTRATION_ID)->remedy);
  return NULL;
}

void
dps_provisioner_key_imported (DpsProvisioner *self, gboolean done)
{
  if (done)
    {
      dps_message ((TOPIC ("identity")), "a device key was imported");
      dps_summary_show_identity (self->report, self->keeper);
      /* Whatever is being waited for, a new key is a reason to look at once. */
      if (self->timer != 0 && self->reset == NULL)
        self->want = MAX (self->want, MAX (self->due, WANT_IDENTITY));
      dps_provisioner_end_wait (self);
    }
  dps_provisioner_settle (self);
}
