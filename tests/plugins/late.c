/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <string.h>
#include <unistd.h>

/* A plugin that wants the file of its setting "device", and names the cause of its
 * setting "cause" where that is not there; or always, with "stubborn". */

static DpsPluginResult
late_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *device = host->get_setting (host, "device");
  DpsPluginView key;
  g_autofree char *text = NULL;

  host->log (host, DPS_PLUGIN_LOG_MESSAGE, "asked");
  if (host->get_setting (host, "stubborn") != NULL || access (device, F_OK) < 0)
    {
      host->set_cause (host, host->get_setting (host, "cause"));
      host->set_error (host, "the device is not there");
      return DPS_PLUGIN_FAILED;
    }
  if (!host->get_secret (host, "key", &key))
    return DPS_PLUGIN_NOT_CONFIGURED;
  text = g_strndup ((const char *) key.data, key.size);
  out->kind = DPS_PLUGIN_KIND_SYMMETRIC_KEY;
  out->key.data = g_base64_decode (text, &out->key.size);
  explicit_bzero (text, key.size);
  return DPS_PLUGIN_OK;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "late",
  .describe = late_describe,
};
