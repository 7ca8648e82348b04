/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-setup.h"
#include "core/dps-plugin-confinement.h"
#include "tpm/dps-tpm-device.h"

/* The name under which a plugin gets key-file= or an imported key. */
#define KEY_SECRET "key"
#define LINGER_MS (10 * 1000)

/* Passwords that only the plugin tpm gets. */
static const struct
{
  DpsConfigId id;
  const char *name;
} tpm_secrets[] = {
  { DPS_CONFIG_TPM_OWNER_AUTH_FILE, "owner-auth" },
  { DPS_CONFIG_TPM_ENDORSEMENT_AUTH_FILE, "endorsement-auth" },
  { DPS_CONFIG_TPM_SRK_AUTH_FILE, "srk-auth" },
};

static gboolean
is_tpm (const char *plugin)
{
  return g_str_equal (plugin, "tpm");
}

/* Where the configuration names the file. */
static gboolean
read_into (GHashTable *secrets,
           DpsConfig *config,
           DpsConfigId id,
           const char *name,
           GError **error)
{
  DpsSecret *secret;

  if (dps_config_get_string (config, id) == NULL)
    return TRUE;
  secret = dps_config_read_secret (config, id, error);
  if (secret == NULL)
    return FALSE;
  g_hash_table_replace (secrets, g_strdup (name), secret);
  return TRUE;
}

static gboolean
read_tpm_secrets (GHashTable *secrets, DpsConfig *config, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (tpm_secrets); i++)
    if (!read_into (secrets, config, tpm_secrets[i].id, tpm_secrets[i].name, error))
      return FALSE;
  return TRUE;
}

static GHashTable *
read_secrets (DpsConfig *config,
              const char *plugin,
              DpsSecret *imported_key,
              GError **error)
{
  g_autoptr (GHashTable) secrets =
      dps_config_read_secrets_of (config,
                                  plugin,
                                  imported_key != NULL ? KEY_SECRET : NULL,
                                  error);

  if (secrets == NULL)
    return NULL;
  /* One plugin's key is no business of another; a TPM has its own. */
  if (is_tpm (plugin))
    {
      if (!read_tpm_secrets (secrets, config, error))
        return NULL;
    }
  else if (imported_key != NULL)
    g_hash_table_replace (secrets, g_strdup (KEY_SECRET), dps_secret_ref (imported_key));
  else if (g_str_equal (plugin, "symmetric-key") &&
           !read_into (secrets, config, DPS_CONFIG_KEY_FILE, KEY_SECRET, error))
    return NULL;
  return g_steal_pointer (&secrets);
}

static int
open_tpm (gpointer tcti, GError **error)
{
  return dps_tpm_device_open (tcti, error);
}

static DpsPluginRunner *
make_runner (DpsSettings *settings, DpsConfig *config, const char *plugin)
{
  DpsPluginRunner *runner =
      dps_plugin_runner_new (dps_settings_get_plugin_host (settings),
                             dps_settings_get_plugin_dir (settings),
                             plugin);

  dps_plugin_runner_set_allow_unix (
      runner,
      dps_plugin_confinement_grants_unix (plugin,
                                          dps_config_get_string (config,
                                                                 DPS_CONFIG_X509_KEY)));
  dps_plugin_runner_set_linger (runner, LINGER_MS);
  if (is_tpm (plugin))
    dps_plugin_runner_set_tpm (runner,
                               open_tpm,
                               g_strdup (
                                   dps_config_get_string (config, DPS_CONFIG_TPM_TCTI)),
                               g_free);
  return runner;
}

DpsPluginSetup *
dps_plugin_setup_read (DpsSettings *settings,
                       DpsConfig *config,
                       const char *plugin,
                       DpsSecret *imported_key,
                       DpsFailure **failure)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) secrets = read_secrets (config, plugin, imported_key, &error);
  DpsPluginSetup *self;

  if (secrets == NULL)
    {
      *failure = dps_failure_new_from_error (DPS_FAILURE_SECRET_FILE, error);
      return NULL;
    }
  self = g_new0 (DpsPluginSetup, 1);
  g_atomic_ref_count_init (&self->refs);
  self->runner = make_runner (settings, config, plugin);
  self->settings = dps_config_dup_settings_of (config, plugin);
  self->secrets = g_steal_pointer (&secrets);
  return self;
}

DpsPluginSetup *
dps_plugin_setup_ref (DpsPluginSetup *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_plugin_setup_unref (DpsPluginSetup *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_object_unref (self->runner);
  g_hash_table_unref (self->settings);
  g_hash_table_unref (self->secrets);
  g_free (self);
}

gboolean
dps_plugin_setup_is_for (const DpsPluginSetup *self, const char *plugin)
{
  return g_str_equal (dps_plugin_runner_get_name (self->runner), plugin);
}
