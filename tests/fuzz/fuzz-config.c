/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-keys.h"
#include "config/dps-config-parse.h"
#include "config/dps-config-value.h"
#include "target.h"

#include <string.h>

/* A configuration file. What was read, written and read again is the same, and the table
 * judges every value without repeating it. */

static char *
write_entries (GPtrArray *entries)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < entries->len; i++)
    {
      const DpsConfigEntry *entry = entries->pdata[i];

      g_assert_true (g_utf8_validate (entry->group, -1, NULL));
      if (entry->key == NULL)
        g_string_append_printf (text, "[%s]\n", entry->group);
      else
        g_string_append_printf (text, "%s=%s\n", entry->key, entry->value);
    }
  return g_string_free (text, FALSE);
}

static void
judge (const DpsConfigEntry *entry)
{
  g_autoptr (GError) error = NULL;
  const char *group = dps_config_find_group (entry->group);
  DpsConfigId id;

  if (entry->key == NULL || *entry->value == '\0' || group == NULL ||
      !dps_config_find_key (group, entry->key, &id) ||
      dps_config_check_value (dps_config_key (id), entry->value, &error))
    return;
  g_assert_nonnull (error);
  if (strlen (entry->value) > 64)
    g_assert_null (strstr (error->message, entry->value));
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) entries =
      dps_config_parse ((const char *) bytes, size, "f", &error);
  g_autoptr (GPtrArray) again = NULL;
  g_autofree char *text = NULL;

  if (entries == NULL)
    {
      g_assert_nonnull (error);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return 0;
    }
  text = write_entries (entries);
  again = dps_config_parse (text, strlen (text), "f", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->len, ==, entries->len);
  for (guint i = 0; i < entries->len; i++)
    {
      const DpsConfigEntry *a = entries->pdata[i], *b = again->pdata[i];

      g_assert_cmpstr (a->group, ==, b->group);
      g_assert_cmpstr (a->key, ==, b->key);
      g_assert_cmpstr (a->value, ==, b->value);
      judge (a);
    }
  return 0;
}
