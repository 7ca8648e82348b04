/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-group-key.h"
#include "dps/dps-sas.h"

gboolean
dps_group_key_fits (const DpsImportedKey *stored, const char *registration_id)
{
  return stored->registration_id == NULL ||
         (registration_id != NULL &&
          g_ascii_strcasecmp (stored->registration_id, registration_id) == 0);
}

/* A credential is there at each start, so it counts for what the agent took from it; a
 * key that somebody handed to the agent counts more. */
static gboolean
credential_is_new (const DpsKeyFacts *facts)
{
  const DpsImportedKey *stored = facts->stored;

  if (stored == NULL || !dps_group_key_fits (stored, facts->registration_id))
    return TRUE;
  if (stored->origin == NULL)
    return FALSE;
  return !facts->is_known || g_strcmp0 (stored->origin, facts->found) != 0;
}

DpsKeyFacts
dps_group_key_facts (DpsConfig *config, DpsKeeper *keeper)
{
  return (DpsKeyFacts){
    .is_symmetric = g_strcmp0 (dps_config_get_string (config, DPS_CONFIG_ATTESTATION),
                               "symmetric-key") == 0,
    .registration_id = dps_config_get_string (config, DPS_CONFIG_REGISTRATION_ID),
    .has_key_file = dps_config_get_string (config, DPS_CONFIG_KEY_FILE) != NULL,
    .has_group_key_file =
        dps_config_get_string (config, DPS_CONFIG_GROUP_KEY_FILE) != NULL,
    .used = dps_keeper_get_used_file (keeper),
    .overruled = dps_keeper_get_overruled_file (keeper),
    .stored = dps_keeper_get_imported_key (keeper),
  };
}

DpsKeyChoice
dps_group_key_choose (const DpsKeyFacts *facts)
{
  const DpsImportedKey *stored = facts->stored;
  gboolean fits = stored != NULL && dps_group_key_fits (stored, facts->registration_id);

  /* A derived key is symmetric-key's; no other plugin may see it. */
  if (!facts->is_symmetric)
    return fits && stored->registration_id == NULL ? DPS_KEY_STORED : DPS_KEY_FILE;
  if (facts->found != NULL && facts->is_credential)
    {
      if (credential_is_new (facts))
        return DPS_KEY_DERIVE;
    }
  else if (facts->found != NULL)
    {
      if (g_strcmp0 (facts->found, facts->used) == 0)
        return DPS_KEY_REMOVE;
      if (!fits || g_strcmp0 (facts->found, facts->overruled) != 0)
        return DPS_KEY_DERIVE;
    }
  /* What a line of the configuration brought goes where another line takes its place;
   * what somebody handed to the agent stays. */
  if (fits && (stored->origin == NULL || !facts->has_key_file))
    return DPS_KEY_STORED;
  if (facts->has_key_file)
    return DPS_KEY_FILE;
  if (facts->is_unfit)
    return DPS_KEY_DERIVE;
  if (stored != NULL)
    return DPS_KEY_OTHER_ID;
  return facts->has_group_key_file ? DPS_KEY_GONE : DPS_KEY_FILE;
}

static DpsSecret *
decode (const DpsSecret *text, GError **error)
{
  return dps_secret_new_from_base64 ((const char *) dps_secret_data (text),
                                     dps_secret_size (text),
                                     DPS_DEVICE_KEY_MIN,
                                     DPS_DEVICE_KEY_MAX,
                                     error);
}

DpsImportedKey *
dps_group_key_derive (const DpsSecret *text,
                      const char *registration_id,
                      const char *origin,
                      GError **error)
{
  g_autofree char *id = g_ascii_strdown (registration_id, -1);
  g_autoptr (DpsSecret) group_key = decode (text, error);
  g_autoptr (DpsSecret) key = NULL;
  g_autoptr (DpsSecret) key_text = NULL;

  if (group_key == NULL)
    return g_prefix_error (error, "the group key is refused: "), NULL;
  key = dps_sas_derive_group_key (group_key, id, error);
  if (key == NULL)
    return NULL;
  key_text = dps_secret_to_base64 (key);
  return dps_imported_key_new (key_text, id, origin);
}

gboolean
dps_group_key_is (const DpsImportedKey *imported, const DpsSecret *key)
{
  g_autoptr (DpsSecret) own = decode (imported->text, NULL);

  return own != NULL && dps_secret_equal (own, key);
}
