/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-roster.h"

#include "store/dps-durable.h"

#include <string.h>

#define PREFIX "gen-"
#define DIGITS 8

/* 0 where name is no generation's. */
static guint64
parse (const char *name, gboolean suffixes)
{
  guint64 number = 0;

  if (!g_str_has_prefix (name, PREFIX))
    return 0;
  name += strlen (PREFIX);
  for (guint i = 0; i < DIGITS; i++, name++)
    {
      if (!g_ascii_isdigit (*name))
        return 0;
      number = number * 10 + (guint64) (*name - '0');
    }
  return *name == '\0' || (suffixes && *name == '.') ? number : 0;
}

static int
newest_first (gconstpointer a, gconstpointer b)
{
  guint64 x = *(const guint64 *) a;
  guint64 y = *(const guint64 *) b;

  return x < y ? 1 : x > y ? -1 : 0;
}

GArray *
dps_roster_read (int dir_fd, gboolean suffixes, GError **error)
{
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_auto (GStrv) names = dps_durable_list (dir_fd, error);

  if (names == NULL)
    return NULL;
  for (char **name = names; *name != NULL; name++)
    {
      guint64 number = parse (*name, suffixes);

      if (number != 0)
        g_array_append_val (numbers, number);
    }
  g_array_sort (numbers, newest_first);
  for (guint i = numbers->len; i > 1; i--)
    if (g_array_index (numbers, guint64, i - 1) ==
        g_array_index (numbers, guint64, i - 2))
      g_array_remove_index (numbers, i - 1);
  return g_steal_pointer (&numbers);
}

char *
dps_roster_name (guint64 number)
{
  g_return_val_if_fail (number > 0 && number <= DPS_ROSTER_MAX, NULL);

  return g_strdup_printf (PREFIX "%08u", (guint) number);
}
