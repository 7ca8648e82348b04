/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-sealer.h"
#include "test-store-fixture.h"

#include <errno.h>
#include <string.h>

/* Goes on with another sealer, as after a restart; the one before is the caller's. */
static DpsSealer *
swap_sealer (StoreFixture *f, DpsSealer *sealer)
{
  DpsSealer *before = f->sealer;

  f->sealer = sealer;
  store_fixture_reopen (f);
  return before;
}

static void
test_rises (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = NULL;

  store_fixture_commit (f, "at host");
  host = swap_sealer (f, test_sealer_new ());
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "tpm2+host");
  store_fixture_assert_load (f, "at host", 1, TRUE);
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "host");
  store_fixture_commit (f, "risen");
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "tpm2+host");
  store_fixture_assert_load (f, "risen", 2, TRUE);
  store_fixture_assert_names (f, ".", "gen-00000002 host.share lock seal.v1");
}

static void
test_never_falls (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = swap_sealer (f, test_sealer_new ());
  g_autoptr (DpsSealer) tpm = NULL;

  store_fixture_commit (f, "sealed");
  tpm = swap_sealer (f, g_object_ref (host));
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_SUPPORTED, "'tpm2+host'");
  store_fixture_assert_commit_fails (f, DPS_ERROR_NOT_SUPPORTED);
  store_fixture_assert_names (f, ".", "gen-00000001 host.share lock seal.v1");
  g_assert_true (dps_store_reset (f->store, NULL));
  store_fixture_assert_names (f, ".", "lock");
  store_fixture_commit (f, "by choice");
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "host");
}

/* A sealer's failure, under whatever code, is no verdict on the files. */
static void
test_failure_moves_nothing (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = swap_sealer (f, test_sealer_new ());
  TestSealer *sealer = TEST_SEALER (f->sealer);

  store_fixture_commit (f, "one");
  store_fixture_commit (f, "two");
  for (gint code = 0; code < DPS_N_ERRORS; code++)
    {
      DpsError seen = code == DPS_ERROR_REJECTED ? DPS_ERROR_FAILED : (DpsError) code;

      sealer->fails_with = code;
      store_fixture_assert_load_fails (f, seen, "the TPM went away");
      store_fixture_assert_commit_fails (f, seen);
    }
  /* What a disk says of the sealer's own file, as dps_set_errno() translates it. */
  sealer->fails_in = G_IO_ERROR;
  sealer->fails_with = g_io_error_from_errno (EBADMSG);
  store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "the TPM went away");
  store_fixture_assert_commit_fails (f, DPS_ERROR_FAILED);
  sealer->fails_with = -1;
  store_fixture_assert_load (f, "two", 2, TRUE);
  store_fixture_assert_names (f,
                              ".",
                              "gen-00000001 gen-00000002 host.share lock seal.v1");
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

/* A generation that does not come back as it was written is taken away again. */
static void
test_read_back (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = swap_sealer (f, test_sealer_new ());
  TestSealer *sealer = TEST_SEALER (f->sealer);

  store_fixture_commit (f, "kept");
  sealer->calls = 0;
  sealer->garbled_call = 3; /* after those that survey and seal */
  store_fixture_assert_commit_fails (f, DPS_ERROR_FAILED);
  g_assert_cmpuint (sealer->calls, ==, 3);
  store_fixture_assert_names (f, ".", "gen-00000001 host.share lock seal.v1");
  store_fixture_assert_load (f, "kept", 1, TRUE);
}

/* A number that is taken at the last moment is left to who took it. */
static void
test_taken_number (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = swap_sealer (f, test_sealer_new ());
  g_autoptr (GBytes) foreign = NULL;

  TEST_SEALER (f->sealer)->planted = "gen-00000001";
  store_fixture_commit (f, "next");
  foreign = store_fixture_read (f, "gen-00000001");
  g_assert_cmpmem (g_bytes_get_data (foreign, NULL),
                   g_bytes_get_size (foreign),
                   "foreign",
                   7);
  store_fixture_assert_load (f, "next", 2, TRUE);
  store_fixture_assert_names (f, "quarantine", "gen-00000001");
}

static void
test_migrates (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmphex (dps_store_peek_levels (f->store), ==, 0);
  store_fixture_commit (f, "one");
  store_fixture_commit (f, "two");
  g_assert_false (dps_store_needs_migration (f->store));
  host = swap_sealer (f, test_sealer_new ());
  g_assert_cmphex (dps_store_peek_levels (f->store),
                   ==,
                   DPS_PROTECTION_BIT (DPS_PROTECTION_HOST));
  g_assert_false (dps_store_needs_migration (f->store));
  store_fixture_assert_load (f, "two", 2, TRUE);
  g_assert_true (dps_store_needs_migration (f->store));
  dps_store_migrate (f->store, &error);
  g_assert_no_error (error);
  g_assert_false (dps_store_needs_migration (f->store));
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "tpm2+host");
  g_assert_cmphex (dps_store_peek_levels (f->store),
                   ==,
                   DPS_PROTECTION_BIT (DPS_PROTECTION_TPM2_HOST));
  store_fixture_assert_load (f, "two", 3, TRUE);
  store_fixture_assert_names (f, ".", "gen-00000003 host.share lock seal.v1");
  /* Once is enough. */
  dps_store_migrate (f->store, &error);
  g_assert_no_error (error);
  store_fixture_assert_names (f, ".", "gen-00000003 host.share lock seal.v1");
}

/* Power went between the commit and the removal. */
static void
test_migration_is_finished (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) lower = NULL;

  store_fixture_commit (f, "one");
  lower = store_fixture_read (f, "gen-00000001");
  host = swap_sealer (f, test_sealer_new ());
  store_fixture_commit (f, "two");
  store_fixture_write (f,
                       "gen-00000001",
                       g_bytes_get_data (lower, NULL),
                       g_bytes_get_size (lower));
  store_fixture_reopen (f);
  store_fixture_assert_load (f, "two", 2, TRUE);
  g_assert_true (dps_store_needs_migration (f->store));
  dps_store_migrate (f->store, &error);
  g_assert_no_error (error);
  g_assert_false (dps_store_needs_migration (f->store));
  store_fixture_assert_load (f, "two", 2, TRUE);
  store_fixture_assert_names (f, ".", "gen-00000002 host.share lock seal.v1");
}

static void
test_migration_fails (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = NULL;
  g_autoptr (GError) error = NULL;

  store_fixture_commit (f, "one");
  host = swap_sealer (f, test_sealer_new ());
  g_assert_false (dps_store_needs_migration (f->store));
  TEST_SEALER (f->sealer)->garbled_call = 3;
  g_assert_false (dps_store_migrate (f->store, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  store_fixture_assert_load (f, "one", 1, TRUE);
  g_assert_true (dps_store_needs_migration (f->store));
}

static void
test_swap_while_open (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) tpm = test_sealer_new ();

  dps_store_set_sealer (f->store, tpm);
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "tpm2+host");
  dps_store_set_sealer (f->store, f->sealer);
  store_fixture_commit (f, "one");
  dps_store_set_sealer (f->store, tpm);
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "host");
  g_assert_true (dps_store_needs_migration (f->store));
  store_fixture_commit (f, "two");
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "tpm2+host");
}

static void
test_set_aside (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = swap_sealer (f, test_sealer_new ());
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 2; i++)
    {
      store_fixture_commit (f, "one");
      store_fixture_commit (f, "two");
      TEST_SEALER (f->sealer)->fails_with = DPS_ERROR_FAILED;
      store_fixture_assert_load_fails (f, DPS_ERROR_FAILED, "the TPM went away");
      dps_store_set_aside (f->store, &error);
      g_assert_no_error (error);
      TEST_SEALER (f->sealer)->fails_with = -1;
      store_fixture_assert_load_fails (f, DPS_ERROR_NOT_PROVISIONED, "no identity");
      store_fixture_assert_names (f, ".", "host.share lock quarantine");
    }
  store_fixture_assert_names (f,
                              "quarantine",
                              "foreign-gen-00000001 foreign-gen-00000001.1 "
                              "foreign-gen-00000002 foreign-gen-00000002.1 "
                              "foreign-seal.v1 foreign-seal.v1.1");
  store_fixture_commit (f, "anew");
  store_fixture_assert_load (f, "anew", 1, TRUE);
  g_assert_true (dps_store_reset (f->store, NULL));
  store_fixture_assert_names (f, ".", "lock");
}

static guint
count_quarantine (StoreFixture *f, const char *prefix)
{
  g_autofree char *path = g_build_filename (f->path, "quarantine", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint count = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    count += g_str_has_prefix (name, prefix);
  return count;
}

/* A host whose TPM changes and changes, and nobody resets: two files each time. */
static void
test_set_aside_is_bounded (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = swap_sealer (f, test_sealer_new ());
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 20; i++)
    {
      store_fixture_commit (f, "one");
      dps_store_set_aside (f->store, &error);
      g_assert_no_error (error);
      if (i == 0)
        store_fixture_write (f, "quarantine/not-theirs", "x", 1);
      else if (i == 1)
        store_fixture_write (f, "quarantine/foreign-oldest", "x", 1);
      else if (i == 7)
        g_assert_cmpuint (count_quarantine (f, "foreign-oldest"), ==, 1);
      g_assert_cmpuint (count_quarantine (f, "foreign-"), <=, 16);
    }
  g_assert_cmpuint (count_quarantine (f, "foreign-"), ==, 16);
  g_assert_cmpuint (count_quarantine (f, "foreign-seal.v1"), ==, 8);
  g_assert_cmpuint (count_quarantine (f, "foreign-oldest"), ==, 0);
  g_assert_cmpuint (count_quarantine (f, "not-theirs"), ==, 1);
}

static void
add (const char *path, void (*test) (StoreFixture *, gconstpointer))
{
  g_test_add (path,
              StoreFixture,
              NULL,
              store_fixture_set_up,
              test,
              store_fixture_tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/store/sealer/rises", test_rises);
  add ("/store/sealer/never-falls", test_never_falls);
  add ("/store/sealer/failure-moves-nothing", test_failure_moves_nothing);
  add ("/store/sealer/read-back", test_read_back);
  add ("/store/sealer/taken-number", test_taken_number);
  add ("/store/sealer/migrates", test_migrates);
  add ("/store/sealer/migration-is-finished", test_migration_is_finished);
  add ("/store/sealer/failed-migration-loses-nothing", test_migration_fails);
  add ("/store/sealer/swap-while-open", test_swap_while_open);
  add ("/store/sealer/set-aside", test_set_aside);
  add ("/store/sealer/set-aside-is-bounded", test_set_aside_is_bounded);
  return g_test_run ();
}
