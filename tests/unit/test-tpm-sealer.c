/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-store-fixture.h"
#include "tpm-fixture.h"

#include "store/dps-host-sealer.h"
#include "store/dps-seal-file.h"
#include "store/dps-tpm-sealer.h"
#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-seal.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_KILLS 100
#define SEAL_COMMANDS 10
#define UNSEAL_COMMANDS 6

typedef struct
{
  TpmFixture swtpm;
  StoreFixture store;
} Fixture;

static DpsSealer *
make_sealer (Fixture *f, const char *owner)
{
  g_autoptr (DpsSecret) password =
      owner != NULL ? dps_secret_new (owner, strlen (owner)) : NULL;

  return dps_tpm_sealer_new (f->swtpm.tcti, password, NULL);
}

/* As after a restart of the agent: nothing is remembered. */
static void
restart_with (Fixture *f, DpsSealer *sealer)
{
  g_clear_object (&f->store.sealer);
  f->store.sealer = sealer;
  store_fixture_reopen (&f->store);
}

static void
restart (Fixture *f)
{
  restart_with (f, make_sealer (f, NULL));
}

static void
set_up (Fixture *f, gconstpointer data)
{
  tpm_fixture_set_up (&f->swtpm, data);
  store_fixture_set_up (&f->store, data);
  restart (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  store_fixture_tear_down (&f->store, data);
  tpm_fixture_tear_down (&f->swtpm, data);
}

static void
persist_srk (Fixture *f, const TPM2B_PUBLIC *template)
{
  tpm_fixture_persist (&f->swtpm, ESYS_TR_RH_OWNER, template, DPS_TPM_HANDLE_SRK);
}

static void
persist_ek (Fixture *f, gboolean legacy)
{
  tpm_fixture_persist (&f->swtpm,
                       ESYS_TR_RH_ENDORSEMENT,
                       dps_tpm_template_ek (legacy),
                       DPS_TPM_HANDLE_EK);
}

static void
assert_load_fails (Fixture *f, GQuark domain, gint code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_store_load (f->store.store, NULL, NULL, &error));
  g_assert_error (error, domain, code);
}

static void
assert_commit_fails (Fixture *f, GQuark domain, gint code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) payload = dps_secret_new ("not kept", 8);

  g_assert_false (dps_store_commit (f->store.store, payload, &error));
  g_assert_error (error, domain, code);
}

static DpsSealPrimary
primary_in_file (Fixture *f)
{
  g_autoptr (GBytes) file = store_fixture_read (&f->store, DPS_SEAL_NAME);
  g_autoptr (GError) error = NULL;
  DpsSeal seal;

  dps_seal_unpack (file, &seal, &error);
  g_assert_no_error (error);
  return seal.primary;
}

static void
test_counts (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *name;
    const TPM2B_PUBLIC *(*srk) (void);
    DpsSealPrimary primary;
    guint seal;
    guint unseal;
  } rows[] = {
    { "no storage root key", NULL, DPS_SEAL_PRIMARY_ECC, SEAL_COMMANDS, UNSEAL_COMMANDS },
    { "an RSA one", dps_tpm_template_rsa_srk, DPS_SEAL_PRIMARY_SRK, 8, 5 },
    { "an ECC one", dps_tpm_template_ecc_srk, DPS_SEAL_PRIMARY_SRK, 8, 5 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint sealed, unsealed;

      tpm_fixture_replace (&f->swtpm);
      g_assert_true (dps_store_reset (f->store.store, NULL));
      if (rows[i].srk != NULL)
        persist_srk (f, rows[i].srk ());
      restart (f);
      tpm_fixture_take_count (&f->swtpm);
      store_fixture_commit (&f->store, "one");
      sealed = tpm_fixture_take_count (&f->swtpm);
      store_fixture_commit (&f->store, "two");
      store_fixture_assert_load (&f->store, "two", 2, TRUE);
      g_assert_cmpuint (tpm_fixture_take_count (&f->swtpm), ==, 0);
      restart (f);
      store_fixture_assert_load (&f->store, "two", 2, TRUE);
      store_fixture_commit (&f->store, "three");
      unsealed = tpm_fixture_take_count (&f->swtpm);

      printf ("# FIGURE sealer: TPM commands with %s: seal and its check %u, unseal %u, "
              "further commits 0\n",
              rows[i].name,
              sealed,
              unsealed);
      fflush (stdout);
      g_assert_cmpuint (sealed, ==, rows[i].seal);
      g_assert_cmpuint (unsealed, ==, rows[i].unseal);
      g_assert_cmpint (primary_in_file (f), ==, rows[i].primary);
      tpm_fixture_assert_empty (&f->swtpm);
    }
}

static void
persist_guarded_srk (Fixture *f)
{
  TPM2B_PUBLIC guarded = *dps_tpm_template_rsa_srk ();

  guarded.publicArea.objectAttributes &= ~TPMA_OBJECT_NODA;
  persist_srk (f, &guarded);
}

/* Dictionary-attack protection would count each power cut while it is in use. */
static void
test_guarded_srk (Fixture *f, gconstpointer data)
{
  persist_guarded_srk (f);
  store_fixture_commit (&f->store, "one");
  g_assert_cmpint (primary_in_file (f), ==, DPS_SEAL_PRIMARY_ECC);
}

static void
test_absent (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) absent = dps_tpm_sealer_new ("unix:/nonexistent/tpm", NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (dps_tpm_sealer_is_there (DPS_TPM_SEALER (f->store.sealer), NULL));
  g_assert_false (dps_tpm_sealer_is_there (DPS_TPM_SEALER (absent), &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);

  restart_with (f, g_object_ref (absent));
  assert_commit_fails (f, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  assert_load_fails (f, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED);
  restart (f);
  store_fixture_commit (&f->store, "sealed");
  restart_with (f, g_object_ref (absent));
  assert_load_fails (f, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  assert_commit_fails (f, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  restart (f);
  store_fixture_assert_load (&f->store, "sealed", 1, TRUE);
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

static void
test_migrates (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  restart_with (f, dps_host_sealer_new ());
  store_fixture_commit (&f->store, "at host");
  restart_with (f, dps_tpm_sealer_new ("unix:/nonexistent/tpm", NULL, NULL));
  store_fixture_assert_load (&f->store, "at host", 1, TRUE);
  g_assert_false (dps_store_migrate (f->store.store, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  g_clear_error (&error);
  restart (f);
  store_fixture_assert_load (&f->store, "at host", 1, TRUE);
  g_assert_true (dps_store_needs_migration (f->store.store));
  dps_store_migrate (f->store.store, &error);
  g_assert_no_error (error);
  restart (f);
  store_fixture_assert_load (&f->store, "at host", 2, TRUE);
  g_assert_cmpstr (dps_store_get_protection (f->store.store), ==, "tpm2+host");
  store_fixture_assert_names (&f->store, ".", "gen-00000002 host.share lock seal.v1");
}

/* EvictControl of a key that is persistent already takes it away. */
static void
evict_srk (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };
  gboolean found;
  int fd;
  DpsTpm *tpm = tpm_fixture_open (&f->swtpm, &fd);

  dps_tpm_read_key (tpm, DPS_TPM_HANDLE_SRK, &key, &found, &error);
  g_assert_no_error (error);
  g_assert_true (found);
  dps_tpm_persist (tpm, &key, DPS_TPM_HANDLE_SRK, &error);
  g_assert_no_error (error);
  dps_tpm_drop_key (tpm, &key);
  tpm_fixture_close (tpm, &fd);
}

/* An empty handle is no cleared TPM: the same key can be made. */
static void
test_evicted_srk (Fixture *f, gconstpointer data)
{
  const TPM2B_PUBLIC *(*const templates[]) (void) = { dps_tpm_template_rsa_srk,
                                                      dps_tpm_template_ecc_srk };

  for (gsize i = 0; i < G_N_ELEMENTS (templates); i++)
    {
      persist_srk (f, templates[i]());
      restart (f);
      store_fixture_commit (&f->store, "one");
      g_assert_cmpint (primary_in_file (f), ==, DPS_SEAL_PRIMARY_SRK);
      evict_srk (f);
      restart (f);
      store_fixture_assert_load (&f->store, "one", 1, TRUE);
      g_assert_true (dps_store_reset (f->store.store, NULL));
    }
}

/* What is not there any more, or another's, and how the store goes on. */
static void
test_other_tpm (Fixture *f, gconstpointer data)
{
  enum
  {
    NO_EK,
    EK,
    LEGACY_EK
  };
  static const struct
  {
    int ek;
    gboolean srk;
    gboolean replaced; /* else cleared */
    gboolean ek_again; /* another has its own at the handle */
    DpsTpmError code;
  } rows[] = {
    { EK, FALSE, FALSE, FALSE, DPS_TPM_ERROR_CLEARED },
    { EK, TRUE, FALSE, FALSE, DPS_TPM_ERROR_CLEARED },
    { EK, TRUE, FALSE, TRUE, DPS_TPM_ERROR_CLEARED },
    { LEGACY_EK, FALSE, FALSE, FALSE, DPS_TPM_ERROR_CLEARED },
    { EK, FALSE, TRUE, FALSE, DPS_TPM_ERROR_REPLACED },
    { EK, TRUE, TRUE, TRUE, DPS_TPM_ERROR_REPLACED },
    { NO_EK, FALSE, TRUE, FALSE, DPS_TPM_ERROR_REPLACED },
    { NO_EK, FALSE, FALSE, FALSE, DPS_TPM_ERROR_REPLACED }, /* nothing tells */
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("row %u", i);
      tpm_fixture_replace (&f->swtpm);
      g_assert_true (dps_store_reset (f->store.store, NULL));
      if (rows[i].ek != NO_EK)
        persist_ek (f, rows[i].ek == LEGACY_EK);
      if (rows[i].srk)
        persist_srk (f, dps_tpm_template_rsa_srk ());
      restart (f);
      store_fixture_commit (&f->store, "before");
      (rows[i].replaced ? tpm_fixture_replace : tpm_fixture_clear) (&f->swtpm);
      if (rows[i].ek_again)
        persist_ek (f, FALSE);
      restart (f);
      assert_load_fails (f, DPS_TPM_ERROR, (int) rows[i].code);
      assert_commit_fails (f, DPS_TPM_ERROR, (int) rows[i].code);
      store_fixture_assert_names (&f->store, ".", "gen-00000001 host.share lock seal.v1");

      dps_store_set_aside (f->store.store, &error);
      g_assert_no_error (error);
      store_fixture_commit (&f->store, "after");
      restart (f);
      store_fixture_assert_load (&f->store, "after", 1, TRUE);
      tpm_fixture_assert_empty (&f->swtpm);
    }
}

static void
test_passwords (Fixture *f, gconstpointer data)
{
  static const char *const wrong[] = { NULL, "wrong" };

  tpm_fixture_set_passwords (&f->swtpm, "own", "endorse");
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      restart_with (f, make_sealer (f, wrong[i]));
      assert_commit_fails (f, DPS_TPM_ERROR, DPS_TPM_ERROR_OWNER_AUTH);
    }
  restart_with (f, make_sealer (f, "own\n"));
  store_fixture_commit (&f->store, "sealed");
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      restart_with (f, make_sealer (f, wrong[i]));
      assert_load_fails (f, DPS_TPM_ERROR, DPS_TPM_ERROR_OWNER_AUTH);
    }
  restart_with (f, make_sealer (f, "own"));
  store_fixture_assert_load (&f->store, "sealed", 1, TRUE);
  g_assert_cmpuint (tpm_fixture_failures (&f->swtpm), ==, 0);
}

/* A seal that a generation needs is never made anew. */
static void
test_needed_seal (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) seal = NULL;
  g_autofree guint8 *bytes = NULL;
  gsize size;

  store_fixture_commit (&f->store, "one");
  seal = store_fixture_read (&f->store, DPS_SEAL_NAME);
  bytes = g_memdup2 (g_bytes_get_data (seal, &size), g_bytes_get_size (seal));
  bytes[size - 1] ^= 1;

  /* While T is in memory too: what is committed must be readable after a restart. */
  g_assert_no_errno (unlinkat (f->store.dir_fd, DPS_SEAL_NAME, 0));
  store_fixture_assert_commit_fails (&f->store, DPS_ERROR_FAILED);
  store_fixture_write (&f->store, DPS_SEAL_NAME, bytes, size);
  store_fixture_assert_commit_fails (&f->store, DPS_ERROR_FAILED);
  g_assert_no_errno (unlinkat (f->store.dir_fd, DPS_SEAL_NAME, 0));
  restart (f);
  store_fixture_assert_load_fails (&f->store, DPS_ERROR_FAILED, "missing");
  store_fixture_assert_commit_fails (&f->store, DPS_ERROR_FAILED);
  store_fixture_write (&f->store, DPS_SEAL_NAME, bytes, size);
  store_fixture_assert_load_fails (&f->store, DPS_ERROR_FAILED, "damaged");
  store_fixture_assert_commit_fails (&f->store, DPS_ERROR_FAILED);
  store_fixture_write (&f->store, DPS_SEAL_NAME, "", 0);
  store_fixture_assert_load_fails (&f->store, DPS_ERROR_FAILED, "no seal");

  store_fixture_write (&f->store, DPS_SEAL_NAME, g_bytes_get_data (seal, NULL), size);
  store_fixture_assert_load (&f->store, "one", 1, TRUE);
  store_fixture_assert_names (&f->store, ".", "gen-00000001 host.share lock seal.v1");
}

/* One that nothing needs is used where it opens, and made anew where it never will. */
static void
test_left_over_seal (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) seal = NULL;
  g_autoptr (GBytes) same = NULL;
  g_autoptr (GBytes) other = NULL;

  store_fixture_commit (&f->store, "one");
  seal = store_fixture_read (&f->store, DPS_SEAL_NAME);
  g_assert_no_errno (unlinkat (f->store.dir_fd, "gen-00000001", 0));
  restart (f);
  store_fixture_commit (&f->store, "two");
  same = store_fixture_read (&f->store, DPS_SEAL_NAME);
  g_assert_true (g_bytes_equal (seal, same));

  g_assert_no_errno (unlinkat (f->store.dir_fd, "gen-00000001", 0));
  restart_with (f, dps_tpm_sealer_new ("unix:/nonexistent/tpm", NULL, NULL));
  assert_commit_fails (f, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  tpm_fixture_replace (&f->swtpm);
  restart (f);
  store_fixture_commit (&f->store, "three");
  other = store_fixture_read (&f->store, DPS_SEAL_NAME);
  g_assert_false (g_bytes_equal (seal, other));
  store_fixture_write (&f->store, DPS_SEAL_NAME, "rubbish", 7);
  g_assert_no_errno (unlinkat (f->store.dir_fd, "gen-00000001", 0));
  restart (f);
  store_fixture_commit (&f->store, "four");
  restart (f);
  store_fixture_assert_load (&f->store, "four", 1, TRUE);
}

/* Both shares are needed: T alone, or the disk alone, opens nothing. */
static void
test_host_share (Fixture *f, gconstpointer data)
{
  store_fixture_commit (&f->store, "one");
  g_assert_no_errno (unlinkat (f->store.dir_fd, "host.share", 0));
  restart (f);
  store_fixture_assert_load_fails (&f->store, DPS_ERROR_FAILED, "host.share");
  store_fixture_assert_commit_fails (&f->store, DPS_ERROR_FAILED);
}

/* The power goes at each command of sealing and unsealing, before or after the TPM has
 * carried it out, and comes back. */
static void
test_kills (Fixture *f, gconstpointer data)
{
  guint killed = 0, in_seal = 0;

  restart_with (f, dps_host_sealer_new ());
  store_fixture_commit (&f->store, "kept");
  for (guint i = 0; killed < N_KILLS; i++)
    {
      g_autoptr (DpsSecret) payload = NULL;
      gboolean seals;

      g_assert_cmpuint (i, <, 2 * N_KILLS);
      restart (f);
      payload = dps_store_load (f->store.store, NULL, NULL, NULL);
      seals = dps_store_needs_migration (f->store.store);
      if (!seals)
        restart (f);
      tpm_fixture_kill_at (&f->swtpm,
                           1 + i / 2 % (seals ? SEAL_COMMANDS : UNSEAL_COMMANDS),
                           i % 2);
      g_clear_pointer (&payload, dps_secret_unref);
      if (seals)
        dps_store_migrate (f->store.store, NULL);
      else
        payload = dps_store_load (f->store.store, NULL, NULL, NULL);
      killed += tpm_fixture_was_killed (&f->swtpm);
      in_seal += seals && tpm_fixture_was_killed (&f->swtpm);

      tpm_fixture_restart (&f->swtpm);
      g_assert_cmpuint (tpm_fixture_failures (&f->swtpm), ==, 0);
      restart (f);
      g_clear_pointer (&payload, dps_secret_unref);
      payload = dps_store_load (f->store.store, NULL, NULL, NULL);
      g_assert_nonnull (payload);
      g_assert_cmpmem (dps_secret_data (payload), dps_secret_size (payload), "kept", 4);
      /* Back to the level host, for the next one. */
      if (i % 4 == 3)
        {
          g_assert_true (dps_store_reset (f->store.store, NULL));
          restart_with (f, dps_host_sealer_new ());
          store_fixture_commit (&f->store, "kept");
        }
    }
  printf ("# FIGURE sealer: %u unclean ends of the TPM in a row, %u of them while "
          "sealing: lockout counter 0, store readable after each\n",
          killed,
          in_seal);
  fflush (stdout);
  g_assert_cmpuint (in_seal, >=, N_KILLS / 4);
}

static void
seal_under_srk (Fixture *f)
{
  g_autoptr (DpsSecret) secret = dps_secret_new ("any", 3);
  g_autoptr (GError) error = NULL;
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
  DpsTpmKey srk = { 0 };
  gboolean found;
  int fd;
  DpsTpm *tpm = tpm_fixture_open (&f->swtpm, &fd);

  dps_tpm_read_key (tpm, DPS_TPM_HANDLE_SRK, &srk, &found, &error);
  g_assert_no_error (error);
  g_assert_true (found);
  dps_tpm_seal (tpm, &srk, secret, &public, &private, &error);
  g_assert_no_error (error);
  dps_tpm_drop_key (tpm, &srk);
  tpm_fixture_close (tpm, &fd);
}

/* What makes a 0 after the ends above worth something: this TPM counts one where a key
 * was in use that dictionary-attack protection covers, though no password was wrong. */
static void
test_kill_that_counts (Fixture *f, gconstpointer data)
{
  persist_guarded_srk (f);
  tpm_fixture_restart (&f->swtpm);
  g_assert_cmpuint (tpm_fixture_failures (&f->swtpm), ==, 0);
  seal_under_srk (f);
  g_assert_cmpuint (tpm_fixture_failures (&f->swtpm), ==, 0);
  tpm_fixture_restart (&f->swtpm);
  g_assert_cmpuint (tpm_fixture_failures (&f->swtpm), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                              \
  g_test_add ("/store/tpm-sealer/" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("counts", test_counts);
  ADD ("guarded-srk", test_guarded_srk);
  ADD ("absent", test_absent);
  ADD ("migrates", test_migrates);
  ADD ("other-tpm", test_other_tpm);
  ADD ("evicted-srk", test_evicted_srk);
  ADD ("passwords", test_passwords);
  ADD ("needed-seal", test_needed_seal);
  ADD ("left-over-seal", test_left_over_seal);
  ADD ("host-share", test_host_share);
  ADD ("kills", test_kills);
  ADD ("kill-that-counts", test_kill_that_counts);
#undef ADD
  return g_test_run ();
}
