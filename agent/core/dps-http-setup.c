/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-http-setup.h"

DpsHttp *
dps_http_setup (DpsConfig *config,
                DpsHttpSessions *sessions,
                DpsTlsIdentity *identity,
                GError **error)
{
  g_autoptr (GBytes) ca_pem = NULL;
  DpsHttpOptions options = {
    .user_agent = "dps-agent/" PACKAGE_VERSION,
    .sessions = sessions,
    .identity = identity,
    .pins = dps_config_get_strv (config, DPS_CONFIG_ADDRESS),
  };

  /* Whoever can write this file can pose as the service: it is held to the rules of
   * configuration. */
  if (dps_config_get_string (config, DPS_CONFIG_CA_FILE) != NULL)
    {
      ca_pem = dps_config_read_file (config, DPS_CONFIG_CA_FILE, error);
      if (ca_pem == NULL)
        return NULL;
      options.ca_pem = ca_pem;
    }
  return dps_http_new (&options, error);
}
