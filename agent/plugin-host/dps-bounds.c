/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-bounds.h"
#include "common/dps-error.h"

#include <string.h>

static gboolean
has_control (const char *text, gboolean lines)
{
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    if (g_unichar_iscntrl (g_utf8_get_char (p)) && !(lines && *p == '\n'))
      return TRUE;
  return FALSE;
}

static gboolean
rejected (GError **error, const char *what, const char *rule)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "%s %s", what, rule);
  return FALSE;
}

gboolean
dps_bounds_check_text (const char *text,
                       gsize max,
                       gboolean required,
                       gboolean lines,
                       const char *what,
                       GError **error)
{
  if (text == NULL || *text == '\0')
    return required ? rejected (error, what, "is missing") : TRUE;
  if (strnlen (text, max + 1) > max)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "%s of more than the %" G_GSIZE_FORMAT " bytes allowed",
                   what,
                   max);
      return FALSE;
    }
  if (!g_utf8_validate (text, -1, NULL))
    return rejected (error, what, "that is no UTF-8");
  if (has_control (text, lines))
    return rejected (error, what, "with control characters");
  return TRUE;
}

gboolean
dps_bounds_check_bytes (const DpsPluginBytes *bytes,
                        gsize min,
                        gsize max,
                        const char *what,
                        GError **error)
{
  if (bytes->size >= min && bytes->size <= max && (bytes->data != NULL || min == 0))
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               bytes->size > max ? DPS_ERROR_LIMITS_EXCEEDED : DPS_ERROR_REJECTED,
               "%s of %" G_GSIZE_FORMAT " bytes, where %" G_GSIZE_FORMAT
               " to %" G_GSIZE_FORMAT " are allowed",
               what,
               bytes->size,
               min,
               max);
  return FALSE;
}

gboolean
dps_bounds_check_material (char *const *material, GError **error)
{
  gsize n = 0;

  if (material == NULL)
    return TRUE;
  for (; material[n] != NULL; n++)
    {
      gboolean value = n % 2 == 1;

      if (n == 2 * DPS_PLUGIN_MATERIAL_ITEMS_MAX)
        {
          g_set_error (error,
                       DPS_ERROR,
                       DPS_ERROR_LIMITS_EXCEEDED,
                       "material of more than the %d items allowed",
                       DPS_PLUGIN_MATERIAL_ITEMS_MAX);
          return FALSE;
        }
      if (!dps_bounds_check_text (material[n],
                                  value ? DPS_PLUGIN_MATERIAL_VALUE_MAX
                                        : DPS_PLUGIN_MATERIAL_KEY_MAX,
                                  !value,
                                  value,
                                  value ? "a material value" : "a material name",
                                  error))
        return FALSE;
    }
  return n % 2 == 0 ? TRUE : rejected (error, "material", "has a name without a value");
}

void
dps_bounds_clear_bytes (DpsPluginBytes *bytes, gsize max)
{
  if (bytes->size <= max && bytes->data != NULL)
    {
      explicit_bzero (bytes->data, bytes->size);
      g_free (bytes->data);
    }
  bytes->data = NULL;
  bytes->size = 0;
}
