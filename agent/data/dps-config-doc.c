/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-keys.h"
#include "data/dps-roff.h"

#include <stdio.h>
#include <string.h>

/* Build-time generator: writes the documents that come from the configuration table.
 *
 *   dps-config-doc example         the example file
 *   dps-config-doc man TEMPLATE    TEMPLATE with @OPTIONS@ and @VERSION@ filled in
 */

#define EXAMPLE_WIDTH 78

static gboolean
belongs_to (DpsConfigId id, const DpsConfigGroup *group)
{
  return g_str_equal (dps_config_key (id)->group, group->name);
}

/* Wraps text at EXAMPLE_WIDTH as comment lines. */
static void
append_comment (GString *out, const char *text)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  gsize column = 0;

  for (guint i = 0; words[i] != NULL; i++)
    {
      if (column > 0 && column + 1 + strlen (words[i]) > EXAMPLE_WIDTH)
        {
          g_string_append_c (out, '\n');
          column = 0;
        }
      g_string_append (out, column == 0 ? "# " : " ");
      g_string_append (out, words[i]);
      column += strlen (words[i]) + (column == 0 ? 2 : 1);
    }
  g_string_append_c (out, '\n');
}

/* Keys are behind "#" without a space, so that they differ from what explains them. */
static void
append_example_key (GString *out, const DpsConfigKey *key)
{
  g_autofree char *values = dps_config_key_describe_values (key);
  g_autofree char *form = g_strdup_printf ("Value: %s.", values);

  g_string_append_c (out, '\n');
  append_comment (out, key->text);
  if (key->type != DPS_CONFIG_TYPE_STRING)
    append_comment (out, form);
  if (key->lacks != NULL)
    {
      g_autofree char *note =
          g_strdup_printf ("Not yet: this version does not %s.", key->lacks);

      append_comment (out, note);
    }
  g_string_append_printf (out,
                          "#%s=%s\n",
                          key->key,
                          key->fallback != NULL ? key->fallback : "");
}

static void
append_example (GString *out)
{
  gsize n;
  const DpsConfigGroup *groups = dps_config_groups (&n);

  append_comment (out,
                  "Example configuration of dps-agent with every key and its default. Put"
                  " what your site needs into a file of its own, say site.conf, in"
                  " /etc/dps-agent/agent.conf.d; see dps-agent.conf(5).");
  for (gsize i = 0; i < n; i++)
    {
      gboolean pattern = dps_config_group_is_pattern (groups[i].name);

      g_string_append_c (out, '\n');
      append_comment (out, groups[i].text);
      g_string_append_printf (out,
                              "%s[%s%s]\n",
                              pattern ? "#" : "",
                              groups[i].name,
                              pattern ? " NAME" : "");
      for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
        if (belongs_to (id, &groups[i]))
          append_example_key (out, dps_config_key (id));
    }
}

static void
append_man_key (GString *out, const DpsConfigKey *key)
{
  g_autofree char *values = dps_config_key_describe_values (key);
  g_autofree char *name = dps_roff_escape (key->key);
  g_autofree char *text = dps_roff_escape (key->text);
  g_autofree char *form = dps_roff_escape (values);

  g_string_append_printf (out, ".TP\n.BR %s =\n%s\n", name, text);
  if (key->type != DPS_CONFIG_TYPE_STRING)
    g_string_append_printf (out, "Value: %s.\n", form);
  if (key->fallback != NULL)
    {
      g_autofree char *fallback = dps_roff_escape (key->fallback);

      g_string_append_printf (out, "Default:\n.BR %s .\n", fallback);
    }
  if (key->lacks != NULL)
    {
      g_autofree char *lacks = dps_roff_escape (key->lacks);

      g_string_append_printf (out, ".I Not yet:\nthis version does not %s.\n", lacks);
    }
}

static char *
make_man_options (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  gsize n;
  const DpsConfigGroup *groups = dps_config_groups (&n);

  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *name = dps_roff_escape (groups[i].name);
      g_autofree char *text = dps_roff_escape (groups[i].text);

      g_string_append_printf (out,
                              ".SS [%s%s]\n%s\n",
                              name,
                              dps_config_group_is_pattern (groups[i].name) ? " NAME" : "",
                              text);
      for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
        if (belongs_to (id, &groups[i]))
          append_man_key (out, dps_config_key (id));
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

int
main (int argc, char **argv)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  if (argc == 2 && g_str_equal (argv[1], "example"))
    append_example (out);
  else if (argc != 3 || !g_str_equal (argv[1], "man"))
    {
      fprintf (stderr, "usage: %s example | man TEMPLATE\n", argv[0]);
      return 2;
    }
  else if (!dps_roff_fill (out, argv[2], "@OPTIONS@\n", make_man_options (), &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  return fputs (out->str, stdout) < 0 || fflush (stdout) != 0;
}
