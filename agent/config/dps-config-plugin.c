/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-plugin.h"
#include "common/dps-error.h"
#include "config/dps-config-value.h"

#include <string.h>

#define FILE_SUFFIX "-file"

static void
setting_free (gpointer data)
{
  DpsConfigPluginSetting *setting = data;

  g_free (setting->plugin);
  g_free (setting->key);
  g_free (setting->value);
  g_free (setting->source);
  g_free (setting);
}

GPtrArray *
dps_config_plugin_settings_new (void)
{
  return g_ptr_array_new_with_free_func (setting_free);
}

static void
group_free (gpointer data)
{
  DpsConfigPluginGroup *group = data;

  g_free (group->plugin);
  g_free (group->source);
  g_free (group);
}

GPtrArray *
dps_config_plugin_groups_new (void)
{
  return g_ptr_array_new_with_free_func (group_free);
}

void
dps_config_plugin_groups_note (GPtrArray *groups, const char *plugin, const char *source)
{
  DpsConfigPluginGroup *group;

  for (guint i = 0; i < groups->len; i++)
    if (g_str_equal (((DpsConfigPluginGroup *) groups->pdata[i])->plugin, plugin))
      return;
  group = g_new0 (DpsConfigPluginGroup, 1);
  group->plugin = g_strdup (plugin);
  group->source = g_strdup (source);
  g_ptr_array_add (groups, group);
}

static gboolean
is_installed (const char *plugin, const char *directory)
{
  g_autofree char *file = g_strconcat (plugin, ".so", NULL);
  g_autofree char *path = g_build_filename (directory, file, NULL);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static gboolean
check_group (const DpsConfigPluginGroup *group,
             const char *chosen,
             const char *directory,
             GError **error)
{
  const char *near;

  if (g_strcmp0 (group->plugin, chosen) == 0 ||
      (directory != NULL && is_installed (group->plugin, directory)))
    return TRUE;
  near = dps_config_find_near_plugin (group->plugin, chosen);
  if (near != NULL)
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_INVALID_ARGUMENT,
                 "%s: [" DPS_CONFIG_PLUGIN " %s]: there is no such plugin; did you mean"
                 " [" DPS_CONFIG_PLUGIN " %s]?",
                 group->source,
                 group->plugin,
                 near);
  else if (directory != NULL)
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_INVALID_ARGUMENT,
                 "%s: [" DPS_CONFIG_PLUGIN " %s]: there is no such plugin in '%s';"
                 " correct the name, install the plugin, or remove the group",
                 group->source,
                 group->plugin,
                 directory);
  return near == NULL && directory == NULL;
}

gboolean
dps_config_plugin_groups_check (const GPtrArray *groups,
                                const char *chosen,
                                const char *directory,
                                GError **error)
{
  for (guint i = 0; i < groups->len; i++)
    if (!check_group (groups->pdata[i], chosen, directory, error))
      return FALSE;
  return TRUE;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const DpsConfigPluginSetting *x = *(const DpsConfigPluginSetting *const *) a;
  const DpsConfigPluginSetting *y = *(const DpsConfigPluginSetting *const *) b;
  int order = strcmp (x->plugin, y->plugin);

  return order != 0 ? order : strcmp (x->key, y->key);
}

char *
dps_config_plugin_dup_secret_name (const char *key)
{
  if (!g_str_has_suffix (key, FILE_SUFFIX))
    return NULL;
  return g_strndup (key, strlen (key) - strlen (FILE_SUFFIX));
}

static gboolean
refuse (GError **error, gint code, const char *text)
{
  g_set_error_literal (error, DPS_ERROR, code, text);
  return FALSE;
}

static gboolean
check_key (const char *key, GError **error)
{
  gsize size = strlen (key);

  if (size > DPS_CONFIG_PLUGIN_KEY_MAX ||
      strspn (key, G_CSET_a_2_z G_CSET_DIGITS "-") != size ||
      g_str_equal (key, FILE_SUFFIX))
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "the key's name is not usable; write 1 to 64 characters of a-z, 0-9"
                   " and -");
  return TRUE;
}

static gboolean
check_value (const char *key, const char *value, GError **error)
{
  static const DpsConfigKey secret = { .type = DPS_CONFIG_TYPE_SECRET };

  /* What a plain setting may be, its plugin knows. */
  return *value == '\0' || !g_str_has_suffix (key, FILE_SUFFIX) ||
         dps_config_check_value (&secret, value, error);
}

static void
take_out (GPtrArray *settings, const char *plugin, const char *key)
{
  for (guint i = 0; i < settings->len; i++)
    {
      const DpsConfigPluginSetting *setting = settings->pdata[i];

      if (g_str_equal (setting->plugin, plugin) && g_str_equal (setting->key, key))
        {
          g_ptr_array_remove_index (settings, i);
          return;
        }
    }
}

static gboolean
check_room (const GPtrArray *settings,
            const char *plugin,
            const char *key,
            GError **error)
{
  guint n_keys = 1;
  guint n_secrets = g_str_has_suffix (key, FILE_SUFFIX);

  for (guint i = 0; i < settings->len; i++)
    {
      const DpsConfigPluginSetting *setting = settings->pdata[i];

      if (!g_str_equal (setting->plugin, plugin))
        continue;
      n_keys++;
      n_secrets += g_str_has_suffix (setting->key, FILE_SUFFIX);
    }
  if (n_keys > DPS_CONFIG_PLUGIN_KEYS_MAX)
    return refuse (error,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "the group has more than 32 keys; remove some");
  if (n_secrets > DPS_CONFIG_PLUGIN_SECRETS_MAX)
    return refuse (error,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "the group names more than 16 files; remove some");
  return TRUE;
}

gboolean
dps_config_plugin_settings_set (GPtrArray *settings,
                                const char *plugin,
                                const char *key,
                                const char *value,
                                const char *source,
                                GError **error)
{
  DpsConfigPluginSetting *setting;

  if (!check_key (key, error) || !check_value (key, value, error))
    return FALSE;
  take_out (settings, plugin, key);
  if (*value == '\0')
    return TRUE;
  if (!check_room (settings, plugin, key, error))
    return FALSE;
  setting = g_new0 (DpsConfigPluginSetting, 1);
  setting->plugin = g_strdup (plugin);
  setting->key = g_strdup (key);
  setting->value = g_strdup (value);
  setting->source = g_strdup (source);
  g_ptr_array_add (settings, setting);
  g_ptr_array_sort (settings, compare);
  return TRUE;
}
