/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-tpm-setup.h"

#include "common/dps-log.h"

DpsSecret *
dps_tpm_setup_read_auth (DpsConfig *config, DpsConfigId id)
{
  g_autoptr (GError) error = NULL;
  DpsSecret *auth;

  if (dps_config_get_string (config, id) == NULL)
    return NULL;
  auth = dps_config_read_secret (config, id, &error);
  if (auth == NULL)
    dps_warning ((TOPIC ("store")), "a password of the TPM: %s", error->message);
  return auth;
}

DpsTpmAccess *
dps_tpm_setup_access (DpsConfig *config)
{
  g_autoptr (DpsSecret) owner =
      dps_tpm_setup_read_auth (config, DPS_CONFIG_TPM_OWNER_AUTH_FILE);
  g_autoptr (DpsSecret) srk =
      dps_tpm_setup_read_auth (config, DPS_CONFIG_TPM_SRK_AUTH_FILE);

  return dps_tpm_access_new (dps_config_get_string (config, DPS_CONFIG_TPM_TCTI),
                             owner,
                             srk);
}
