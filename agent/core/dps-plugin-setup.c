/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-setup.h"
#include "common/dps-error.h"
#include "config/dps-config-value.h"
#include "core/dps-plugin-confinement.h"
#include "tpm/dps-tpm-device.h"

#include <string.h>
#include <unistd.h>

/* The name under which a plugin gets key-file= or an imported key. */
#define KEY_SECRET "key"
#define LINGER_MS (10 * 1000)

#define TPM_KEY "-----BEGIN TSS2 PRIVATE KEY-----"

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

static gboolean
is_x509 (const char *plugin)
{
  return g_str_equal (plugin, "x509");
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

/* Public, but a plugin gets a file's content in one way alone. */
static gboolean
read_certificate (GHashTable *secrets, DpsConfig *config, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  gsize size;

  if (dps_config_get_string (config, DPS_CONFIG_X509_CERTIFICATE) == NULL)
    return TRUE;
  bytes = dps_config_read_file (config, DPS_CONFIG_X509_CERTIFICATE, error);
  if (bytes == NULL)
    return FALSE;
  size = g_bytes_get_size (bytes);
  if (size == 0 || size > DPS_CONFIG_SECRET_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "it has %" G_GSIZE_FORMAT
                   " bytes, where 1 to 16 KiB are expected; put "
                   "the device's certificate and the intermediates in it",
                   size);
      dps_config_prefix_error (config, DPS_CONFIG_X509_CERTIFICATE, error);
      return FALSE;
    }
  g_hash_table_replace (secrets,
                        g_strdup ("certificate"),
                        dps_secret_new (g_bytes_get_data (bytes, NULL), size));
  return TRUE;
}

static gboolean
is_key_file (DpsConfig *config)
{
  const char *key = dps_config_get_string (config, DPS_CONFIG_X509_KEY);

  return key != NULL && !dps_config_is_key_uri (key);
}

/* What is wrong with the file of the key, and the very command that mends it. */
static DpsFailure *
refuse_key_file (DpsConfig *config, GError *error)
{
  const char *path = dps_config_get_string (config, DPS_CONFIG_X509_KEY);
  g_autofree char *named = g_strdup_printf ("'%s' is not trusted", path);
  g_autofree char *quoted = g_shell_quote (path);

  if (!g_error_matches (error, DPS_ERROR, DPS_ERROR_ACCESS_DENIED) ||
      (dps_config_credential_name (path) == NULL && access (path, R_OK) < 0))
    return dps_failure_new_from_error (DPS_FAILURE_X509_KEY, error);
  if (strstr (error->message, named) != NULL)
    {
      char *text = g_strdup_printf ("%s: chown root:dps-agent %s && chmod 0640 %s",
                                    error->message,
                                    quoted,
                                    quoted);

      g_free (error->message);
      error->message = text;
    }
  return dps_failure_new_from_error (DPS_FAILURE_X509_KEY_FILE, error);
}

static gboolean
read_x509_secrets (GHashTable *secrets, DpsConfig *config, DpsFailure **failure)
{
  g_autoptr (GError) error = NULL;

  if (!read_certificate (secrets, config, &error))
    *failure = dps_failure_new_from_error (DPS_FAILURE_X509_CERTIFICATE, error);
  else if (is_key_file (config) &&
           !read_into (secrets, config, DPS_CONFIG_X509_KEY, KEY_SECRET, &error))
    *failure = refuse_key_file (config, error);
  else if (!read_into (secrets,
                       config,
                       DPS_CONFIG_X509_PASSPHRASE_FILE,
                       "passphrase",
                       &error))
    *failure = dps_failure_new_from_error (DPS_FAILURE_SECRET_FILE, error);
  return error == NULL;
}

/* One plugin's key is no business of another: a TPM has its own, a certificate too. */
static gboolean
read_key (GHashTable *secrets,
          DpsConfig *config,
          const char *plugin,
          DpsSecret *imported_key,
          GError **error)
{
  if (is_tpm (plugin))
    return read_tpm_secrets (secrets, config, error);
  if (imported_key != NULL)
    g_hash_table_replace (secrets, g_strdup (KEY_SECRET), dps_secret_ref (imported_key));
  else if (g_str_equal (plugin, "symmetric-key"))
    return read_into (secrets, config, DPS_CONFIG_KEY_FILE, KEY_SECRET, error);
  return TRUE;
}

/* A certificate's key may be in the TPM, at a handle or wrapped by it. */
static gboolean
needs_tpm (DpsConfig *config, const char *plugin, GHashTable *secrets)
{
  const char *key = dps_config_get_string (config, DPS_CONFIG_X509_KEY);
  DpsSecret *file = g_hash_table_lookup (secrets, KEY_SECRET);

  if (!is_x509 (plugin))
    return is_tpm (plugin);
  return (key != NULL && g_str_has_prefix (key, DPS_CONFIG_HANDLE)) ||
         (file != NULL && memmem (dps_secret_data (file),
                                  dps_secret_size (file),
                                  TPM_KEY,
                                  strlen (TPM_KEY)) != NULL);
}

/* With those passwords of the TPM that the use of a key below a parent may need. */
static gboolean
read_x509 (GHashTable *secrets, DpsConfig *config, DpsFailure **failure)
{
  g_autoptr (GError) error = NULL;

  if (!read_x509_secrets (secrets, config, failure))
    return FALSE;
  if (!needs_tpm (config, "x509", secrets) ||
      (read_into (secrets,
                  config,
                  DPS_CONFIG_TPM_OWNER_AUTH_FILE,
                  "owner-auth",
                  &error) &&
       read_into (secrets, config, DPS_CONFIG_TPM_SRK_AUTH_FILE, "srk-auth", &error)))
    return TRUE;
  *failure = dps_failure_new_from_error (DPS_FAILURE_SECRET_FILE, error);
  return FALSE;
}

static GHashTable *
read_secrets (DpsConfig *config,
              const char *plugin,
              DpsSecret *imported_key,
              DpsFailure **failure)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) secrets =
      dps_config_read_secrets_of (config,
                                  plugin,
                                  imported_key != NULL ? KEY_SECRET : NULL,
                                  &error);

  if (secrets != NULL && is_x509 (plugin))
    return read_x509 (secrets, config, failure) ? g_steal_pointer (&secrets) : NULL;
  if (secrets != NULL && read_key (secrets, config, plugin, imported_key, &error))
    return g_steal_pointer (&secrets);
  *failure = dps_failure_new_from_error (DPS_FAILURE_SECRET_FILE, error);
  return NULL;
}

static int
open_tpm (gpointer tcti, GError **error)
{
  return dps_tpm_device_open (tcti, error);
}

static DpsPluginRunner *
make_runner (DpsSettings *settings,
             DpsConfig *config,
             const char *plugin,
             GHashTable *secrets)
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
  if (is_x509 (plugin))
    {
      DpsPluginGuard guard = dps_refusal_guard (dps_settings_get_refusal (settings));

      dps_plugin_runner_set_guard (runner, &guard);
    }
  if (needs_tpm (config, plugin, secrets))
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
  g_autoptr (GHashTable) secrets = read_secrets (config, plugin, imported_key, failure);
  DpsPluginSetup *self;

  if (secrets == NULL)
    return NULL;
  self = g_new0 (DpsPluginSetup, 1);
  g_atomic_ref_count_init (&self->refs);
  self->runner = make_runner (settings, config, plugin, secrets);
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
