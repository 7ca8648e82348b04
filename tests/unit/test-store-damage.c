/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-generation.h"
#include "store/dps-host-share.h"
#include "test-store-fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAYLOAD "payload of 2" /* 12 bytes, as "payload of 1" */

/* One offset, at least, in each part of a file with a payload of 12 bytes. */
static const struct
{
  const char *region;
  gsize offset;
} regions[] = {
  { "magic", 0 },       { "format", 8 },
  { "format-low", 11 }, { "length", 12 },
  { "length-low", 19 }, { "uuid", 20 },
  { "uuid-end", 35 },   { "number", 36 },
  { "number-low", 43 }, { "protection", 47 },
  { "salt", 48 },       { "salt-end", 79 },
  { "nonce", 80 },      { "nonce-end", 91 },
  { "ciphertext", 92 }, { "ciphertext-end", 103 },
  { "tag", 104 },       { "tag-end", 119 },
  { "sum", 120 },       { "sum-end", 151 },
};

static void
two_generations (StoreFixture *f)
{
  store_fixture_commit (f, "payload of 1");
  store_fixture_commit (f, PAYLOAD);
  store_fixture_assert_load (f, PAYLOAD, 2, TRUE);
}

/* Fits the checksum of a changed file anew. */
static void
sum_again (guint8 *data, gsize size)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize length = 32;

  g_checksum_update (checksum, data, (gssize) (size - 32));
  g_checksum_get_digest (checksum, data + size - 32, &length);
}

static void
change (StoreFixture *f, const char *name, gsize offset, guint8 mask, gboolean fit_sum)
{
  g_autoptr (GBytes) file = store_fixture_read (f, name);
  gsize size = g_bytes_get_size (file);
  g_autofree guint8 *data = g_memdup2 (g_bytes_get_data (file, NULL), size);

  g_assert_cmpuint (offset, <, size);
  data[offset] ^= mask;
  if (fit_sum)
    sum_again (data, size);
  store_fixture_write (f, name, data, size);
}

/* The newest is unreadable: the one before is served and said not to be the newest, after
 * a restart too, until the next commit. */
static void
assert_falls_back (StoreFixture *f)
{
  store_fixture_assert_load (f, "payload of 1", 1, FALSE);
  g_assert_cmpuint (store_fixture_take_warnings (), >=, 1);
  store_fixture_assert_names (f, ".", "gen-00000001 host.share lock quarantine");
  store_fixture_assert_names (f, "quarantine", "gen-00000002");
  store_fixture_reopen (f);
  store_fixture_assert_load (f, "payload of 1", 1, FALSE);
  store_fixture_commit (f, "payload of 3");
  store_fixture_assert_load (f, "payload of 3", 3, TRUE);
  store_fixture_assert_names (f,
                              ".",
                              "gen-00000001 gen-00000003 host.share lock quarantine");
}

static void
test_bit_flip (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) file = NULL;
  g_autoptr (GBytes) moved = NULL;
  struct stat st;

  two_generations (f);
  change (f, "gen-00000002", regions[GPOINTER_TO_UINT (data)].offset, 1, FALSE);
  file = store_fixture_read (f, "gen-00000002");
  assert_falls_back (f);
  moved = store_fixture_read (f, "quarantine/gen-00000002");
  g_assert_true (g_bytes_equal (file, moved));
  g_assert_cmpint (fstatat (f->dir_fd, "quarantine", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode, ==, S_IFDIR | 0700);
}

static void
test_tampered (StoreFixture *f, gconstpointer data)
{
  two_generations (f);
  change (f, "gen-00000002", 95, 1, TRUE);
  assert_falls_back (f);
}

static void
test_truncated (StoreFixture *f, gconstpointer data)
{
  static const gsize sizes[] = { 0, 1, 8, 43, 44, 91, 92, 119, 120, 151 };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) file = NULL;

      two_generations (f);
      file = store_fixture_read (f, "gen-00000002");
      store_fixture_write (f, "gen-00000002", g_bytes_get_data (file, NULL), sizes[i]);
      assert_falls_back (f);
      g_assert_true (dps_store_reset (f->store, NULL));
    }
}

static void
test_oversized (StoreFixture *f, gconstpointer data)
{
  g_autofree char *filler = g_strnfill (DPS_GENERATION_FILE_MAX + 1, 'x');

  two_generations (f);
  store_fixture_write (f, "gen-00000002", filler, DPS_GENERATION_FILE_MAX + 1);
  assert_falls_back (f);
}

/* What a name may lead to that is no file of ours; nothing is followed or opened. */
static void
test_no_file (StoreFixture *f, gconstpointer data)
{
  const char *kind = data;
  g_autofree char *outside = g_strconcat (f->path, ".outside", NULL);

  two_generations (f);
  g_assert_cmpint (renameat (f->dir_fd, "gen-00000002", AT_FDCWD, outside), ==, 0);
  if (g_str_equal (kind, "link"))
    g_assert_cmpint (symlinkat ("gen-00000001", f->dir_fd, "gen-00000002"), ==, 0);
  else if (g_str_equal (kind, "escaping-link"))
    g_assert_cmpint (symlinkat (outside, f->dir_fd, "gen-00000002"), ==, 0);
  else if (g_str_equal (kind, "fifo"))
    g_assert_cmpint (mkfifoat (f->dir_fd, "gen-00000002", 0600), ==, 0);
  else
    g_assert_cmpint (mkdirat (f->dir_fd, "gen-00000002", 0700), ==, 0);
  assert_falls_back (f);
  g_assert_true (dps_store_reset (f->store, NULL));
  store_fixture_assert_names (f, ".", "lock");
  /* The link's target, and it alone, is as it was: a generation that authenticates. */
  g_assert_cmpint (unlink (outside), ==, 0);
}

/* An old generation under a newer number: it authenticates, and is refused all the same.
 */
static void
test_renamed (StoreFixture *f, gconstpointer data)
{
  two_generations (f);
  g_assert_cmpint (linkat (f->dir_fd, "gen-00000001", f->dir_fd, "gen-00000009", 0),
                   ==,
                   0);
  store_fixture_assert_load (f, PAYLOAD, 2, FALSE);
  store_fixture_assert_names (f, "quarantine", "gen-00000009");
  store_fixture_commit (f, "next");
  store_fixture_assert_load (f, "next", 10, TRUE);
}

static void
test_older_damaged (StoreFixture *f, gconstpointer data)
{
  two_generations (f);
  change (f, "gen-00000001", 100, 1, FALSE);
  store_fixture_assert_load (f, PAYLOAD, 2, TRUE);
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 1);
  store_fixture_assert_names (f, "quarantine", "gen-00000001");
}

static void
test_all_damaged (StoreFixture *f, gconstpointer data)
{
  two_generations (f);
  change (f, "gen-00000001", 100, 1, FALSE);
  change (f, "gen-00000002", 100, 1, FALSE);
  store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "2 file(s)");
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 2);
  store_fixture_assert_names (f, ".", "gen-00000001 gen-00000002 host.share lock");
  store_fixture_reopen (f);
  store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "dpsctl reset --yes");
  store_fixture_commit (f, "again");
  store_fixture_assert_load (f, "again", 3, TRUE);
  store_fixture_assert_names (f, "quarantine", "gen-00000001 gen-00000002");
}

static void
test_quarantine_names (StoreFixture *f, gconstpointer data)
{
  two_generations (f);
  for (guint i = 0; i < 3; i++)
    {
      store_fixture_write (f, "gen-00000005", "bad", 3);
      store_fixture_assert_load (f, PAYLOAD, 2, FALSE);
    }
  store_fixture_assert_names (f,
                              "quarantine",
                              "gen-00000005 gen-00000005.1 gen-00000005.2");
}

/* Where nothing can be moved away the identity is served all the same, and the numbers
 * taken are left alone. */
static void
test_no_quarantine (StoreFixture *f, gconstpointer data)
{
  two_generations (f);
  store_fixture_write (f, "quarantine", "in the way", 10);
  change (f, "gen-00000002", 100, 1, FALSE);
  store_fixture_assert_load (f, "payload of 1", 1, FALSE);
  store_fixture_commit (f, "payload of 3");
  store_fixture_assert_load (f, "payload of 3", 3, TRUE);
  store_fixture_assert_names (f,
                              ".",
                              "gen-00000001 gen-00000002 gen-00000003 host.share lock "
                              "quarantine");
  g_assert_cmpuint (store_fixture_take_warnings (), >=, 2);
}

static void
test_newer_format (StoreFixture *f, gconstpointer data)
{
  const char *name = data;
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GBytes) after = NULL;

  two_generations (f);
  change (f, name, 11, 3, TRUE);
  before = store_fixture_read (f, name);
  store_fixture_reopen (f);
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_SUPPORTED, "format 2");
  store_fixture_assert_commit_fails (f, DPS_ERROR_NOT_SUPPORTED);
  after = store_fixture_read (f, name);
  g_assert_true (g_bytes_equal (before, after));
  store_fixture_assert_names (f, ".", "gen-00000001 gen-00000002 host.share lock");
  g_assert_true (dps_store_reset (f->store, NULL));
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_PROVISIONED, f->path);
}

/* Writes a generation as another store with the same share, or another level, would. */
static void
plant (StoreFixture *f, guint64 number, guint32 protection)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) ikm = dps_host_share_load (f->dir_fd, &error);
  g_autoptr (DpsSecret) payload = dps_secret_new ("planted", 7);
  g_autofree char *name = g_strdup_printf ("gen-%08u", (guint) number);
  DpsGenerationHeader header = { .number = number, .protection = protection };
  g_autoptr (GBytes) file = NULL;

  g_assert_no_error (error);
  file = dps_generation_pack (&header, ikm, payload, &error);
  g_assert_no_error (error);
  store_fixture_write (f, name, g_bytes_get_data (file, NULL), g_bytes_get_size (file));
}

static void
test_other_store (StoreFixture *f, gconstpointer data)
{
  two_generations (f);
  plant (f, 3, DPS_PROTECTION_HOST);
  store_fixture_assert_load (f, PAYLOAD, 2, FALSE);
  store_fixture_assert_names (f, "quarantine", "gen-00000003");
  plant (f, 1, DPS_PROTECTION_HOST);
  store_fixture_reopen (f);
  store_fixture_assert_load (f, PAYLOAD, 2, FALSE);
  store_fixture_assert_names (f, "quarantine", "gen-00000001 gen-00000003");
}

/* No silent downgrade: what a TPM protects is neither served nor overwritten without. */
static void
test_higher_level (StoreFixture *f, gconstpointer data)
{
  static const guint32 levels[] = { DPS_PROTECTION_TPM2_HOST, 0, 3, G_MAXUINT32 };

  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    {
      two_generations (f);
      plant (f, 3, levels[i]);
      store_fixture_assert_load_fails (f, DPS_ERROR_NOT_SUPPORTED, "dpsctl reset --yes");
      store_fixture_assert_commit_fails (f, DPS_ERROR_NOT_SUPPORTED);
      store_fixture_assert_names (f,
                                  ".",
                                  "gen-00000001 gen-00000002 gen-00000003 host.share "
                                  "lock");
      g_assert_true (dps_store_reset (f->store, NULL));
    }
}

/* Not the generations are at fault: they stay, and open again once the share is back. */
static void
test_other_share (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) share = NULL;

  two_generations (f);
  share = store_fixture_read (f, "host.share");
  store_fixture_write (f, "host.share", "a share of another host, 32 byte", 32);
  store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "a key this host does not have");
  store_fixture_assert_names (f, ".", "gen-00000001 gen-00000002 host.share lock");
  store_fixture_write (f, "host.share", g_bytes_get_data (share, NULL), 32);
  store_fixture_assert_load (f, PAYLOAD, 2, TRUE);
}

static void
test_last_number (StoreFixture *f, gconstpointer data)
{
  store_fixture_commit (f, "kept");
  store_fixture_write (f, "gen-99999999", "bad", 3);
  store_fixture_assert_commit_fails (f, DPS_ERROR_LIMITS_EXCEEDED);
  store_fixture_assert_load (f, "kept", 1, FALSE);
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
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (regions); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/store/damage/bit-flip/%s", regions[i].region);

      add (path, GUINT_TO_POINTER (i), test_bit_flip);
    }
  add ("/store/damage/tampered", NULL, test_tampered);
  add ("/store/damage/truncated", NULL, test_truncated);
  add ("/store/damage/oversized", NULL, test_oversized);
  add ("/store/damage/no-file/link", "link", test_no_file);
  add ("/store/damage/no-file/escaping-link", "escaping-link", test_no_file);
  add ("/store/damage/no-file/fifo", "fifo", test_no_file);
  add ("/store/damage/no-file/directory", "directory", test_no_file);
  add ("/store/damage/renamed", NULL, test_renamed);
  add ("/store/damage/older", NULL, test_older_damaged);
  add ("/store/damage/all", NULL, test_all_damaged);
  add ("/store/damage/quarantine-names", NULL, test_quarantine_names);
  add ("/store/damage/no-quarantine", NULL, test_no_quarantine);
  add ("/store/damage/newer-format/newest", "gen-00000002", test_newer_format);
  add ("/store/damage/newer-format/older", "gen-00000001", test_newer_format);
  add ("/store/damage/other-store", NULL, test_other_store);
  add ("/store/damage/higher-level", NULL, test_higher_level);
  add ("/store/damage/other-share", NULL, test_other_share);
  add ("/store/damage/last-number", NULL, test_last_number);
  return g_test_run ();
}
