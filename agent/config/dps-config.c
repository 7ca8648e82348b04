/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config.h"
#include "common/dps-error.h"
#include "common/dps-name.h"
#include "config/dps-config-address.h"
#include "config/dps-config-parse.h"
#include "config/dps-config-plugin.h"
#include "config/dps-config-value.h"

#include <string.h>

struct _DpsConfig
{
  GObject parent_instance;
  char *values[DPS_CONFIG_N_KEYS];  /* NULL = default */
  char *sources[DPS_CONFIG_N_KEYS]; /* "FILE:LINE", NULL = default */
  GStrv addresses;
  GPtrArray *plugin_settings; /* DpsConfigPluginSetting * */
  GPtrArray *plugin_groups;   /* DpsConfigPluginGroup * */
  char *site_file;
  char *credentials_dir;
  char *import_dir;
};

G_DEFINE_FINAL_TYPE (DpsConfig, dps_config, G_TYPE_OBJECT)

static void
dps_config_finalize (GObject *object)
{
  DpsConfig *self = DPS_CONFIG (object);

  for (gsize i = 0; i < DPS_CONFIG_N_KEYS; i++)
    {
      g_free (self->values[i]);
      g_free (self->sources[i]);
    }
  g_strfreev (self->addresses);
  g_ptr_array_unref (self->plugin_settings);
  g_ptr_array_unref (self->plugin_groups);
  g_free (self->site_file);
  g_free (self->credentials_dir);
  g_free (self->import_dir);
  G_OBJECT_CLASS (dps_config_parent_class)->finalize (object);
}

static void
dps_config_class_init (DpsConfigClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_config_finalize;
}

static void
dps_config_init (DpsConfig *self)
{
  self->plugin_settings = dps_config_plugin_settings_new ();
  self->plugin_groups = dps_config_plugin_groups_new ();
}

static gboolean
fail_at (const char *file,
         const DpsConfigEntry *entry,
         const char *what,
         const char *further,
         GError **error)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "%s:%u: [%s]%s%s: %s%s",
               file,
               entry->line,
               entry->group,
               entry->key != NULL ? " " : "",
               entry->key != NULL ? entry->key : "",
               what,
               further);
  return FALSE;
}

/* What stands behind the pattern. */
static const char *
instance_of (const char *group, const char *pattern)
{
  return group + strlen (pattern) + 1;
}

static gboolean
apply_group (DpsConfig *self,
             const char *file,
             const DpsConfigEntry *entry,
             GError **error)
{
  const char *group = dps_config_find_group (entry->group);
  g_autofree char *hint = NULL;

  if (group == NULL)
    {
      hint = dps_config_suggest_group (entry->group);
      return fail_at (file, entry, "there is no such group", hint, error);
    }
  if (dps_config_group_is_pattern (group) &&
      !dps_name_check_plugin (instance_of (entry->group, group), NULL))
    return fail_at (file,
                    entry,
                    g_str_equal (group, DPS_CONFIG_PLUGIN)
                        ? "the plugin's name is not usable"
                        : "the consumer's name is not usable",
                    "; write 1 to 32 characters of a-z, 0-9 and -",
                    error);
  if (g_str_equal (group, DPS_CONFIG_PLUGIN))
    {
      g_autofree char *source = g_strdup_printf ("%s:%u", file, entry->line);

      dps_config_plugin_groups_note (self->plugin_groups,
                                     instance_of (entry->group, group),
                                     source);
    }
  return TRUE;
}

/* Where a value stands, before an error about it. */
static void
prefix_with_entry (const char *file, const DpsConfigEntry *entry, GError **error)
{
  g_prefix_error (error, "%s:%u: [%s] %s: ", file, entry->line, entry->group, entry->key);
}

static gboolean
apply_plugin_entry (DpsConfig *self,
                    const char *file,
                    const DpsConfigEntry *entry,
                    GError **error)
{
  g_autofree char *source = g_strdup_printf ("%s:%u", file, entry->line);

  if (dps_config_plugin_settings_set (self->plugin_settings,
                                      instance_of (entry->group, DPS_CONFIG_PLUGIN),
                                      entry->key,
                                      entry->value,
                                      source,
                                      error))
    return TRUE;
  prefix_with_entry (file, entry, error);
  return FALSE;
}

static gboolean
apply_entry (DpsConfig *self,
             const char *file,
             const DpsConfigEntry *entry,
             GError **error)
{
  const char *group = dps_config_find_group (entry->group);
  DpsConfigId id;

  if (entry->key == NULL)
    return apply_group (self, file, entry, error);
  if (g_str_equal (group, DPS_CONFIG_PLUGIN))
    return apply_plugin_entry (self, file, entry, error);
  if (!dps_config_find_key (group, entry->key, &id))
    {
      g_autofree char *hint = dps_config_suggest_key (group, entry->key);

      return fail_at (file, entry, "there is no such key in this group", hint, error);
    }
  g_clear_pointer (&self->values[id], g_free);
  g_clear_pointer (&self->sources[id], g_free);
  if (*entry->value == '\0')
    return TRUE;
  if (!dps_config_check_value (dps_config_key (id), entry->value, error))
    {
      prefix_with_entry (file, entry, error);
      return FALSE;
    }
  self->values[id] = g_strdup (entry->value);
  self->sources[id] = g_strdup_printf ("%s:%u", file, entry->line);
  return TRUE;
}

static gboolean
apply_file (DpsConfig *self, const char *file, GError **error)
{
  g_autoptr (GBytes) bytes = dps_config_read_source (file, error);
  g_autoptr (GPtrArray) entries = NULL;
  const char *data;
  gsize size;

  if (bytes == NULL)
    return FALSE;
  data = g_bytes_get_data (bytes, &size);
  entries = dps_config_parse (data, size, file, error);
  if (entries == NULL)
    return FALSE;
  for (guint i = 0; i < entries->len; i++)
    if (!apply_entry (self, file, entries->pdata[i], error))
      return FALSE;
  return TRUE;
}

/* Only now is it known which endpoint a bare address belongs to. */
static gboolean
resolve_addresses (DpsConfig *self, GError **error)
{
  const char *value = self->values[DPS_CONFIG_ADDRESS];

  if (value == NULL)
    {
      self->addresses = g_new0 (char *, 1);
      return TRUE;
    }
  self->addresses =
      dps_config_parse_addresses (value, self->values[DPS_CONFIG_ENDPOINT], error);
  if (self->addresses == NULL)
    dps_config_prefix_error (self, DPS_CONFIG_ADDRESS, error);
  return self->addresses != NULL;
}

DpsConfig *
dps_config_load (const DpsConfigPaths *paths, GError **error)
{
  g_autoptr (DpsConfig) self = g_object_new (DPS_TYPE_CONFIG, NULL);
  g_auto (GStrv) files = NULL;

  g_return_val_if_fail (paths != NULL && paths->config_dir != NULL, NULL);

  files = dps_config_list_files (paths, error);
  if (files == NULL)
    return NULL;
  for (guint i = 0; files[i] != NULL; i++)
    if (!apply_file (self, files[i], error))
      return NULL;
  if (!resolve_addresses (self, error) ||
      !dps_config_plugin_groups_check (self->plugin_groups,
                                       dps_config_get_string (self,
                                                              DPS_CONFIG_ATTESTATION),
                                       paths->plugin_dir,
                                       error))
    return NULL;
  self->site_file =
      g_build_filename (paths->config_dir, DPS_CONFIG_DROP_INS, "site.conf", NULL);
  self->credentials_dir = g_strdup (paths->credentials_dir);
  self->import_dir =
      g_build_filename (paths->state_dir ? paths->state_dir : DPS_STATE_DIR,
                        DPS_CONFIG_IMPORT,
                        NULL);
  return g_steal_pointer (&self);
}

/* One default hangs on another key. */
static const char *
fallback_of (DpsConfig *self, DpsConfigId id)
{
  if (id == DPS_CONFIG_API_VERSION &&
      dps_config_get_boolean (self, DPS_CONFIG_CERTIFICATE_ISSUANCE))
    return DPS_CONFIG_API_VERSION_ISSUING;
  return dps_config_key (id)->fallback;
}

const char *
dps_config_get_string (DpsConfig *self, DpsConfigId id)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self) && id < DPS_CONFIG_N_KEYS, NULL);

  return self->values[id] != NULL ? self->values[id] : fallback_of (self, id);
}

const char *
dps_config_get_tcti (DpsConfig *self)
{
  return self != NULL ? dps_config_get_string (self, DPS_CONFIG_TPM_TCTI)
                      : dps_config_key (DPS_CONFIG_TPM_TCTI)->fallback;
}

gboolean
dps_config_get_boolean (DpsConfig *self, DpsConfigId id)
{
  const char *value = dps_config_get_string (self, id);

  g_return_val_if_fail (dps_config_key (id)->type == DPS_CONFIG_TYPE_BOOLEAN, FALSE);

  return value != NULL && dps_config_value_is_yes (value);
}

guint
dps_config_get_uint (DpsConfig *self, DpsConfigId id)
{
  const char *value = dps_config_get_string (self, id);

  g_return_val_if_fail (dps_config_key (id)->type == DPS_CONFIG_TYPE_UINT, 0);

  return value != NULL ? (guint) g_ascii_strtoull (value, NULL, 10) : 0;
}

const char *const *
dps_config_get_strv (DpsConfig *self, DpsConfigId id)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self) && id == DPS_CONFIG_ADDRESS, NULL);

  return (const char *const *) self->addresses;
}

const char *
dps_config_get_source (DpsConfig *self, DpsConfigId id)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self) && id < DPS_CONFIG_N_KEYS, NULL);

  return self->sources[id] != NULL ? self->sources[id] : "default";
}

const char *
dps_config_get_site_file (DpsConfig *self)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  return self->site_file;
}

const GPtrArray *
dps_config_get_plugin_settings (DpsConfig *self)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  return self->plugin_settings;
}

const GPtrArray *
dps_config_get_plugin_groups (DpsConfig *self)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  return self->plugin_groups;
}

static gboolean
is_plain (DpsConfigType type)
{
  return type != DPS_CONFIG_TYPE_SECRET && type != DPS_CONFIG_TYPE_FILE;
}

/* Of a plugin whose group the table knows. */
static void
add_settings_of_table (DpsConfig *self, const char *plugin, GHashTable *plain)
{
  g_autofree char *group = g_strconcat (DPS_CONFIG_PLUGIN " ", plugin, NULL);

  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    {
      const DpsConfigKey *key = dps_config_key (id);
      const char *value = dps_config_get_string (self, id);

      if (value == NULL || !g_str_equal (key->group, group) || !is_plain (key->type))
        continue;
      if (key->type == DPS_CONFIG_TYPE_BOOLEAN)
        value = dps_config_get_boolean (self, id) ? "yes" : "no";
      g_hash_table_insert (plain, g_strdup (key->key), g_strdup (value));
    }
}

GHashTable *
dps_config_dup_settings_of (DpsConfig *self, const char *plugin)
{
  GHashTable *plain = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  add_settings_of_table (self, plugin, plain);

  for (guint i = 0; i < self->plugin_settings->len; i++)
    {
      const DpsConfigPluginSetting *setting = self->plugin_settings->pdata[i];
      g_autofree char *secret = dps_config_plugin_dup_secret_name (setting->key);

      if (secret == NULL && g_str_equal (setting->plugin, plugin))
        g_hash_table_insert (plain, g_strdup (setting->key), g_strdup (setting->value));
    }
  return plain;
}

const char *
dps_config_get_import_dir (DpsConfig *self)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  return self->import_dir;
}

const char *
dps_config_get_credentials_dir (DpsConfig *self)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  return self->credentials_dir;
}

void
dps_config_prefix_error (DpsConfig *self, DpsConfigId id, GError **error)
{
  const DpsConfigKey *key = dps_config_key (id);

  g_prefix_error (error,
                  "%s: [%s] %s: ",
                  dps_config_get_source (self, id),
                  key->group,
                  key->key);
}
