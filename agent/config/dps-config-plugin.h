/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* [plugin NAME] groups of plugins from elsewhere: their keys are not in the table, any
 * will do. */

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

typedef struct
{
  char *plugin;
  char *source; /* "FILE:LINE", where the group stands first */
} DpsConfigPluginGroup;

/* Empty arrays of DpsConfigPluginSetting and of DpsConfigPluginGroup. The caller's. */
GPtrArray *dps_config_plugin_settings_new (void);
GPtrArray *dps_config_plugin_groups_new (void);

/* Remembers that there is such a group, also one without a key. */
void dps_config_plugin_groups_note (GPtrArray *groups,
                                    const char *plugin,
                                    const char *source);

/* Once all is read: DPS_ERROR_INVALID_ARGUMENT for a group that is neither chosen's (may
 * be NULL) nor that of a plugin in directory (NULL = not known), where its name is nearly
 * that of a plugin, or where the directory is known: a slip in the name would else go
 * unseen. Looks into directory. */
gboolean dps_config_plugin_groups_check (const GPtrArray *groups,
                                         const char *chosen,
                                         const char *directory,
                                         GError **error);

/* Checks and puts in, or replaces, one setting; an empty value takes it out. The array
 * stays sorted by plugin and key. Pure. Errors are DPS_ERROR_INVALID_ARGUMENT or
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
