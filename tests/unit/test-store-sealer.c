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
  store_fixture_assert_names (f,
                              ".",
                              "gen-00000001 gen-00000002 host.share lock seal.v1");
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
  return g_test_run ();
}
