/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-name.h"
#include "config/dps-config.h"
#include "config/dps-config-plugin.h"
#include "config/dps-config-value.h"
#include "net/dps-endpoint.h"
#include "tpm/dps-tpm-device.h"

#include <gio/gio.h>
#include <string.h>

#define ID_SCOPE_MAX 64

static gboolean
require_key (DpsConfig *self, DpsConfigId id, const char *example, GError **error)
{
  const DpsConfigKey *key = dps_config_key (id);

  if (dps_config_get_string (self, id) != NULL)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_CONFIGURED,
               "[%s] %s is not set; put %s=%s below [%s] in %s",
               key->group,
               key->key,
               key->key,
               example,
               key->group,
               dps_config_get_site_file (self));
  return FALSE;
}

static gboolean
check_id_scope (const char *scope, GError **error)
{
  gsize size = strlen (scope);

  if (size <= ID_SCOPE_MAX &&
      strspn (scope, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS) == size)
    return TRUE;
  g_set_error_literal (error,
                       DPS_ERROR,
                       DPS_ERROR_INVALID_ARGUMENT,
                       "the value is no ID scope, which has 1 to 64 letters and digits;"
                       " copy it from the DPS instance (properties.idScope)");
  return FALSE;
}

/* The form all scopes seen so far have: protocol §1.2. */
static gboolean
is_usual_id_scope (const char *scope)
{
  return g_regex_match_simple ("^0[a-z]{2}[0-9A-Za-z]{6,}$", scope, 0, 0);
}

/* Versions are dates, so their texts are in order; the preview of a date has all that the
 * version of that date has. */
static gboolean
issues_certificates (const char *version)
{
  return strncmp (version, DPS_CONFIG_API_VERSION_ISSUING, strlen ("YYYY-MM-DD")) >= 0;
}

static gboolean
check_issuing (DpsConfig *self, const char *version, GError **error)
{
  if (!dps_config_get_boolean (self, DPS_CONFIG_CERTIFICATE_ISSUANCE) ||
      issues_certificates (version))
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "this API version issues no certificates, which certificate-issuance=yes"
               " (%s) asks for; write %s, or remove one of the lines",
               dps_config_get_source (self, DPS_CONFIG_CERTIFICATE_ISSUANCE),
               DPS_CONFIG_API_VERSION_ISSUING);
  return FALSE;
}

static gboolean
check_api_version (const char *version, GError **error)
{
  if (g_regex_match_simple ("^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
                            "(-preview)?$",
                            version,
                            G_REGEX_DOLLAR_ENDONLY,
                            0))
    return TRUE;
  g_set_error_literal (error,
                       DPS_ERROR,
                       DPS_ERROR_INVALID_ARGUMENT,
                       "the value is no API version; write YYYY-MM-DD or"
                       " YYYY-MM-DD-preview, or remove the line");
  return FALSE;
}

/* RFC 5280, ub-common-name. */
#define COMMON_NAME_MAX 64u

static gboolean
check_fits_certificate (DpsConfig *self, const char *registration_id, GError **error)
{
  if (!dps_config_get_boolean (self, DPS_CONFIG_CERTIFICATE_ISSUANCE) ||
      strlen (registration_id) <= COMMON_NAME_MAX)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "the value has more than the %u characters that a certificate can name,"
               " and certificate-issuance=yes (%s) asks for one; shorten it, or remove"
               " that line",
               COMMON_NAME_MAX,
               dps_config_get_source (self, DPS_CONFIG_CERTIFICATE_ISSUANCE));
  return FALSE;
}

static gboolean
check_required (DpsConfig *self, GError **error)
{
  const char *attestation;

  if (!require_key (self,
                    DPS_CONFIG_ENDPOINT,
                    "NAME.azure-devices-provisioning.net",
                    error) ||
      !require_key (self, DPS_CONFIG_ID_SCOPE, "0ne00ABCDEF", error) ||
      !require_key (self, DPS_CONFIG_ATTESTATION, "symmetric-key", error))
    return FALSE;
  attestation = dps_config_get_string (self, DPS_CONFIG_ATTESTATION);
  if (g_str_equal (attestation, "x509"))
    return require_key (self,
                        DPS_CONFIG_X509_CERTIFICATE,
                        "/etc/dps-agent/device.crt",
                        error) &&
           require_key (self, DPS_CONFIG_X509_KEY, "/etc/dps-agent/device.key", error);
  return !g_str_equal (attestation, "symmetric-key") ||
         require_key (self, DPS_CONFIG_REGISTRATION_ID, "gateway-1", error);
}

/* The agent cannot remove a file from anywhere else. */
static gboolean
check_group_key_file (DpsConfig *self, const char *value, GError **error)
{
  const char *import_dir = dps_config_get_import_dir (self);
  g_autofree char *name = g_path_get_basename (value);
  g_autofree char *path = g_build_filename (import_dir, name, NULL);

  /* The basename of "import/" would be "import". */
  if (dps_config_credential_name (value) != NULL ||
      (g_str_equal (value, path) && !g_str_equal (name, ".") &&
       !g_str_equal (name, "..")))
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "a group key makes its reader any device of the group, so the agent"
               " removes the file once it has derived the device's key, and may do that"
               " in one directory alone; put the file there and write %s/NAME, or"
               " credential:NAME",
               import_dir);
  return FALSE;
}

static gboolean
check_one_key_file (DpsConfig *self, GError **error)
{
  if (dps_config_get_string (self, DPS_CONFIG_KEY_FILE) == NULL ||
      dps_config_get_string (self, DPS_CONFIG_GROUP_KEY_FILE) == NULL)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "[plugin symmetric-key] key-file (%s) and group-key-file (%s) exclude each"
               " other; remove one of the lines",
               dps_config_get_source (self, DPS_CONFIG_KEY_FILE),
               dps_config_get_source (self, DPS_CONFIG_GROUP_KEY_FILE));
  return FALSE;
}

static gboolean
check_tcti (const char *tcti, GError **error)
{
  g_autoptr (GError) wrong = NULL;

  if (dps_tpm_device_check (tcti, &wrong))
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "%s; write device:/dev/tpmrm0, or remove the line",
               wrong->message);
  return FALSE;
}

static gboolean
check_persist_handle (const char *handle, GError **error)
{
  if (g_str_equal (handle, "none") ||
      g_regex_match_simple ("^0x81[0-7][0-9a-f]{5}$",
                            handle,
                            G_REGEX_CASELESS | G_REGEX_DOLLAR_ENDONLY,
                            0))
    return TRUE;
  g_set_error_literal (error,
                       DPS_ERROR,
                       DPS_ERROR_INVALID_ARGUMENT,
                       "the value is no persistent handle of the owner, 0x81000000 to"
                       " 0x817fffff; write 0x81000100 as older agents do, or none");
  return FALSE;
}

static gboolean
check_one (DpsConfig *self, DpsConfigId id, GError **error)
{
  const char *value = dps_config_get_string (self, id);

  if (value == NULL)
    return TRUE;
  switch (id)
    {
    case DPS_CONFIG_ENDPOINT:
      return dps_endpoint_check (
          value,
          dps_config_get_boolean (self, DPS_CONFIG_ALLOW_GLOBAL_ENDPOINT),
          error);
    case DPS_CONFIG_ID_SCOPE:
      return check_id_scope (value, error);
    case DPS_CONFIG_REGISTRATION_ID:
      return dps_name_check_registration_id (value, error) &&
             check_fits_certificate (self, value, error);
    case DPS_CONFIG_API_VERSION:
      return check_api_version (value, error) && check_issuing (self, value, error);
    case DPS_CONFIG_TPM_TCTI:
      return check_tcti (value, error);
    case DPS_CONFIG_PERSIST_HANDLE:
      return check_persist_handle (value, error);
    case DPS_CONFIG_GROUP_KEY_FILE:
      return check_group_key_file (self, value, error);
    default:
      return TRUE;
    }
}

gboolean
dps_config_check (DpsConfig *self, GError **error)
{
  g_return_val_if_fail (DPS_IS_CONFIG (self), FALSE);

  if (!check_required (self, error) || !check_one_key_file (self, error))
    return FALSE;
  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    if (!check_one (self, id, error))
      {
        g_prefix_error (error,
                        "%s: [%s] %s: ",
                        dps_config_get_source (self, id),
                        dps_config_key (id)->group,
                        dps_config_key (id)->key);
        return FALSE;
      }
  return TRUE;
}

static void
warn (GPtrArray *warnings, DpsConfig *self, DpsConfigId id, const char *what)
{
  const DpsConfigKey *key = dps_config_key (id);

  g_ptr_array_add (warnings,
                   g_strdup_printf ("%s: [%s] %s: %s",
                                    dps_config_get_source (self, id),
                                    key->group,
                                    key->key,
                                    what));
}

static void
warn_of_idle_groups (GPtrArray *warnings, DpsConfig *self)
{
  const GPtrArray *groups = dps_config_get_plugin_groups (self);
  const char *chosen = dps_config_get_string (self, DPS_CONFIG_ATTESTATION);

  for (guint i = 0; i < groups->len; i++)
    {
      const DpsConfigPluginGroup *group = groups->pdata[i];

      if (g_strcmp0 (group->plugin, chosen) != 0)
        g_ptr_array_add (warnings,
                         g_strdup_printf ("%s: [plugin %s]: nothing reads this group, as"
                                          " attestation= is %s; correct one of the two"
                                          " names, or remove the group",
                                          group->source,
                                          group->plugin,
                                          chosen != NULL ? chosen : "not set"));
    }
}

GStrv
dps_config_dup_warnings (DpsConfig *self)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  const char *scope = dps_config_get_string (self, DPS_CONFIG_ID_SCOPE);
  const char *endpoint = dps_config_get_string (self, DPS_CONFIG_ENDPOINT);

  if (scope != NULL && !is_usual_id_scope (scope))
    warn (warnings,
          self,
          DPS_CONFIG_ID_SCOPE,
          "the value does not look like an ID scope (0ne00ABCDEF); compare it, case"
          " included, with the DPS instance");
  if (endpoint != NULL && dps_endpoint_is_global (endpoint))
    warn (warnings,
          self,
          DPS_CONFIG_ENDPOINT,
          "the global device endpoint may move data out of the region; prefer the service"
          " endpoint of your DPS");
  warn_of_idle_groups (warnings, self);
  g_ptr_array_add (warnings, NULL);
  return (GStrv) g_ptr_array_steal (warnings, NULL);
}
