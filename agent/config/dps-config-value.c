/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-value.h"
#include "common/dps-error.h"
#include "common/dps-name.h"
#include "config/dps-config-address.h"

#include <gio/gio.h>
#include <string.h>

#define CREDENTIAL_NAME_MAX 64

/* <tenant> or [ID Scope]; [fd00::1] has only what addresses are made of. */
static gboolean
has_bracketed_words (const char *value, char open, char close)
{
  const char *begin = strchr (value, open);
  const char *end = begin != NULL ? strchr (begin, close) : NULL;

  if (end == NULL)
    return FALSE;
  for (const char *p = begin + 1; p < end; p++)
    if (!g_ascii_isxdigit (*p) && strchr (":.%", *p) == NULL)
      return TRUE;
  return FALSE;
}

/* 0neXXXXXXXX: four in a row anywhere, or a whole word of three. */
static gboolean
has_row_of_x (const char *value)
{
  for (const char *p = value; *p != '\0'; p++)
    {
      gsize row = strspn (p, "xX");
      gboolean whole_word =
          (p == value || !g_ascii_isalnum (p[-1])) && !g_ascii_isalnum (p[row]);

      if (row >= 4 || (row == 3 && whole_word))
        return TRUE;
      if (row > 0)
        p += row - 1;
    }
  return FALSE;
}

gboolean
dps_config_is_placeholder (const char *value)
{
  g_autofree char *lower = g_ascii_strdown (value, -1);

  return has_bracketed_words (lower, '<', '>') || has_bracketed_words (lower, '[', ']') ||
         strstr (lower, "${") != NULL || strstr (lower, "{{") != NULL ||
         g_str_has_prefix (lower, "your-") || g_str_has_prefix (lower, "your_") ||
         g_str_has_prefix (lower, "your ") || g_str_has_prefix (lower, "/path/to/") ||
         strstr (lower, "changeme") != NULL || has_row_of_x (lower);
}

gboolean
dps_config_value_is_yes (const char *value)
{
  return g_str_equal (value, "yes") || g_str_equal (value, "true");
}

const char *
dps_config_credential_name (const char *value)
{
  if (!g_str_has_prefix (value, DPS_CONFIG_CREDENTIAL))
    return NULL;
  return value + strlen (DPS_CONFIG_CREDENTIAL);
}

gboolean
dps_config_is_key_uri (const char *value)
{
  return g_str_has_prefix (value, DPS_CONFIG_PKCS11) ||
         g_str_has_prefix (value, DPS_CONFIG_HANDLE);
}

static gboolean
is_credential_name (const char *name)
{
  gsize size = strlen (name);

  if (size == 0 || size > CREDENTIAL_NAME_MAX || g_str_equal (name, ".") ||
      g_str_equal (name, ".."))
    return FALSE;
  for (const char *p = name; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && strchr ("._-", *p) == NULL)
      return FALSE;
  return TRUE;
}

static gboolean
is_one_of (const char *values, const char *value)
{
  g_auto (GStrv) list = g_strsplit (values, "|", -1);

  return g_strv_contains ((const char *const *) list, value);
}

static gboolean
refuse (const char *what, const char *remedy, GError **error)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT, "%s; %s", what, remedy);
  return FALSE;
}

static gboolean
check_file (const char *value, GError **error)
{
  const char *name = dps_config_credential_name (value);

  if (name != NULL && !is_credential_name (name))
    return refuse ("the credential's name is not usable",
                   "use 1 to 64 letters, digits and . _ -, as in LoadCredential=",
                   error);
  if (name == NULL && *value != '/')
    return refuse ("the value is no absolute path",
                   "write the path from / on, or credential:NAME; the content itself does"
                   " not belong here",
                   error);
  return TRUE;
}

/* RFC 7512: attributes of path and query alike. What is refused is not repeated. */
static gboolean
check_pkcs11 (const char *uri, GError **error)
{
  g_auto (GStrv) attributes =
      g_strsplit_set (uri + strlen (DPS_CONFIG_PKCS11), ";?&", -1);

  for (gsize i = 0; attributes[i] != NULL; i++)
    if (g_ascii_strncasecmp (attributes[i], "pin-value", 9) == 0 ||
        g_ascii_strncasecmp (attributes[i], "pin-source", 10) == 0)
      return refuse ("the URI has a PIN or names one",
                     "put the PIN into a file and write passphrase-file=",
                     error);
  return TRUE;
}

static gboolean
check_key (const char *value, GError **error)
{
  if (g_str_has_prefix (value, DPS_CONFIG_PKCS11))
    return check_pkcs11 (value, error);
  if (g_str_has_prefix (value, DPS_CONFIG_HANDLE))
    return g_regex_match_simple ("^handle:0x81[0-9a-f]{6}$",
                                 value,
                                 G_REGEX_CASELESS | G_REGEX_DOLLAR_ENDONLY,
                                 0) ||
           refuse ("the value is no persistent handle of a TPM",
                   "write handle:0x81 and six more hexadecimal digits, as"
                   " 'tpm2_getcap handles-persistent' shows them",
                   error);
  if (*value != '/' && dps_config_credential_name (value) == NULL)
    return refuse ("the value is neither an absolute path nor the URI of a key",
                   "write the path from / on, credential:NAME, or a"
                   " pkcs11: or handle: URI; the key itself does not belong here",
                   error);
  return check_file (value, error);
}

static gboolean
check_type (const DpsConfigKey *key, const char *value, GError **error)
{
  g_autofree char *form = dps_config_key_describe_values (key);
  g_autofree char *remedy = g_strdup_printf ("write %s", form);

  switch (key->type)
    {
    case DPS_CONFIG_TYPE_BOOLEAN:
      if (!is_one_of ("yes|no|true|false", value))
        return refuse ("the value is neither yes nor no", remedy, error);
      return TRUE;
    case DPS_CONFIG_TYPE_UINT:
      if (!g_ascii_string_to_unsigned (value, 10, key->min, key->max, NULL, NULL))
        return refuse ("the value is no number in its range", remedy, error);
      return TRUE;
    case DPS_CONFIG_TYPE_ENUM:
      if (!is_one_of (key->values, value))
        return refuse ("the value is not known", remedy, error);
      return TRUE;
    case DPS_CONFIG_TYPE_PLUGIN:
      if (!dps_name_check_plugin (value, NULL))
        return refuse ("the value is no plugin's name", remedy, error);
      return TRUE;
    case DPS_CONFIG_TYPE_ADDRESSES:
      {
        g_auto (GStrv) list = dps_config_parse_addresses (value, NULL, error);

        return list != NULL;
      }
    case DPS_CONFIG_TYPE_FILE:
    case DPS_CONFIG_TYPE_SECRET:
      return check_file (value, error);
    case DPS_CONFIG_TYPE_KEY:
      return check_key (value, error);
    case DPS_CONFIG_TYPE_STRING:
    default:
      return TRUE;
    }
}

static gboolean
check_support (const DpsConfigKey *key, const char *value, GError **error)
{
  if (key->lacks == NULL || dps_config_is_default (key, value) ||
      (key->type == DPS_CONFIG_TYPE_PLUGIN && !is_one_of (key->values, value)))
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_SUPPORTED,
               "this version does not %s; remove the line",
               key->lacks);
  return FALSE;
}

gboolean
dps_config_check_value (const DpsConfigKey *key, const char *value, GError **error)
{
  if (dps_config_is_placeholder (value))
    return refuse ("the value is a placeholder from an example",
                   "write the real one, or remove the line",
                   error);
  return check_type (key, value, error) && check_support (key, value, error);
}
