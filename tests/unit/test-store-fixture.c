/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-store-fixture.h"

#include "common/dps-io.h"
#include "store/dps-host-sealer.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static guint n_warnings;

/* Warnings are part of what is promised here, so they are counted, not fatal. */
static GLogWriterOutput
count_warnings (GLogLevelFlags level,
                const GLogField *fields,
                gsize n_fields,
                gpointer data)
{
  g_assert_false (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL));
  if (level & G_LOG_LEVEL_WARNING)
    n_warnings++;
  return G_LOG_WRITER_HANDLED;
}

guint
store_fixture_take_warnings (void)
{
  guint n = n_warnings;

  n_warnings = 0;
  return n;
}

void
store_fixture_set_up (StoreFixture *f, gconstpointer data)
{
  static gsize once;

  if (g_once_init_enter (&once))
    {
      g_log_set_writer_func (count_warnings, NULL, NULL);
      dps_secret_init ();
      g_once_init_leave (&once, 1);
    }
  /* In memory where that can be had: some thousand points are tried. */
  f->path = g_build_filename (access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/run",
                              "dps-test.store.XXXXXX",
                              NULL);
  g_assert_nonnull (g_mkdtemp (f->path));
  f->dir_fd = open (f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (f->dir_fd, >=, 0);
  f->sealer = dps_host_sealer_new ();
  store_fixture_open (f);
  store_fixture_take_warnings ();
}

static int
remove_entry (const char *path, const struct stat *st, int flag, struct FTW *walk)
{
  return remove (path);
}

void
store_fixture_remove_tree (const char *path)
{
  g_assert_cmpint (nftw (path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), ==, 0);
}

static void
copy_file (const char *from, const char *to, mode_t mode)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  dps_autofd fd = -1;
  gsize size;

  g_assert_true (g_file_get_contents (from, &data, &size, &error));
  fd = dps_open_at (AT_FDCWD, to, O_WRONLY | O_CREAT | O_EXCL, mode & 07777, &error);
  g_assert_no_error (error);
  g_assert_true (dps_write_all (fd, data, size, &error));
}

void
store_fixture_copy_tree (const char *from, const char *to)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;
  struct stat st;

  g_assert_cmpint (stat (from, &st), ==, 0);
  if (!S_ISDIR (st.st_mode))
    {
      copy_file (from, to, st.st_mode);
      return;
    }
  g_assert_cmpint (mkdir (to, st.st_mode & 07777), ==, 0);
  dir = g_dir_open (from, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *source = g_build_filename (from, name, NULL);
      g_autofree char *target = g_build_filename (to, name, NULL);

      store_fixture_copy_tree (source, target);
    }
}

void
store_fixture_tear_down (StoreFixture *f, gconstpointer data)
{
  store_fixture_close (f);
  g_clear_object (&f->sealer);
  dps_close_fd (&f->dir_fd);
  store_fixture_remove_tree (f->path);
  g_free (f->path);
}

void
store_fixture_open (StoreFixture *f)
{
  g_autoptr (GError) error = NULL;

  f->store = dps_store_open (f->path, f->sealer, &error);
  g_assert_no_error (error);
}

void
store_fixture_close (StoreFixture *f)
{
  g_clear_object (&f->store);
}

void
store_fixture_reopen (StoreFixture *f)
{
  store_fixture_close (f);
  store_fixture_open (f);
}

void
store_fixture_commit (StoreFixture *f, const char *text)
{
  g_autoptr (DpsSecret) payload = dps_secret_new (text, strlen (text));
  g_autoptr (GError) error = NULL;

  dps_store_commit (f->store, payload, &error);
  g_assert_no_error (error);
}

void
store_fixture_assert_load (StoreFixture *f,
                           const char *text,
                           guint64 generation,
                           gboolean is_newest)
{
  g_autoptr (DpsSecret) payload = NULL;
  g_autoptr (GError) error = NULL;
  guint64 number = 0;
  gboolean newest = !is_newest;

  payload = dps_store_load (f->store, &number, &newest, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (dps_secret_data (payload),
                   dps_secret_size (payload),
                   text,
                   strlen (text));
  g_assert_cmpuint (number, ==, generation);
  g_assert_cmpint (newest, ==, is_newest);
}

void
store_fixture_assert_load_fails (StoreFixture *f, DpsError code, const char *text)
{
  g_autoptr (GError) error = NULL;
  guint64 number = 77;
  gboolean newest = 77;

  g_assert_null (dps_store_load (f->store, &number, &newest, &error));
  g_assert_error (error, DPS_ERROR, (int) code);
  if (strstr (error->message, text) == NULL)
    g_error ("'%s' does not say '%s'", error->message, text);
  g_assert_cmpuint (number, ==, 77);
  g_assert_cmpint (newest, ==, 77);
}

void
store_fixture_assert_commit_fails (StoreFixture *f, DpsError code)
{
  g_autoptr (DpsSecret) payload = dps_secret_new ("x", 1);
  g_autoptr (GError) error = NULL;

  g_assert_false (dps_store_commit (f->store, payload, &error));
  g_assert_error (error, DPS_ERROR, (int) code);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

void
store_fixture_assert_names (StoreFixture *f, const char *below, const char *names)
{
  g_autofree char *path = g_build_filename (f->path, below, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *joined = NULL;
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (found, g_strdup (name));
  g_ptr_array_sort (found, compare_names);
  g_ptr_array_add (found, NULL);
  joined = g_strjoinv (" ", (char **) found->pdata);
  g_assert_cmpstr (joined, ==, names);
}

GBytes *
store_fixture_read (StoreFixture *f, const char *name)
{
  g_autoptr (GError) error = NULL;
  GBytes *bytes = dps_read_file_at (f->dir_fd, name, 1 << 20, &error);

  g_assert_no_error (error);
  return bytes;
}

void
store_fixture_write (StoreFixture *f, const char *name, const void *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  dps_autofd fd =
      dps_open_at (f->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600, &error);

  g_assert_no_error (error);
  g_assert_true (dps_write_all (fd, data, size, &error));
}
