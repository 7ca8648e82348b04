/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-store-fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sched.h>
#include <fcntl.h>
#include <unistd.h>

/* What the state directory may hold or be beside what the store put there. */

#define STRAYS 10000
#define FALSE_GENERATIONS 500

static guint
open_files (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static guint
count_names (StoreFixture *f, const char *below)
{
  g_autofree char *path = g_build_filename (f->path, below, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* Names as others give them, and ones that are nearly the store's own. Only the last form
 * is: a temporary, for the store to sweep. */
static const struct
{
  const char *before;
  int digits;
  const char *behind;
} forms[] = {
  { "stray-", 1, "" },      { "gen-", 1, "" },
  { "gen-", 9, "" },        { "gen-", 1, "00000000000000000000" },
  { "gen-", 8, ".1" },      { "gen-", 7, "x" },
  { "gen-", 8, "~" },       { "gen--", 7, "" },
  { "gen-+", 7, "" },       { "gen- ", 7, "" },
  { "GEN-", 8, "" },        { ".tmp", 1, "" },
  { "intent.", 1, "" },     { "lock", 1, "" },
  { "host.share.", 1, "" }, { ".tmp-gen-", 8, "" },
};
G_STATIC_ASSERT (STRAYS % G_N_ELEMENTS (forms) == 0);

#define SWEPT (STRAYS / G_N_ELEMENTS (forms))

static char *
stray_name (guint i)
{
  guint form = i % G_N_ELEMENTS (forms);

  return g_strdup_printf ("%s%0*u%s",
                          forms[form].before,
                          forms[form].digits,
                          i,
                          forms[form].behind);
}

static void
put_empty (int dir_fd, const char *name)
{
  g_assert_cmpint (mknodat (dir_fd, name, S_IFREG | 0600, 0), ==, 0);
}

/* Room for six descriptors more than are open. */
static struct rlimit
limit_files (guint open)
{
  struct rlimit limit;
  struct rlimit few;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  few = (struct rlimit){ open + 6, limit.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
  return limit;
}

/* With room for few descriptors, and none kept. */
static void
test_strays (StoreFixture *f, gconstpointer data)
{
  guint before = open_files ();
  struct rlimit limit;

  for (guint i = 0; i < STRAYS; i++)
    {
      g_autofree char *name = stray_name (i);

      put_empty (f->dir_fd, name);
    }
  limit = limit_files (before);
  store_fixture_reopen (f);
  for (guint i = 1; i <= 3; i++)
    {
      store_fixture_commit (f, "among many");
      store_fixture_assert_load (f, "among many", i, TRUE);
    }
  g_assert_true (dps_store_reset (f->store, NULL));
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_PROVISIONED, f->path);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpuint (open_files (), ==, before);
  /* And the lock. */
  g_assert_cmpuint (count_names (f, "."), ==, STRAYS - SWEPT + 1);
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

/* What has the name of a generation and is none is set aside, however many there are and
 * whatever lies there already; a number that was seen anywhere is not given again. */
static void
test_false_generations (StoreFixture *f, gconstpointer data)
{
  guint before = open_files ();
  struct rlimit limit;
  int quarantine;

  store_fixture_commit (f, "kept");
  g_assert_cmpint (mkdirat (f->dir_fd, "quarantine", 0700), ==, 0);
  quarantine = openat (f->dir_fd, "quarantine", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (quarantine, >=, 0);
  for (guint i = 0; i < STRAYS; i++)
    {
      g_autofree char *name = stray_name (i);

      put_empty (quarantine, name);
    }
  for (guint i = 0; i < FALSE_GENERATIONS; i++)
    {
      g_autofree char *name = g_strdup_printf ("gen-%08u", 2 * i + 3);

      put_empty (f->dir_fd, name);
      if (i % 2 == 0)
        put_empty (quarantine, name);
    }
  put_empty (f->dir_fd, "gen-00000000");
  put_empty (quarantine, "gen-00000000");
  put_empty (quarantine, "gen-99990000");
  close (quarantine);

  limit = limit_files (before);
  store_fixture_reopen (f);
  store_fixture_assert_load (f, "kept", 1, FALSE);
  g_assert_cmpuint (store_fixture_take_warnings (), >=, FALSE_GENERATIONS);
  store_fixture_assert_names (f,
                              ".",
                              "gen-00000000 gen-00000001 host.share lock quarantine");
  g_assert_cmpuint (count_names (f, "quarantine"),
                    ==,
                    STRAYS + FALSE_GENERATIONS + FALSE_GENERATIONS / 2 + 2);
  store_fixture_commit (f, "next");
  store_fixture_assert_load (f, "next", 99990001, TRUE);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpuint (open_files (), ==, before);
  g_assert_true (dps_store_reset (f->store, NULL));
  store_fixture_assert_names (f, ".", "gen-00000000 lock");
}

static void
put_special (StoreFixture *f, const char *name, const char *kind)
{
  int failed = -1;

  unlinkat (f->dir_fd, name, 0);
  if (g_str_equal (kind, "link"))
    failed = symlinkat ("elsewhere", f->dir_fd, name);
  else if (g_str_equal (kind, "fifo"))
    failed = mkfifoat (f->dir_fd, name, 0600);
  else if (g_str_equal (kind, "directory"))
    failed = mkdirat (f->dir_fd, name, 0700);
  else if (g_str_equal (kind, "device"))
    failed = mknodat (f->dir_fd, name, S_IFCHR | 0600, makedev (1, 5));
  g_assert_cmpint (failed, ==, 0);
}

static void
take_special (StoreFixture *f, const char *name, const char *kind)
{
  int flags = g_str_equal (kind, "directory") ? AT_REMOVEDIR : 0;

  g_assert_cmpint (unlinkat (f->dir_fd, name, flags), ==, 0);
}

/* Nothing that is no file is followed, waited for or read from; what was stored is served
 * again once it is away. */
static void
test_special (StoreFixture *f, gconstpointer data)
{
  const char *kind = data;
  static const char *const names[] = { "gen-00000001", "host.share" };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) record = NULL;

  store_fixture_commit (f, "kept");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GBytes) good = store_fixture_read (f, names[i]);

      put_special (f, names[i], kind);
      store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "dpsctl reset --yes");
      take_special (f, names[i], kind);
      store_fixture_write (f,
                           names[i],
                           g_bytes_get_data (good, NULL),
                           g_bytes_get_size (good));
      store_fixture_assert_load (f, "kept", 1, TRUE);
    }
  put_special (f, "intent", kind);
  record = dps_store_read_intent (f->store, &error);
  g_assert_no_error (error);
  g_assert_null (record);
}

/* In a mount namespace of its own; 0 = as it should be. */
static int
serve_read_only (StoreFixture *f)
{
  if (unshare (CLONE_NEWNS) < 0 ||
      mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
      mount (f->path, f->path, NULL, MS_BIND, NULL) < 0 ||
      mount (NULL, f->path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
    return 77;
  store_fixture_open (f);
  g_assert_true (dps_store_is_read_only (f->store));
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 1);
  store_fixture_assert_load (f, "kept", 2, TRUE);
  {
    g_autoptr (DpsSecret) payload = dps_secret_new ("new", 3);
    g_autoptr (GError) error = NULL;

    g_assert_false (dps_store_commit (f->store, payload, &error));
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_READ_ONLY);
    g_assert_nonnull (strstr (error->message, f->path));
    g_assert_false (dps_store_reset (f->store, NULL));
  }
  store_fixture_assert_load (f, "kept", 2, TRUE);
  return 0;
}

static void
test_read_only (StoreFixture *f, gconstpointer data)
{
  int status;
  pid_t child;

  store_fixture_commit (f, "older");
  store_fixture_commit (f, "kept");
  store_fixture_close (f);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    _exit (serve_read_only (f));
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  store_fixture_open (f);
  if (WEXITSTATUS (status) == 77)
    {
      g_test_skip ("no mount namespace can be had here");
      return;
    }
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  store_fixture_assert_names (f, ".", "gen-00000001 gen-00000002 host.share lock");
  store_fixture_assert_load (f, "kept", 2, TRUE);
}

static void
add (const char *path, gconstpointer data, void (*test) (StoreFixture *, gconstpointer))
{
  g_test_add (path,
              StoreFixture,
              data,
              store_fixture_set_up,
              test,
              store_fixture_tear_down);
}

int
main (int argc, char **argv)
{
  static const char *const kinds[] = { "link", "fifo", "directory", "device" };

  g_test_init (&argc, &argv, NULL);
  add ("/store/place/strays", NULL, test_strays);
  add ("/store/place/false-generations", NULL, test_false_generations);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *path = g_strconcat ("/store/place/special/", kinds[i], NULL);

      add (path, kinds[i], test_special);
    }
  add ("/store/place/read-only", NULL, test_read_only);
  return g_test_run ();
}
