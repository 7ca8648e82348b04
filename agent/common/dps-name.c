/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-name.h"
#include "common/dps-error.h"

#include <gio/gio.h>
#include <string.h>

static gboolean
invalid (GError **error, const char *what, const char *rule)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT, "%s %s", what, rule);
  return FALSE;
}

static gboolean
only_of (const char *text, const char *further)
{
  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && strchr (further, *p) == NULL)
      return FALSE;
  return TRUE;
}

gboolean
dps_name_check_registration_id (const char *id, GError **error)
{
  gsize length = strlen (id);

  if (length == 0 || length > DPS_REGISTRATION_ID_MAX)
    return invalid (error, "a registration id", "has 1 to 128 characters");
  if (!only_of (id, "-._:"))
    return invalid (error,
                    "a registration id",
                    "has only letters, digits and - . _ : (ASCII)");
  if (strchr ("._:", id[0]) != NULL || strchr ("._:", id[length - 1]) != NULL)
    return invalid (error, "a registration id", "does not begin or end with . _ or :");
  return TRUE;
}

gboolean
dps_name_check_device_id (const char *id, GError **error)
{
  gsize length = strlen (id);

  if (length == 0 || length > DPS_DEVICE_ID_MAX)
    return invalid (error, "a device id", "has 1 to 128 characters");
  if (!only_of (id, "-:.+%_#*?!(),=@$'"))
    return invalid (error, "a device id", "has a character that IoT Hub does not allow");
  return TRUE;
}

static gboolean
check_label (const char *label)
{
  gsize length = strlen (label);

  return length >= 1 && length <= 63 && only_of (label, "-") && label[0] != '-' &&
         label[length - 1] != '-';
}

gboolean
dps_name_check_host (const char *host, GError **error)
{
  g_auto (GStrv) labels = NULL;

  if (strlen (host) > 253)
    return invalid (error, "a host name", "has at most 253 characters");
  if (g_hostname_is_ip_address (host))
    return invalid (error, "a host name", "is needed, not an address");
  labels = g_strsplit (host, ".", -1);
  if (g_strv_length (labels) < 2)
    return invalid (error, "a host name", "has at least two labels");
  for (guint i = 0; labels[i] != NULL; i++)
    if (!check_label (labels[i]))
      return invalid (error,
                      "a host name",
                      "has labels of letters, digits and hyphens joined by single dots,"
                      " without scheme, port or path");
  return TRUE;
}

gboolean
dps_name_check_plugin (const char *name, GError **error)
{
  gsize length = strlen (name);

  if (length < 1 || length > 32)
    return invalid (error, "a plugin name", "has 1 to 32 characters");
  for (const char *p = name; *p != '\0'; p++)
    if (!g_ascii_islower (*p) && !g_ascii_isdigit (*p) && *p != '-')
      return invalid (error, "a plugin name", "has only a-z, 0-9 and -");
  return TRUE;
}

gboolean
dps_name_check_text (const char *text, gsize max, const char *what, GError **error)
{
  if (strlen (text) > max)
    {
      g_autofree char *rule =
          g_strdup_printf ("has at most %" G_GSIZE_FORMAT " bytes", max);

      return invalid (error, what, rule);
    }
  if (!g_utf8_validate (text, -1, NULL))
    return invalid (error, what, "is UTF-8");
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    if (g_unichar_iscntrl (g_utf8_get_char (p)))
      return invalid (error, what, "has no control characters");
  return TRUE;
}
