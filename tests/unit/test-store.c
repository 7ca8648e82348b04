/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "store/dps-host-share.h"
#include "test-store-fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define SHARE "host.share"

static void
assert_open_fails (StoreFixture *f, const char *path, DpsError code, const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_store_open (path, f->sealer, &error));
  g_assert_error (error, DPS_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, path));
  if (strstr (error->message, text) == NULL)
    g_error ("'%s' does not say '%s'", error->message, text);
}

static void
test_open_refuses_modes (StoreFixture *f, gconstpointer data)
{
  static const mode_t modes[] = { 0701, 0702, 0704, 0710, 0720, 0740, 0755, 0777 };

  store_fixture_close (f);
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_assert_cmpint (chmod (f->path, modes[i]), ==, 0);
      assert_open_fails (f, f->path, DPS_ERROR_ACCESS_DENIED, "chmod it to 0700");
    }
  g_assert_cmpint (chmod (f->path, 0700), ==, 0);
  store_fixture_open (f);
}

static void
test_open_refuses_owner (StoreFixture *f, gconstpointer data)
{
  if (geteuid () != 0)
    {
      g_test_skip ("only root can give a directory away");
      return;
    }
  store_fixture_close (f);
  g_assert_cmpint (chown (f->path, 65534, 0), ==, 0);
  assert_open_fails (f, f->path, DPS_ERROR_ACCESS_DENIED, "chown it to user 0");
}

static void
test_open_refuses_others (StoreFixture *f, gconstpointer data)
{
  g_autofree char *missing = g_build_filename (f->path, "missing", NULL);
  g_autofree char *file = g_build_filename (f->path, "file", NULL);
  g_autofree char *link = g_build_filename (f->path, "link", NULL);

  store_fixture_write (f, "file", "", 0);
  g_assert_cmpint (symlink (f->path, link), ==, 0);
  assert_open_fails (f, missing, DPS_ERROR_FAILED, "does not exist");
  assert_open_fails (f, file, DPS_ERROR_FAILED, "is no directory");
  assert_open_fails (f, link, DPS_ERROR_FAILED, "is no directory");
}

static void
test_open_locks (StoreFixture *f, gconstpointer data)
{
  assert_open_fails (f, f->path, DPS_ERROR_BUSY, "lock");
  store_fixture_reopen (f);
  assert_open_fails (f, f->path, DPS_ERROR_BUSY, "lock");
}

static void
test_open_refuses_linked_lock (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  store_fixture_close (f);
  g_assert_cmpint (unlinkat (f->dir_fd, "lock", 0), ==, 0);
  g_assert_cmpint (symlinkat ("elsewhere", f->dir_fd, "lock"), ==, 0);
  g_assert_null (dps_store_open (f->path, f->sealer, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  store_fixture_assert_names (f, ".", "lock");
}

static void
test_open_sweeps (StoreFixture *f, gconstpointer data)
{
  store_fixture_write (f, ".tmp-gen-00000001", "half", 4);
  store_fixture_write (f, ".tmp-intent", "half", 4);
  store_fixture_write (f, "other.tmp-x", "stays", 5);
  store_fixture_reopen (f);
  store_fixture_assert_names (f, ".", "lock other.tmp-x");
}

static void
test_load_nothing (StoreFixture *f, gconstpointer data)
{
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_PROVISIONED, f->path);
  store_fixture_assert_names (f, ".", "lock");
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

static void
test_round_trip (StoreFixture *f, gconstpointer data)
{
  store_fixture_commit (f, "one");
  store_fixture_assert_load (f, "one", 1, TRUE);
  store_fixture_reopen (f);
  store_fixture_assert_load (f, "one", 1, TRUE);
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "host");
  store_fixture_assert_names (f, ".", "gen-00000001 host.share lock");
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

static void
test_prunes_to_two (StoreFixture *f, gconstpointer data)
{
  static const char *const names[] = {
    "gen-00000001 host.share lock",
    "gen-00000001 gen-00000002 host.share lock",
    "gen-00000002 gen-00000003 host.share lock",
    "gen-00000003 gen-00000004 host.share lock",
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *text = g_strdup_printf ("payload %u", i);

      store_fixture_commit (f, text);
      store_fixture_assert_load (f, text, i + 1, TRUE);
      store_fixture_assert_names (f, ".", names[i]);
    }
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

static void
test_sizes (StoreFixture *f, gconstpointer data)
{
  static const gsize sizes[] = {
    0, 1, 4095, 4096, DPS_STORE_PAYLOAD_MAX - 1, DPS_STORE_PAYLOAD_MAX
  };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (DpsSecret) payload = dps_secret_new_empty (sizes[i]);
      g_autoptr (DpsSecret) seen = NULL;
      g_autoptr (GError) error = NULL;

      memset (dps_secret_edit (payload), (int) i + 1, sizes[i]);
      g_assert_true (dps_store_commit (f->store, payload, &error));
      g_assert_no_error (error);
      seen = dps_store_load (f->store, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpmem (dps_secret_data (seen),
                       dps_secret_size (seen),
                       dps_secret_data (payload),
                       sizes[i]);
    }
}

static void
test_refuses_too_big (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSecret) payload = dps_secret_new_empty (DPS_STORE_PAYLOAD_MAX + 1);
  g_autoptr (GError) error = NULL;

  store_fixture_commit (f, "kept");
  g_assert_false (dps_store_commit (f->store, payload, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
  store_fixture_assert_load (f, "kept", 1, TRUE);
  store_fixture_assert_names (f, ".", "gen-00000001 host.share lock");
}

static void
test_modes (StoreFixture *f, gconstpointer data)
{
  static const char *const names[] = { "gen-00000001", SHARE, "intent", "lock" };
  g_autoptr (GBytes) record = g_bytes_new_static ("r", 1);

  store_fixture_commit (f, "one");
  g_assert_true (dps_store_write_intent (f->store, record, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      struct stat st;

      g_assert_cmpint (fstatat (f->dir_fd, names[i], &st, AT_SYMLINK_NOFOLLOW), ==, 0);
      g_assert_cmpint (st.st_mode, ==, S_IFREG | 0600);
      g_assert_cmpint (st.st_nlink, ==, 1);
    }
}

/* No two generations share salt, nonce or ciphertext, whatever the payload. */
static void
test_same_payload_differs (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) one = NULL;
  g_autoptr (GBytes) two = NULL;
  const guint8 *a;
  const guint8 *b;

  store_fixture_commit (f, "the same payload");
  store_fixture_commit (f, "the same payload");
  one = store_fixture_read (f, "gen-00000001");
  two = store_fixture_read (f, "gen-00000002");
  a = g_bytes_get_data (one, NULL);
  b = g_bytes_get_data (two, NULL);
  g_assert_cmpmem (a + 20, 16, b + 20, 16);
  g_assert_cmpint (memcmp (a + 48, b + 48, 32), !=, 0);
  g_assert_cmpint (memcmp (a + 80, b + 80, 12), !=, 0);
  g_assert_cmpint (memcmp (a + 92, b + 92, 16), !=, 0);
}

static void
test_ignores_strays (StoreFixture *f, gconstpointer data)
{
  static const char *const strays[] = {
    "gen-1",        "gen-00000000",   "gen-000000009", "gen-00000009~", "gen-0000000a",
    "Gen-00000009", "gen-00000009.1", "xgen-00000009", "gen--0000009",  "notes",
  };

  store_fixture_commit (f, "one");
  for (guint i = 0; i < G_N_ELEMENTS (strays); i++)
    store_fixture_write (f, strays[i], "stray", 5);
  store_fixture_assert_load (f, "one", 1, TRUE);
  store_fixture_commit (f, "two");
  store_fixture_assert_load (f, "two", 2, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (strays); i++)
    g_assert_cmpint (faccessat (f->dir_fd, strays[i], F_OK, 0), ==, 0);
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

static void
test_share_is_kept (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GBytes) after = NULL;

  store_fixture_commit (f, "one");
  before = store_fixture_read (f, SHARE);
  g_assert_cmpuint (g_bytes_get_size (before), ==, 32);
  store_fixture_reopen (f);
  store_fixture_commit (f, "two");
  after = store_fixture_read (f, SHARE);
  g_assert_true (g_bytes_equal (before, after));
}

/* A missing or impossible share is an error that destroys nothing and makes nothing. */
static void
test_share_missing (StoreFixture *f, gconstpointer data)
{
  static const char *const kinds[] = { "missing", "short", "long", "link", "directory" };
  g_autoptr (GBytes) share = NULL;

  store_fixture_commit (f, "one");
  store_fixture_commit (f, "two");
  share = store_fixture_read (f, SHARE);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_assert_cmpint (unlinkat (f->dir_fd, SHARE, 0), ==, 0);
      if (i == 1)
        store_fixture_write (f, SHARE, "short", 5);
      if (i == 2)
        store_fixture_write (f, SHARE, "a share of more than 32 bytes it is", 35);
      if (i == 3)
        g_assert_cmpint (symlinkat ("gen-00000001", f->dir_fd, SHARE), ==, 0);
      if (i == 4)
        g_assert_cmpint (mkdirat (f->dir_fd, SHARE, 0700), ==, 0);
      store_fixture_reopen (f);
      store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "dpsctl reset --yes");
      store_fixture_assert_commit_fails (f, DPS_ERROR_FAILED);
      store_fixture_assert_names (f,
                                  ".",
                                  i == 0 ? "gen-00000001 gen-00000002 lock"
                                         : "gen-00000001 gen-00000002 host.share lock");
      unlinkat (f->dir_fd, SHARE, i == 4 ? AT_REMOVEDIR : 0);
      store_fixture_write (f,
                           SHARE,
                           g_bytes_get_data (share, NULL),
                           g_bytes_get_size (share));
      store_fixture_assert_load (f, "two", 2, TRUE);
    }
}

static void
test_share_never_made_anew (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GBytes) after = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (dps_host_share_ensure (f->dir_fd, TRUE, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  store_fixture_assert_names (f, ".", "lock");
  g_clear_error (&error);

  g_assert_true (dps_host_share_ensure (f->dir_fd, FALSE, &error));
  before = store_fixture_read (f, SHARE);
  g_assert_true (dps_host_share_ensure (f->dir_fd, FALSE, &error));
  g_assert_true (dps_host_share_ensure (f->dir_fd, TRUE, &error));
  after = store_fixture_read (f, SHARE);
  g_assert_true (g_bytes_equal (before, after));

  /* One generation that is unreadable and cannot be moved away still counts. */
  store_fixture_write (f, "quarantine", "in the way", 10);
  store_fixture_write (f, "gen-00000001", "bad", 3);
  g_assert_cmpint (unlinkat (f->dir_fd, SHARE, 0), ==, 0);
  store_fixture_assert_commit_fails (f, DPS_ERROR_FAILED);
  store_fixture_assert_names (f, ".", "gen-00000001 lock quarantine");
}

static void
test_reset (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GBytes) after = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 3; i++)
    store_fixture_commit (f, "old");
  before = store_fixture_read (f, SHARE);
  store_fixture_write (f, "gen-00000003", "damaged", 7);
  store_fixture_assert_load (f, "old", 2, FALSE);
  store_fixture_assert_names (f, ".", "gen-00000002 host.share lock quarantine");

  g_assert_true (dps_store_reset (f->store, &error));
  g_assert_no_error (error);
  store_fixture_assert_names (f, ".", "lock");
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_PROVISIONED, f->path);
  g_assert_true (dps_store_reset (f->store, &error));

  store_fixture_commit (f, "new");
  store_fixture_assert_load (f, "new", 1, TRUE);
  after = store_fixture_read (f, SHARE);
  g_assert_false (g_bytes_equal (before, after));
}

/* The way out where nothing can be opened any more. */
static void
test_reset_without_share (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  store_fixture_commit (f, "old");
  g_assert_cmpint (unlinkat (f->dir_fd, SHARE, 0), ==, 0);
  g_assert_true (dps_store_reset (f->store, &error));
  g_assert_no_error (error);
  store_fixture_commit (f, "new");
  store_fixture_assert_load (f, "new", 1, TRUE);
}

static void
assert_intent (StoreFixture *f, const void *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) record = dps_store_read_intent (f->store, &error);

  g_assert_no_error (error);
  if (data == NULL)
    {
      g_assert_null (record);
      return;
    }
  g_assert_cmpmem (g_bytes_get_data (record, NULL),
                   g_bytes_get_size (record),
                   data,
                   size);
}

static void
test_intent (StoreFixture *f, gconstpointer data)
{
  static const gsize sizes[] = { 0, 1, 100, 16384 };
  g_autofree char *text = g_strnfill (16385, 'i');
  g_autoptr (GBytes) big = g_bytes_new (text, 16385);
  g_autoptr (GError) error = NULL;

  assert_intent (f, NULL, 0);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) record = g_bytes_new (text, sizes[i]);

      g_assert_true (dps_store_write_intent (f->store, record, &error));
      g_assert_no_error (error);
      store_fixture_reopen (f);
      assert_intent (f, text, sizes[i]);
      store_fixture_assert_names (f, ".", "intent lock");
    }
  g_assert_false (dps_store_write_intent (f->store, big, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
  assert_intent (f, text, 16384);
  g_clear_error (&error);

  g_assert_true (dps_store_clear_intent (f->store, &error));
  g_assert_true (dps_store_clear_intent (f->store, &error));
  assert_intent (f, NULL, 0);
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

static void
test_intent_survives_reset (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) record = g_bytes_new_static ("wait", 4);

  g_assert_true (dps_store_write_intent (f->store, record, NULL));
  g_assert_true (dps_store_reset (f->store, NULL));
  assert_intent (f, "wait", 4);
}

static void
test_intent_damaged (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) record = g_bytes_new_static ("wait", 4);
  g_autoptr (GBytes) file = NULL;
  g_autofree guint8 *bad = NULL;
  gsize size;

  g_assert_true (dps_store_write_intent (f->store, record, NULL));
  file = store_fixture_read (f, "intent");
  size = g_bytes_get_size (file);
  bad = g_memdup2 (g_bytes_get_data (file, NULL), size);
  for (gsize i = 0; i < size; i++)
    {
      bad[i] ^= 1;
      store_fixture_write (f, "intent", bad, size);
      assert_intent (f, NULL, 0);
      bad[i] ^= 1;
      store_fixture_write (f, "intent", bad, i);
      assert_intent (f, NULL, 0);
    }
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 2 * size);
  g_assert_cmpint (unlinkat (f->dir_fd, "intent", 0), ==, 0);
  g_assert_cmpint (symlinkat (SHARE, f->dir_fd, "intent"), ==, 0);
  assert_intent (f, NULL, 0);
  g_assert_true (dps_store_write_intent (f->store, record, NULL));
  assert_intent (f, "wait", 4);
}

#define ADD(path, func)                                                                  \
  g_test_add ("/store/" path,                                                            \
              StoreFixture,                                                              \
              NULL,                                                                      \
              store_fixture_set_up,                                                      \
              func,                                                                      \
              store_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("open/refuses-modes", test_open_refuses_modes);
  ADD ("open/refuses-owner", test_open_refuses_owner);
  ADD ("open/refuses-what-is-no-directory", test_open_refuses_others);
  ADD ("open/locks", test_open_locks);
  ADD ("open/refuses-linked-lock", test_open_refuses_linked_lock);
  ADD ("open/sweeps", test_open_sweeps);
  ADD ("load/nothing", test_load_nothing);
  ADD ("commit/round-trip", test_round_trip);
  ADD ("commit/prunes-to-two", test_prunes_to_two);
  ADD ("commit/sizes", test_sizes);
  ADD ("commit/refuses-too-big", test_refuses_too_big);
  ADD ("commit/modes", test_modes);
  ADD ("commit/same-payload-differs", test_same_payload_differs);
  ADD ("load/ignores-strays", test_ignores_strays);
  ADD ("share/is-kept", test_share_is_kept);
  ADD ("share/missing", test_share_missing);
  ADD ("share/never-made-anew", test_share_never_made_anew);
  ADD ("reset/forgets", test_reset);
  ADD ("reset/without-share", test_reset_without_share);
  ADD ("intent/round-trip", test_intent);
  ADD ("intent/survives-reset", test_intent_survives_reset);
  ADD ("intent/damaged-reads-as-none", test_intent_damaged);
  return g_test_run ();
}
