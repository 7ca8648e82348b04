/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "data/dps-roff.h"

char *
dps_roff_escape (const char *text)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p++)
    switch (*p)
      {
      case '\\':
        g_string_append (out, "\\e");
        break;
      case '-':
        g_string_append (out, "\\-");
        break;
      case '.':
      case '\'':
        g_string_append_printf (out, p == text ? "\\&%c" : "%c", *p);
        break;
      default:
        g_string_append_c (out, *p);
      }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

gboolean
dps_roff_fill (GString *out,
               const char *template,
               const char *mark,
               char *text,
               GError **error)
{
  g_autofree char *filling = text;
  g_autofree char *page = NULL;

  if (!g_file_get_contents (template, &page, NULL, error))
    return FALSE;
  g_string_append (out, page);
  g_string_replace (out, "@VERSION@", PACKAGE_VERSION, 0);
  if (g_string_replace (out, mark, filling, 0) == 1)
    return TRUE;
  g_set_error (error,
               G_FILE_ERROR,
               G_FILE_ERROR_INVAL,
               "%s has not one line %s",
               template,
               mark);
  return FALSE;
}
