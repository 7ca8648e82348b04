/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "store/dps-durable.h"
#include "store/dps-generation.h"
#include "test-store-fixture.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* File systems that cannot do something, played by a system call filter in a child. */
typedef struct
{
  const char *name;
  gboolean no_tmpfile;
  gboolean no_link_from_proc;
  gboolean no_link_at_all;
  gboolean no_fsync;
  gboolean no_rename;
  gboolean no_read; /* of generations, told by the size of the buffer */
  int no_fsync_of;  /* a descriptor, 0 = none */
  gboolean succeeds;
} Fault;

static const Fault faults[] = {
  { "no-tmpfile", .no_tmpfile = TRUE, .succeeds = TRUE },
  { "no-link-from-proc", .no_link_from_proc = TRUE, .succeeds = TRUE },
  { "no-link", .no_link_at_all = TRUE },
  { "no-fsync", .no_fsync = TRUE },
  { "no-fsync-no-tmpfile", .no_tmpfile = TRUE, .no_fsync = TRUE },
  { "no-rename", .no_rename = TRUE, .succeeds = TRUE },
};

static void
install (const Fault *fault)
{
  scmp_filter_ctx filter = seccomp_init (SCMP_ACT_ALLOW);
  int failed = 0;

  if (fault->no_tmpfile)
    failed |= seccomp_rule_add (filter,
                                SCMP_ACT_ERRNO (EOPNOTSUPP),
                                SCMP_SYS (openat),
                                1,
                                SCMP_A2 (SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE));
  if (fault->no_link_from_proc)
    failed |= seccomp_rule_add (filter,
                                SCMP_ACT_ERRNO (ENOENT),
                                SCMP_SYS (linkat),
                                1,
                                SCMP_A4 (SCMP_CMP_EQ, AT_SYMLINK_FOLLOW));
  if (fault->no_link_at_all)
    failed |= seccomp_rule_add (filter, SCMP_ACT_ERRNO (EPERM), SCMP_SYS (linkat), 0);
  if (fault->no_fsync)
    failed |= seccomp_rule_add (filter, SCMP_ACT_ERRNO (EIO), SCMP_SYS (fsync), 0);
  if (fault->no_fsync_of > 0)
    failed |= seccomp_rule_add (filter,
                                SCMP_ACT_ERRNO (EIO),
                                SCMP_SYS (fsync),
                                1,
                                SCMP_A0 (SCMP_CMP_EQ, (scmp_datum_t) fault->no_fsync_of));
  if (fault->no_rename)
    failed |= seccomp_rule_add (filter, SCMP_ACT_ERRNO (EIO), SCMP_SYS (renameat), 0);
  if (fault->no_read)
    failed |= seccomp_rule_add (filter,
                                SCMP_ACT_ERRNO (EIO),
                                SCMP_SYS (read),
                                1,
                                SCMP_A2 (SCMP_CMP_EQ, DPS_GENERATION_FILE_MAX + 1));
  failed |= seccomp_load (filter);
  seccomp_release (filter);
  if (failed != 0)
    _exit (2);
}

/* 0 = the step succeeded, 1 = it gave an error. */
static int
run_with (const Fault *fault, gboolean (*step) (StoreFixture *), StoreFixture *f)
{
  pid_t child = fork ();
  int status;

  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      install (fault);
      _exit (step (f) ? 0 : 1);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static gboolean
commit_new (StoreFixture *f)
{
  g_autoptr (DpsSecret) payload = dps_secret_new ("new", 3);
  g_autoptr (GError) error = NULL;

  return dps_store_commit (f->store, payload, &error);
}

static gboolean
write_new_intent (StoreFixture *f)
{
  g_autoptr (GBytes) record = g_bytes_new_static ("new", 3);
  g_autoptr (GError) error = NULL;

  return dps_store_write_intent (f->store, record, &error);
}

static gboolean
reset (StoreFixture *f)
{
  g_autoptr (GError) error = NULL;

  return dps_store_reset (f->store, &error);
}

static void
test_commit (StoreFixture *f, gconstpointer data)
{
  const Fault *fault = data;

  store_fixture_commit (f, "older");
  store_fixture_commit (f, "old");
  g_assert_cmpint (run_with (fault, commit_new, f), ==, fault->succeeds ? 0 : 1);
  /* As it stands, before a new opening sweeps anything away. */
  store_fixture_assert_names (f,
                              ".",
                              fault->succeeds
                                  ? "gen-00000002 gen-00000003 host.share lock"
                                  : "gen-00000001 gen-00000002 host.share lock");
  store_fixture_assert_load (f,
                             fault->succeeds ? "new" : "old",
                             fault->succeeds ? 3 : 2,
                             TRUE);
}

static void
test_first_commit (StoreFixture *f, gconstpointer data)
{
  const Fault *fault = data;

  g_assert_cmpint (run_with (fault, commit_new, f), ==, fault->succeeds ? 0 : 1);
  store_fixture_assert_names (f,
                              ".",
                              fault->succeeds ? "gen-00000001 host.share lock" : "lock");
  if (!fault->succeeds)
    store_fixture_commit (f, "new");
  store_fixture_assert_load (f, "new", 1, TRUE);
}

/* A failed write of the intent leaves the old one, but for a directory that was not
 * synced; no temporary stays. */
static void
test_intent (StoreFixture *f, gconstpointer data)
{
  const Fault *fault = data;
  gboolean fails = fault->no_fsync || fault->no_rename;
  g_autoptr (GBytes) old = g_bytes_new_static ("old", 3);
  g_autoptr (GBytes) seen = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (dps_store_write_intent (f->store, old, &error));
  g_assert_cmpint (run_with (fault, write_new_intent, f), ==, fails ? 1 : 0);
  store_fixture_assert_names (f, ".", "intent lock");
  seen = dps_store_read_intent (f->store, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (seen, NULL),
                   g_bytes_get_size (seen),
                   fails ? "old" : "new",
                   3);
}

/* A reset whose sync fails says so and keeps the share. */
static void
test_reset (StoreFixture *f, gconstpointer data)
{
  static const Fault no_fsync = { .no_fsync = TRUE };

  store_fixture_commit (f, "old");
  g_assert_cmpint (run_with (&no_fsync, reset, f), ==, 1);
  store_fixture_assert_names (f, ".", "host.share lock");
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_PROVISIONED, f->path);
}

static gboolean
load_nothing (StoreFixture *f)
{
  store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "does not come back");
  return store_fixture_take_warnings () == 2;
}

/* What the disk does not give back now is not moved, and served again once it does. */
static void
test_unreadable_now (StoreFixture *f, gconstpointer data)
{
  static const Fault no_read = { .no_read = TRUE };

  store_fixture_commit (f, "older");
  store_fixture_commit (f, "old");
  g_assert_cmpint (run_with (&no_read, load_nothing, f), ==, 0);
  store_fixture_assert_names (f, ".", "gen-00000001 gen-00000002 host.share lock");
  store_fixture_assert_load (f, "old", 2, TRUE);
}

static gboolean
create_one (StoreFixture *f)
{
  g_autoptr (GError) error = NULL;

  return dps_durable_create (f->dir_fd, "file", "new", 3, &error);
}

/* Linked, but perhaps not on the disk: taken away again, since an error was reported. */
static void
test_create_unsynced (StoreFixture *f, gconstpointer data)
{
  Fault fault = { .no_fsync_of = f->dir_fd };

  g_assert_cmpint (run_with (&fault, create_one, f), ==, 1);
  store_fixture_assert_names (f, ".", "lock");
}

static gboolean
create_over_file (StoreFixture *f)
{
  g_autoptr (GError) error = NULL;

  return dps_durable_create (f->dir_fd, "file", "new", 3, &error) ||
         !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
}

static void
test_create_never_overwrites (StoreFixture *f, gconstpointer data)
{
  static const char *const kinds[] = { "file", "link", "dangling", "directory" };
  g_autoptr (GBytes) seen = NULL;

  store_fixture_write (f, "file", "kept", 4);
  g_assert_cmpint (symlinkat ("file", f->dir_fd, "link"), ==, 0);
  g_assert_cmpint (symlinkat ("nowhere", f->dir_fd, "dangling"), ==, 0);
  g_assert_cmpint (mkdirat (f->dir_fd, "directory", 0700), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (dps_durable_create (f->dir_fd, kinds[i], "new", 3, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
    }
  g_assert_cmpint (run_with (&faults[0], create_over_file, f), ==, 1);
  g_assert_cmpint (run_with (&faults[1], create_over_file, f), ==, 1);
  store_fixture_assert_names (f, ".", "dangling directory file link lock");
  seen = store_fixture_read (f, "file");
  g_assert_cmpmem (g_bytes_get_data (seen, NULL), g_bytes_get_size (seen), "kept", 4);
}

static void
add (const char *path, const Fault *fault, void (*test) (StoreFixture *, gconstpointer))
{
  g_autofree char *full =
      fault != NULL ? g_strconcat (path, "/", fault->name, NULL) : g_strdup (path);

  g_test_add (full,
              StoreFixture,
              fault,
              store_fixture_set_up,
              test,
              store_fixture_tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      add ("/store/durable/commit", &faults[i], test_commit);
      add ("/store/durable/first-commit", &faults[i], test_first_commit);
      add ("/store/durable/intent", &faults[i], test_intent);
    }
  add ("/store/durable/reset/no-fsync", NULL, test_reset);
  add ("/store/durable/load/unreadable-now", NULL, test_unreadable_now);
  add ("/store/durable/create-unsynced", NULL, test_create_unsynced);
  add ("/store/durable/create-never-overwrites", NULL, test_create_never_overwrites);
  return g_test_run ();
}
