/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* [plugin NAME] groups of plugins from elsewhere: their keys are not in the table, any
 * will do. Pure. */

#define DPS_CONFIG_PLUGIN_KEYS_MAX 32
#define DPS_CONFIG_PLUGIN_KEY_MAX 64
#define DPS_CONFIG_PLUGIN_SECRETS_MAX 16

typedef struct
{
  char *plugin;
  char *key;
  char *value;
  char *source; /* "FILE:LINE" */
} DpsConfigPluginSetting;

/* An empty array of DpsConfigPluginSetting. The caller's. */
GPtrArray *dps_config_plugin_settings_new (void);

/* Checks and puts in, or replaces, one setting; an empty value takes it out. The array
 * stays sorted by plugin and key. Errors are DPS_ERROR_INVALID_ARGUMENT or
 * DPS_ERROR_LIMITS_EXCEEDED, without file and key, and never repeat the value. */
gboolean dps_config_plugin_settings_set (GPtrArray *settings,
                                         const char *plugin,
                                         const char *key,
                                         const char *value,
                                         const char *source,
                                         GError **error);

/* The name under which a plugin gets the content of the file that key names: "seed" for
 * "seed-file"; NULL where key is a plain setting. The caller's. */
char *dps_config_plugin_dup_secret_name (const char *key);
