/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <unistd.h>

/* Describes a host as its settings say: id=, text=, and gate=, a file that describe waits
 * for; kind x509, so that an attempt ends behind the description. */

#define GATE_POLL_US (20 * 1000)

static DpsPluginResult
teller_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *gate = host->get_setting (host, "gate");
  const char *more = host->get_setting (host, "describe-enrollment");
  const char *material[] = { "certificate",
                             "as issued",
                             "describe-enrollment",
                             more != NULL ? more : "",
                             NULL };

  host->log (host, DPS_PLUGIN_LOG_MESSAGE, "begins to describe");
  while (gate != NULL && access (gate, F_OK) != 0)
    g_usleep (GATE_POLL_US);
  if (host->get_setting (host, "broken") != NULL)
    {
      host->set_error (host, "the element does not answer");
      return DPS_PLUGIN_FAILED;
    }
  out->kind = DPS_PLUGIN_KIND_X509;
  out->registration_id = g_strdup (host->get_setting (host, "id"));
  out->enrollment = g_strdup (host->get_setting (host, "text"));
  out->material = g_strdupv ((char **) material);
  return DPS_PLUGIN_OK;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "teller",
  .describe = teller_describe,
};
