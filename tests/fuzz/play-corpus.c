/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "target.h"

/* play-corpus DIRECTORY: gives every file of it to the target; one TAP case each. */

static const char *directory;

static void
play_file (gconstpointer name)
{
  g_autofree char *path = g_build_filename (directory, name, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  g_autofree char *exact = NULL;
  gsize size;

  g_file_get_contents (path, &data, &size, &error);
  g_assert_no_error (error);
  /* Without the NUL that GLib adds, so that reading behind the end is seen. */
  exact = g_memdup2 (data, size);
  g_assert_cmpint (LLVMFuzzerTestOneInput ((const guint8 *) exact, size), ==, 0);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (*(char *const *) a, *(char *const *) b);
}

int
main (int argc, char **argv)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *name;

  g_test_init (&argc, &argv, NULL);
  if (argc != 2)
    g_error ("usage: play-corpus DIRECTORY");
  directory = argv[1];
  dir = g_dir_open (directory, 0, &error);
  g_assert_no_error (error);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_assert_cmpuint (names->len, >, 0);
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *path = g_strconcat ("/corpus/", names->pdata[i], NULL);

      g_test_add_data_func (path, names->pdata[i], play_file);
    }
  return g_test_run ();
}
