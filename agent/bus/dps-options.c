/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-options.h"
#include "common/dps-error.h"

#include <string.h>

static char *
list_known (const DpsOption *known, gsize n)
{
  GString *text = g_string_new (n == 0 ? "there are none" : "known are");

  for (gsize i = 0; i < n; i++)
    g_string_append_printf (text,
                            "%s '%s' (%s)",
                            i == 0 ? "" : ",",
                            known[i].name,
                            known[i].type);
  return g_string_free (text, FALSE);
}

static const DpsOption *
find (const DpsOption *known, gsize n, const char *name)
{
  for (gsize i = 0; i < n; i++)
    if (strcmp (known[i].name, name) == 0)
      return &known[i];
  return NULL;
}

gboolean
dps_options_check (GVariant *options, const DpsOption *known, gsize n, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &value))
    {
      const DpsOption *option = find (known, n, name);
      const char *what = NULL;

      if (option == NULL)
        what = "is not known";
      else if (!g_variant_is_of_type (value, G_VARIANT_TYPE (option->type)))
        what = "is of the wrong type";
      else if (!g_hash_table_add (seen, (gpointer) option->name))
        what = "is given twice";
      if (what != NULL)
        {
          g_autofree char *hint = list_known (known, n);
          g_autofree char *shown = g_strescape (name, NULL);

          g_set_error (error,
                       DPS_ERROR,
                       DPS_ERROR_INVALID_ARGUMENT,
                       "option '%.64s' %s; %s",
                       shown,
                       what,
                       hint);
          g_variant_unref (value);
          return FALSE;
        }
    }
  return TRUE;
}
