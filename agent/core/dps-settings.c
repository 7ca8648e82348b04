/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-settings.h"
#include "common/dps-error.h"
#include "common/dps-log.h"

#include <string.h>

struct _DpsSettings
{
  GObject parent;
  char *config_dir, *run_dir, *vendor_dir, *credentials_dir, *state_dir;
  char *plugin_host, *plugin_dir;
  char *known_plugins; /* where the configuration's plugins are looked for, or NULL */
  DpsConfig *config;
  GError *error;
  DpsHttpSessions *sessions;
  DpsRefusal *refusal;
};

G_DEFINE_FINAL_TYPE (DpsSettings, dps_settings, G_TYPE_OBJECT)

static void
dps_settings_finalize (GObject *object)
{
  DpsSettings *self = DPS_SETTINGS (object);

  g_free (self->config_dir);
  g_free (self->run_dir);
  g_free (self->vendor_dir);
  g_free (self->credentials_dir);
  g_free (self->state_dir);
  g_free (self->plugin_host);
  g_free (self->plugin_dir);
  g_free (self->known_plugins);
  g_clear_object (&self->config);
  g_clear_error (&self->error);
  dps_http_sessions_unref (self->sessions);
  dps_refusal_unref (self->refusal);
  G_OBJECT_CLASS (dps_settings_parent_class)->finalize (object);
}

static void
dps_settings_class_init (DpsSettingsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_settings_finalize;
}

static void
dps_settings_init (DpsSettings *self)
{
  self->sessions = dps_http_sessions_new ();
  self->refusal = dps_refusal_new ();
}

DpsSettings *
dps_settings_new (const DpsConfigPaths *paths,
                  const char *plugin_host,
                  const char *plugin_dir)
{
  DpsSettings *self = g_object_new (DPS_TYPE_SETTINGS, NULL);

  self->config_dir = g_strdup (paths->config_dir);
  self->run_dir = g_strdup (paths->run_dir);
  self->vendor_dir = g_strdup (paths->vendor_dir);
  self->credentials_dir = g_strdup (paths->credentials_dir);
  self->state_dir = g_strdup (paths->state_dir);
  self->plugin_host = g_strdup (plugin_host);
  self->plugin_dir = g_strdup (plugin_dir);
  self->known_plugins = g_strdup (paths->plugin_dir);
  return self;
}

static void
log_warnings (DpsConfig *config)
{
  g_auto (GStrv) warnings = dps_config_dup_warnings (config);

  for (guint i = 0; warnings[i] != NULL; i++)
    dps_warning ((TOPIC ("config")), "%s", warnings[i]);
}

/* As a caller sees it: the code first, and an error of the configuration whatever its
 * cause; a file that is not trusted is no refusal of the caller. */
static void
refuse (const GError *why, GError **error)
{
  DpsFailureKind kind = dps_settings_failure_kind (why);
  DpsError code = DPS_ERROR_INVALID_ARGUMENT;

  if (kind == DPS_FAILURE_NOT_CONFIGURED)
    code = DPS_ERROR_NOT_CONFIGURED;
  else if (kind == DPS_FAILURE_CONFIG_UNSUPPORTED)
    code = DPS_ERROR_NOT_SUPPORTED;
  g_set_error (error,
               DPS_ERROR,
               (gint) code,
               "%s %s",
               dps_failure_row (kind)->code,
               why->message);
}

static gboolean
same_registration (DpsConfig *a, DpsConfig *b)
{
  g_autofree char *digest_a = dps_config_dup_identity_digest (a);
  g_autofree char *digest_b = dps_config_dup_identity_digest (b);

  return strcmp (digest_a, digest_b) == 0;
}

gboolean
dps_settings_reload (DpsSettings *self, GError **error)
{
  DpsConfigPaths paths = { self->config_dir,      self->run_dir,   self->vendor_dir,
                           self->credentials_dir, self->state_dir, self->known_plugins };
  g_autoptr (DpsConfig) config = NULL;

  g_clear_error (&self->error);
  config = dps_config_load (&paths, &self->error);
  if (config == NULL || !dps_config_check (config, &self->error))
    {
      refuse (self->error, error);
      return FALSE;
    }
  log_warnings (config);
  if (self->config != NULL && !same_registration (self->config, config))
    dps_http_sessions_clear (self->sessions);
  g_set_object (&self->config, config);
  return TRUE;
}

DpsConfig *
dps_settings_get_config (DpsSettings *self)
{
  return self->config;
}

DpsHttpSessions *
dps_settings_get_sessions (DpsSettings *self)
{
  return self->sessions;
}

DpsRefusal *
dps_settings_get_refusal (DpsSettings *self)
{
  return self->refusal;
}

const GError *
dps_settings_get_error (DpsSettings *self)
{
  return self->error;
}

DpsFailureKind
dps_settings_failure_kind (const GError *error)
{
  if (g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_CONFIGURED))
    return DPS_FAILURE_NOT_CONFIGURED;
  if (g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED))
    return DPS_FAILURE_CONFIG_UNSUPPORTED;
  return DPS_FAILURE_CONFIG_INVALID;
}

const char *
dps_settings_get_plugin_host (DpsSettings *self)
{
  return self->plugin_host;
}

const char *
dps_settings_get_plugin_dir (DpsSettings *self)
{
  return self->plugin_dir;
}
