/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-list.h"
#include "common/dps-name.h"

#include <string.h>

#define SUFFIX ".so"

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GStrv
dps_plugin_list (const char *directory)
{
  g_autoptr (GDir) dir = g_dir_open (directory ? directory : DPS_PLUGIN_DIR, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *file;

  while (dir != NULL && (file = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *name = NULL;

      if (!g_str_has_suffix (file, SUFFIX))
        continue;
      name = g_strndup (file, strlen (file) - strlen (SUFFIX));
      if (dps_name_check_plugin (name, NULL))
        g_ptr_array_add (names, g_steal_pointer (&name));
    }
  g_ptr_array_sort (names, compare);
  g_ptr_array_add (names, NULL);
  return (GStrv) g_ptr_array_free (g_steal_pointer (&names), FALSE);
}

GVariant *
dps_plugin_list_describe (const char *const *names,
                          const char *directory,
                          const char *chosen,
                          const char *availability,
                          const char *reason)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(sss)"));
  if (chosen != NULL && !g_strv_contains (names, chosen))
    {
      g_autofree char *why =
          g_strdup_printf ("it is not in %s", directory ? directory : DPS_PLUGIN_DIR);

      g_variant_builder_add (&builder, "(sss)", chosen, "never", why);
    }
  for (gsize i = 0; names[i] != NULL; i++)
    {
      gboolean is_chosen = g_strcmp0 (names[i], chosen) == 0;

      g_variant_builder_add (&builder,
                             "(sss)",
                             names[i],
                             is_chosen ? availability : "unknown",
                             is_chosen ? reason : "");
    }
  return g_variant_builder_end (&builder);
}
