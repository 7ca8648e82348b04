/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-json.h"
#include "config/dps-config.h"
#include "config/dps-config-plugin.h"
#include "config/dps-config-reference.h"

#include <gio/gio.h>

/* What the files hold that the configuration names. */

static gboolean
is_secret (const DpsConfigKey *key)
{
  return key->type == DPS_CONFIG_TYPE_SECRET || key->type == DPS_CONFIG_TYPE_KEY;
}

/* A descriptor of what the key names; errors are without the key. */
static int
open_reference (DpsConfig *self, DpsConfigId id, GError **error)
{
  const DpsConfigKey *key = dps_config_key (id);
  const char *value = dps_config_get_string (self, id);

  if (value != NULL)
    return dps_config_open_reference (value,
                                      dps_config_get_credentials_dir (self),
                                      is_secret (key),
                                      error);
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_CONFIGURED,
               "the key is not set; set it in %s",
               dps_config_get_site_file (self));
  return -1;
}

static gboolean
fail_content (GError **error, gint code, const char *value, const char *what)
{
  g_clear_error (error);
  g_set_error (error, DPS_ERROR, code, "'%s' %s", value, what);
  return FALSE;
}

/* The content of fd, which value names. */
static DpsSecret *
read_secret (int fd, const char *value, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (DpsSecret) secret = dps_secret_read_fd (fd, DPS_CONFIG_SECRET_MAX, &local);

  if (g_error_matches (local, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED))
    fail_content (&local,
                  DPS_ERROR_LIMITS_EXCEEDED,
                  value,
                  "holds more than 16 KiB, which no key does; name the right file");
  if (secret != NULL && dps_secret_size (secret) == 0)
    fail_content (&local,
                  DPS_ERROR_INVALID_ARGUMENT,
                  value,
                  "is empty; put the key in it");
  if (local == NULL)
    return g_steal_pointer (&secret);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

DpsSecret *
dps_config_read_secret (DpsConfig *self, DpsConfigId id, GError **error)
{
  DpsSecret *secret = NULL;
  dps_autofd fd = -1;

  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);
  g_return_val_if_fail (is_secret (dps_config_key (id)), NULL);

  fd = open_reference (self, id, error);
  if (fd >= 0)
    secret = read_secret (fd, dps_config_get_string (self, id), error);
  if (secret == NULL)
    dps_config_prefix_error (self, id, error);
  return secret;
}

static DpsSecret *
read_plugin_secret (DpsConfig *self,
                    const DpsConfigPluginSetting *setting,
                    GError **error)
{
  DpsSecret *secret = NULL;
  dps_autofd fd = dps_config_open_reference (setting->value,
                                             dps_config_get_credentials_dir (self),
                                             TRUE,
                                             error);

  if (fd >= 0)
    secret = read_secret (fd, setting->value, error);
  if (secret == NULL)
    g_prefix_error (error,
                    "%s: [%s %s] %s: ",
                    setting->source,
                    DPS_CONFIG_PLUGIN,
                    setting->plugin,
                    setting->key);
  return secret;
}

GHashTable *
dps_config_read_secrets_of (DpsConfig *self,
                            const char *plugin,
                            const char *except,
                            GError **error)
{
  const GPtrArray *settings = dps_config_get_plugin_settings (self);
  g_autoptr (GHashTable) secrets =
      g_hash_table_new_full (g_str_hash,
                             g_str_equal,
                             g_free,
                             (GDestroyNotify) dps_secret_unref);

  for (guint i = 0; i < settings->len; i++)
    {
      const DpsConfigPluginSetting *setting = settings->pdata[i];
      g_autofree char *name = dps_config_plugin_dup_secret_name (setting->key);
      DpsSecret *secret;

      if (name == NULL || !g_str_equal (setting->plugin, plugin) ||
          g_strcmp0 (name, except) == 0)
        continue;
      secret = read_plugin_secret (self, setting, error);
      if (secret == NULL)
        return NULL;
      g_hash_table_insert (secrets, g_steal_pointer (&name), secret);
    }
  return g_steal_pointer (&secrets);
}

static GBytes *
read_bounded (int fd, gsize max, const char *value, GError **error)
{
  g_autofree char *data = g_malloc (max + 1);
  gsize size;

  if (!dps_read_all (fd, data, max + 1, &size, error))
    return g_prefix_error (error, "'%s': ", value), NULL;
  if (size > max)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "'%s' holds more than %" G_GSIZE_FORMAT " bytes; shorten it",
                   value,
                   max);
      return NULL;
    }
  return g_bytes_new (data, size);
}

static gboolean
check_payload (GBytes *bytes, const char *value, GError **error)
{
  static const char *const whole[] = { NULL };
  g_autoptr (GError) local = NULL;
  g_autoptr (JsonObject) object = NULL;
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);

  object =
      dps_json_parse_object_keeping (data != NULL ? data : "", size, whole, NULL, &local);
  if (object != NULL)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "'%s' is no JSON object (%s); correct it",
               value,
               local->message);
  return FALSE;
}

GBytes *
dps_config_read_file (DpsConfig *self, DpsConfigId id, GError **error)
{
  gboolean payload = id == DPS_CONFIG_PAYLOAD_FILE;
  g_autoptr (GBytes) bytes = NULL;
  const char *value;
  dps_autofd fd = -1;

  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);
  g_return_val_if_fail (dps_config_key (id)->type == DPS_CONFIG_TYPE_FILE, NULL);

  value = dps_config_get_string (self, id);
  fd = open_reference (self, id, error);
  if (fd >= 0)
    bytes =
        read_bounded (fd, payload ? DPS_JSON_MAX_SIZE : DPS_CONFIG_CA_MAX, value, error);
  if (bytes == NULL || (payload && !check_payload (bytes, value, error)))
    {
      dps_config_prefix_error (self, id, error);
      return NULL;
    }
  return g_steal_pointer (&bytes);
}
