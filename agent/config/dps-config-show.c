/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config.h"
#include "config/dps-config-plugin.h"

/* A [consumer NAME] group is a pattern and has no value of its own. */
static gboolean
is_shown (const DpsConfigKey *key)
{
  return !g_str_equal (key->group, DPS_CONFIG_CONSUMER);
}

static void
append_key (GString *text, DpsConfig *self, DpsConfigId id)
{
  const DpsConfigKey *key = dps_config_key (id);
  const char *value = dps_config_get_string (self, id);
  const char *note = key->lacks != NULL ? ", not supported by this version" : "";

  if (value == NULL)
    g_string_append_printf (text, "# %s is not set\n", key->key);
  else if (g_str_equal (dps_config_get_source (self, id), "default"))
    g_string_append_printf (text, "# default%s\n%s=%s\n", note, key->key, value);
  else
    g_string_append_printf (text,
                            "# %s\n%s=%s\n",
                            dps_config_get_source (self, id),
                            key->key,
                            value);
}

/* The groups of plugins from elsewhere, behind those of the table. */
static void
append_plugins (GString *text, DpsConfig *self)
{
  const GPtrArray *settings = dps_config_get_plugin_settings (self);
  const char *plugin = NULL;

  for (guint i = 0; i < settings->len; i++)
    {
      const DpsConfigPluginSetting *setting = settings->pdata[i];

      if (g_strcmp0 (plugin, setting->plugin) != 0)
        g_string_append_printf (text, "\n[" DPS_CONFIG_PLUGIN " %s]\n", setting->plugin);
      plugin = setting->plugin;
      g_string_append_printf (text,
                              "# %s\n%s=%s\n",
                              setting->source,
                              setting->key,
                              setting->value);
    }
}

char *
dps_config_to_text (DpsConfig *self)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const char *group = NULL;

  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    {
      const DpsConfigKey *key = dps_config_key (id);

      if (!is_shown (key))
        continue;
      if (g_strcmp0 (group, key->group) != 0)
        g_string_append_printf (text, "%s[%s]\n", group != NULL ? "\n" : "", key->group);
      group = key->group;
      append_key (text, self, id);
    }
  append_plugins (text, self);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
add_value (JsonBuilder *builder, DpsConfig *self, DpsConfigId id)
{
  const char *value = dps_config_get_string (self, id);

  if (value == NULL)
    json_builder_add_null_value (builder);
  else if (dps_config_key (id)->type == DPS_CONFIG_TYPE_BOOLEAN)
    json_builder_add_boolean_value (builder, dps_config_get_boolean (self, id));
  else if (dps_config_key (id)->type == DPS_CONFIG_TYPE_UINT)
    json_builder_add_int_value (builder, dps_config_get_uint (self, id));
  else
    json_builder_add_string_value (builder, value);
}

static void
add_plugins (JsonBuilder *builder, DpsConfig *self)
{
  const GPtrArray *settings = dps_config_get_plugin_settings (self);
  const char *plugin = NULL;

  for (guint i = 0; i < settings->len; i++)
    {
      const DpsConfigPluginSetting *setting = settings->pdata[i];

      if (g_strcmp0 (plugin, setting->plugin) != 0)
        {
          g_autofree char *group =
              g_strdup_printf (DPS_CONFIG_PLUGIN " %s", setting->plugin);

          if (plugin != NULL)
            json_builder_end_object (builder);
          json_builder_set_member_name (builder, group);
          json_builder_begin_object (builder);
        }
      plugin = setting->plugin;
      json_builder_set_member_name (builder, setting->key);
      json_builder_begin_object (builder);
      json_builder_set_member_name (builder, "value");
      json_builder_add_string_value (builder, setting->value);
      json_builder_set_member_name (builder, "source");
      json_builder_add_string_value (builder, setting->source);
      json_builder_end_object (builder);
    }
  if (plugin != NULL)
    json_builder_end_object (builder);
}

JsonNode *
dps_config_to_json (DpsConfig *self)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  const char *group = NULL;

  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  json_builder_begin_object (builder);
  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    {
      const DpsConfigKey *key = dps_config_key (id);

      if (!is_shown (key))
        continue;
      if (g_strcmp0 (group, key->group) != 0)
        {
          if (group != NULL)
            json_builder_end_object (builder);
          json_builder_set_member_name (builder, key->group);
          json_builder_begin_object (builder);
        }
      group = key->group;
      json_builder_set_member_name (builder, key->key);
      json_builder_begin_object (builder);
      json_builder_set_member_name (builder, "value");
      add_value (builder, self, id);
      json_builder_set_member_name (builder, "source");
      json_builder_add_string_value (builder, dps_config_get_source (self, id));
      json_builder_end_object (builder);
    }
  json_builder_end_object (builder);
  add_plugins (builder, self);
  json_builder_end_object (builder);
  return json_builder_get_root (builder);
}
