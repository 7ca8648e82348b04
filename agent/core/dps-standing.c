/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-standing.h"
#include "core/dps-group-key.h"

#include <string.h>

DpsState
dps_standing_state (DpsSettings *settings, DpsKeeper *keeper)
{
  if (dps_keeper_get_failure (keeper) != NULL)
    return DPS_STATE_HELD;
  if (dps_keeper_get_identity (keeper) != NULL)
    return DPS_STATE_PROVISIONED;
  return dps_settings_get_config (settings) ? DPS_STATE_IDLE : DPS_STATE_UNCONFIGURED;
}

DpsFailure *
dps_standing_reason (DpsSettings *settings, DpsKeeper *keeper)
{
  const GError *error = dps_settings_get_error (settings);
  DpsIdentity *identity = dps_keeper_get_identity (keeper);

  if (dps_keeper_get_failure (keeper) != NULL)
    return dps_failure_ref (dps_keeper_get_failure (keeper));
  if (dps_keeper_get_obstacle (keeper) != NULL)
    return dps_failure_ref (dps_keeper_get_obstacle (keeper));
  if (!dps_keeper_is_loaded (keeper))
    return dps_failure_new (DPS_FAILURE_NONE, "the store is being opened");
  if (error != NULL)
    return dps_failure_new_from_error (dps_settings_failure_kind (error), error);
  if (dps_keeper_is_read_only (keeper))
    return dps_failure_new (DPS_FAILURE_STORE_WRITE, "its file system is read-only");
  if (identity != NULL && !identity->verified)
    return dps_failure_new (DPS_FAILURE_UNVERIFIED, NULL);
  return NULL;
}

/* A device key that was derived anew, from another group key, is to be shown to DPS. */
static gboolean
key_is_current (DpsConfig *config, DpsKeeper *keeper, const DpsIdentity *identity)
{
  DpsKeyFacts facts = dps_group_key_facts (config, keeper);
  const DpsImportedKey *stored = facts.stored;

  return identity->shape != DPS_SHAPE_KEY || stored == NULL ||
         stored->registration_id == NULL ||
         dps_group_key_choose (&facts) != DPS_KEY_STORED ||
         dps_group_key_is (stored, identity->key);
}

gboolean
dps_standing_is_current (DpsSettings *settings, DpsKeeper *keeper)
{
  DpsConfig *config = dps_settings_get_config (settings);
  DpsIdentity *identity = dps_keeper_get_identity (keeper);
  g_autofree char *digest = NULL;

  if (identity == NULL)
    return FALSE;
  digest = dps_config_dup_identity_digest (config);
  return strcmp (identity->config_digest, digest) == 0 &&
         key_is_current (config, keeper, identity);
}
