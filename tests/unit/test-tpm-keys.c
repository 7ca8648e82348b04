/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm-fixture.h"

#include "common/dps-io.h"
#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-private.h"
#include "tpm/dps-tpm-seal.h"

#include <signal.h>
#include <string.h>

typedef struct
{
  TpmFixture swtpm; /* first: set_up and tear_down of the fixture take it */
  DpsTpm *tpm;
  int fd;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  tpm_fixture_set_up (&f->swtpm, data);
  f->tpm = tpm_fixture_open (&f->swtpm, &f->fd);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  tpm_fixture_close (f->tpm, &f->fd);
  tpm_fixture_tear_down (&f->swtpm, data);
}

static void
reopen (Fixture *f)
{
  tpm_fixture_close (f->tpm, &f->fd);
  f->tpm = tpm_fixture_open (&f->swtpm, &f->fd);
}

static void
set_auth (Fixture *f, DpsTpmAuth auth, const char *password)
{
  g_autoptr (GError) error = NULL;

  dps_tpm_set_auth (f->tpm, auth, (const guint8 *) password, strlen (password), &error);
  g_assert_no_error (error);
}

static void
create (Fixture *f, ESYS_TR hierarchy, const TPM2B_PUBLIC *template, DpsTpmKey *key)
{
  g_autoptr (GError) error = NULL;

  dps_tpm_create_primary (f->tpm, hierarchy, template, key, &error);
  g_assert_no_error (error);
  g_assert_true (key->transient);
}

static gboolean
read_key (Fixture *f, TPM2_HANDLE handle, DpsTpmKey *key)
{
  g_autoptr (GError) error = NULL;
  gboolean found;

  dps_tpm_read_key (f->tpm, handle, key, &found, &error);
  g_assert_no_error (error);
  return found;
}

static void
persist (Fixture *f, const DpsTpmKey *key, TPM2_HANDLE handle)
{
  g_autoptr (GError) error = NULL;

  dps_tpm_persist (f->tpm, key, handle, &error);
  g_assert_no_error (error);
}

static void
assert_same (const DpsTpmKey *a, const DpsTpmKey *b)
{
  g_assert_cmpmem (a->name.name, a->name.size, b->name.name, b->name.size);
}

static void
test_persistent (Fixture *f, gconstpointer data)
{
  static const struct
  {
    TPM2_HANDLE handle;
    ESYS_TR hierarchy;
    gboolean is_ek;
  } rows[] = {
    { DPS_TPM_HANDLE_EK, ESYS_TR_RH_ENDORSEMENT, TRUE },
    { DPS_TPM_HANDLE_SRK, ESYS_TR_RH_OWNER, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const TPM2B_PUBLIC *template =
          rows[i].is_ek ? dps_tpm_template_ek (FALSE) : dps_tpm_template_rsa_srk ();
      DpsTpmKey made = { 0 }, read = { 0 };

      g_assert_false (read_key (f, rows[i].handle, &read));
      create (f, rows[i].hierarchy, template, &made);
      persist (f, &made, rows[i].handle);
      tpm_fixture_take_count (&f->swtpm);
      g_assert_true (read_key (f, rows[i].handle, &read));
      g_assert_cmpuint (tpm_fixture_take_count (&f->swtpm), ==, 1);
      g_assert_false (read.transient);
      assert_same (&made, &read);
      g_assert_cmpuint (read.public.publicArea.unique.rsa.size, ==, 256);
      g_assert_cmpuint (dps_tpm_is_dps_parent (&read.public), ==, TRUE);
      dps_tpm_drop_key (f->tpm, &made);
      dps_tpm_drop_key (f->tpm, &read);
      g_assert_cmphex (read.tr, ==, 0);
    }
}

static void
test_occupied (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey ecc = { 0 }, rsa = { 0 }, read = { 0 };

  create (f, ESYS_TR_RH_OWNER, dps_tpm_template_ecc_srk (), &ecc);
  create (f, ESYS_TR_RH_OWNER, dps_tpm_template_rsa_srk (), &rsa);
  persist (f, &ecc, DPS_TPM_HANDLE_SRK);
  g_assert_false (dps_tpm_persist (f->tpm, &rsa, DPS_TPM_HANDLE_SRK, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_FAILED);
  g_assert_true (read_key (f, DPS_TPM_HANDLE_SRK, &read));
  assert_same (&read, &ecc);
  g_assert_true (dps_tpm_is_storage_parent (&read.public));
  g_assert_false (dps_tpm_is_dps_parent (&read.public));
  dps_tpm_drop_key (f->tpm, &read);
  dps_tpm_drop_key (f->tpm, &ecc);
  dps_tpm_drop_key (f->tpm, &rsa);
}

/* Until there is no room; the code is the TPM's own. */
static void
test_nv_full (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };

  create (f, ESYS_TR_RH_OWNER, dps_tpm_template_rsa_srk (), &key);
  for (TPM2_HANDLE handle = 0x81008000; error == NULL; handle++)
    dps_tpm_persist (f->tpm, &key, handle, &error);
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_NV_FULL);
  dps_tpm_drop_key (f->tpm, &key);
}

static void
test_object_memory (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  for (guint i = 0; error == NULL; i++)
    {
      DpsTpmKey key = { 0 };

      g_assert_cmpuint (i, <, 64);
      dps_tpm_create_primary (f->tpm,
                              ESYS_TR_RH_NULL,
                              dps_tpm_template_ecc_srk (),
                              &key,
                              &error);
    }
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_MEMORY);
  /* dps_tpm_free () flushes them all: see tear_down. */
}

static DpsSecret *
seal_and_unseal (Fixture *f, const DpsTpmKey *parent)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) secret = dps_secret_new ("attack at dawn", 14);
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
  DpsSecret *back;

  tpm_fixture_take_count (&f->swtpm);
  g_assert_false (tpm_fixture_saw (&f->swtpm, "\x80", 1));
  dps_tpm_seal (f->tpm, parent, secret, &public, &private, &error);
  g_assert_no_error (error);
  g_assert_false (tpm_fixture_saw (&f->swtpm, "attack", 6));
  g_assert_cmpuint (tpm_fixture_take_count (&f->swtpm), ==, 2);
  back = dps_tpm_unseal (f->tpm, parent, &public, &private, &error);
  g_assert_no_error (error);
  g_assert_false (tpm_fixture_saw (&f->swtpm, "attack", 6));
  g_assert_cmpuint (tpm_fixture_take_count (&f->swtpm), ==, 4);
  g_assert_true (dps_secret_equal (secret, back));
  return back;
}

static void
test_seal (Fixture *f, gconstpointer data)
{
  const TPM2B_PUBLIC *templates[] = { dps_tpm_template_rsa_srk (),
                                      dps_tpm_template_ecc_srk () };

  for (guint i = 0; i < G_N_ELEMENTS (templates); i++)
    {
      DpsTpmKey parent = { 0 };
      g_autoptr (DpsSecret) back = NULL;

      create (f, ESYS_TR_RH_OWNER, templates[i], &parent);
      back = seal_and_unseal (f, &parent);
      dps_tpm_drop_key (f->tpm, &parent);
      tpm_fixture_assert_empty_through (f->tpm);
    }
}

static void
test_passwords (Fixture *f, gconstpointer data)
{
  DpsTpmKey ek = { 0 }, srk = { 0 };

  tpm_fixture_close (f->tpm, &f->fd);
  tpm_fixture_set_passwords (&f->swtpm, "owner's", "endorse");
  /* What sets one sends it in the clear, so the record would show it. */
  g_assert_true (tpm_fixture_saw (&f->swtpm, "owner's", 7));
  g_assert_true (tpm_fixture_saw (&f->swtpm, "endorse", 7));
  f->tpm = tpm_fixture_open (&f->swtpm, &f->fd);
  set_auth (f, DPS_TPM_AUTH_OWNER, "owner's\n");
  set_auth (f, DPS_TPM_AUTH_ENDORSEMENT, "endorse\r\n");
  tpm_fixture_take_count (&f->swtpm);
  create (f, ESYS_TR_RH_ENDORSEMENT, dps_tpm_template_ek (TRUE), &ek);
  g_assert_false (tpm_fixture_saw (&f->swtpm, "endorse", 7));
  g_assert_cmpuint (tpm_fixture_take_count (&f->swtpm), ==, 4);
  create (f, ESYS_TR_RH_OWNER, dps_tpm_template_rsa_srk (), &srk);
  persist (f, &srk, DPS_TPM_HANDLE_SRK);
  g_assert_false (tpm_fixture_saw (&f->swtpm, "owner's", 7));
  dps_tpm_drop_key (f->tpm, &ek);
  dps_tpm_drop_key (f->tpm, &srk);
  tpm_fixture_assert_empty_through (f->tpm);
}

/* The key's own password, right and wrong, under it a wrapped object. */
static void
test_srk_password (Fixture *f, gconstpointer data)
{
  static const char *const wrong[] = { "", "not it" };
  TPM2B_SENSITIVE_CREATE sensitive = { .sensitive.userAuth = { 7, "storage" } };
  const TPM2B_DATA outside = { 0 };
  const TPML_PCR_SELECTION pcrs = { 0 };
  g_autoptr (DpsSecret) back = NULL;
  DpsTpmKey made = { .transient = TRUE }, srk = { 0 };

  g_assert_cmphex (Esys_CreatePrimary (dps_tpm_get_esys (f->tpm),
                                       ESYS_TR_RH_OWNER,
                                       ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE,
                                       ESYS_TR_NONE,
                                       &sensitive,
                                       dps_tpm_template_rsa_srk (),
                                       &outside,
                                       &pcrs,
                                       &made.tr,
                                       NULL,
                                       NULL,
                                       NULL,
                                       NULL),
                   ==,
                   TSS2_RC_SUCCESS);
  persist (f, &made, DPS_TPM_HANDLE_SRK);
  dps_tpm_drop_key (f->tpm, &made);
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (DpsSecret) secret = dps_secret_new ("x", 1);
      g_autoptr (GError) error = NULL;
      TPM2B_PUBLIC public;
      TPM2B_PRIVATE private;

      set_auth (f, DPS_TPM_AUTH_SRK, wrong[i]);
      g_assert_true (read_key (f, DPS_TPM_HANDLE_SRK, &srk));
      g_assert_false (dps_tpm_seal (f->tpm, &srk, secret, &public, &private, &error));
      g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_SRK_AUTH);
      dps_tpm_drop_key (f->tpm, &srk);
      tpm_fixture_assert_empty_through (f->tpm);
    }
  set_auth (f, DPS_TPM_AUTH_SRK, "storage");
  g_assert_true (read_key (f, DPS_TPM_HANDLE_SRK, &srk));
  back = seal_and_unseal (f, &srk);
  dps_tpm_drop_key (f->tpm, &srk);
  tpm_fixture_close (f->tpm, &f->fd);
  g_assert_cmpuint (tpm_fixture_failures (&f->swtpm), ==, 0);
  f->tpm = tpm_fixture_open (&f->swtpm, &f->fd);
}

static void
test_too_long (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  guint8 password[66];

  memset (password, 'p', sizeof password);
  password[64] = '\n';
  g_assert_true (dps_tpm_set_auth (f->tpm, DPS_TPM_AUTH_SRK, password, 65, NULL));
  g_assert_true (dps_tpm_has_auth (f->tpm, DPS_TPM_AUTH_SRK));
  g_assert_false (dps_tpm_set_auth (f->tpm, DPS_TPM_AUTH_SRK, password, 66, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_SRK_AUTH);
  g_assert_null (strstr (error->message, "ppp"));
  g_assert_true (dps_tpm_set_auth (f->tpm, DPS_TPM_AUTH_SRK, NULL, 0, NULL));
  g_assert_false (dps_tpm_has_auth (f->tpm, DPS_TPM_AUTH_SRK));
}

/* As after a clear, or on another board: the configuration still names one. */
static void
test_unused_password (Fixture *f, gconstpointer data)
{
  DpsTpmKey key = { 0 };

  set_auth (f, DPS_TPM_AUTH_OWNER, "owner's");
  g_assert_false (dps_tpm_has_auth (f->tpm, DPS_TPM_AUTH_OWNER));
  create (f, ESYS_TR_RH_OWNER, dps_tpm_template_ecc_srk (), &key);
  dps_tpm_drop_key (f->tpm, &key);
}

static void
test_wrong_password (Fixture *f, gconstpointer data)
{
  static const struct
  {
    DpsTpmAuth auth;
    ESYS_TR hierarchy;
    const char *password; /* NULL = none given */
    DpsTpmError code;
  } rows[] = {
    { DPS_TPM_AUTH_OWNER, ESYS_TR_RH_OWNER, NULL, DPS_TPM_ERROR_OWNER_AUTH },
    { DPS_TPM_AUTH_OWNER, ESYS_TR_RH_OWNER, "wrong", DPS_TPM_ERROR_OWNER_AUTH },
    { DPS_TPM_AUTH_ENDORSEMENT,
      ESYS_TR_RH_ENDORSEMENT,
      NULL,
      DPS_TPM_ERROR_ENDORSEMENT_AUTH },
    { DPS_TPM_AUTH_ENDORSEMENT,
      ESYS_TR_RH_ENDORSEMENT,
      "wrong",
      DPS_TPM_ERROR_ENDORSEMENT_AUTH },
  };

  tpm_fixture_close (f->tpm, &f->fd);
  tpm_fixture_set_passwords (&f->swtpm, "own", "endorse");
  f->tpm = tpm_fixture_open (&f->swtpm, &f->fd);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      DpsTpmKey key = { 0 };

      set_auth (f, rows[i].auth, rows[i].password != NULL ? rows[i].password : "");
      g_assert_false (dps_tpm_create_primary (f->tpm,
                                              rows[i].hierarchy,
                                              dps_tpm_template_rsa_srk (),
                                              &key,
                                              &error));
      g_assert_error (error, DPS_TPM_ERROR, (int) rows[i].code);
      g_assert_null (strstr (error->message, "wrong "));
      tpm_fixture_assert_empty_through (f->tpm);
    }
  reopen (f);
  tpm_fixture_close (f->tpm, &f->fd);
  g_assert_cmpuint (tpm_fixture_failures (&f->swtpm), ==, 0);
  f->tpm = tpm_fixture_open (&f->swtpm, &f->fd);
}

static void
test_sessions (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };
  ESYS_TR hmac, policy;

  create (f, ESYS_TR_RH_OWNER, dps_tpm_template_rsa_srk (), &key);
  dps_tpm_start_session (f->tpm, &key, &hmac, &error);
  g_assert_no_error (error);
  dps_tpm_start_policy (f->tpm, &policy, &error);
  g_assert_no_error (error);
  dps_tpm_flush (f->tpm, &policy);
  g_assert_cmphex (policy, ==, ESYS_TR_NONE);
  dps_tpm_flush (f->tpm, &policy);
  /* What stays loaded is left to dps_tpm_free(): see tear_down. */
}

/* A stopped TPM: the deadline holds, and nothing is sent afterwards. */
static void
test_stopped (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };
  ESYS_TR session;
  gint64 begin;

  create (f, ESYS_TR_RH_OWNER, dps_tpm_template_ecc_srk (), &key);
  dps_tpm_tcti_set_deadlines (f->tpm->tcti, 200, 400);
  kill (f->swtpm.pid, SIGSTOP);
  begin = g_get_monotonic_time ();
  tpm_fixture_take_count (&f->swtpm);
  g_assert_false (dps_tpm_start_session (f->tpm, &key, &session, &error));
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 5 * 200 * 1000);
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_TIMED_OUT);
  dps_tpm_drop_key (f->tpm, &key);
  tpm_fixture_close (f->tpm, &f->fd);
  kill (f->swtpm.pid, SIGCONT);
  g_assert_cmpuint (tpm_fixture_take_count (&f->swtpm), ==, 1);
  tpm_fixture_restart (&f->swtpm);
  f->tpm = tpm_fixture_open (&f->swtpm, &f->fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                              \
  g_test_add ("/tpm" path, Fixture, NULL, set_up, function, tear_down)
  ADD ("/key/persistent-is-read-in-one-command", test_persistent);
  ADD ("/key/handle-in-use-is-never-overwritten", test_occupied);
  ADD ("/key/no-room-to-persist", test_nv_full);
  ADD ("/key/no-room-to-load-and-all-is-flushed", test_object_memory);
  ADD ("/seal/round-trip-in-six-commands", test_seal);
  ADD ("/auth/passwords-of-hierarchies", test_passwords);
  ADD ("/auth/wrong-password-has-its-error-and-counts-nothing", test_wrong_password);
  ADD ("/auth/password-of-the-storage-root-key", test_srk_password);
  ADD ("/auth/longest-password", test_too_long);
  ADD ("/auth/password-that-the-tpm-does-not-have", test_unused_password);
  ADD ("/session/what-is-left-is-flushed", test_sessions);
  ADD ("/tcti/stopped-tpm-times-out-and-is-left-alone", test_stopped);
#undef ADD
  return g_test_run ();
}
