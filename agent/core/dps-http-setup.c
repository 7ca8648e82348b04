/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-http-setup.h"

DpsHttp *
dps_http_setup (DpsConfig *config, GError **error)
{
  DpsHttpOptions options = {
    .user_agent = "dps-agent/" PACKAGE_VERSION,
    .ca_file = dps_config_get_string (config, DPS_CONFIG_CA_FILE),
    .pins = dps_config_get_strv (config, DPS_CONFIG_ADDRESS),
  };

  return dps_http_new (&options, error);
}
