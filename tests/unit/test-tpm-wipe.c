/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "memory-scan.h"
#include "tpm-fixture.h"

#include "tpm/dps-tpm-seal.h"

#include <string.h>

#define SIZE 32u
#define COPY (SIZE / MASKED_WINDOW)

/* The scan finds what it is to find: all of it, its end, and nothing that was wiped. */
static void
test_control (void)
{
  guint8 *copy = g_malloc (SIZE + 1);
  Masked masked;

  masked_make (&masked, SIZE);
  g_assert_cmpuint (masked_count (&masked), ==, 0);
  masked_put (&masked, copy + 1);
  g_assert_cmpuint (masked_count (&masked), ==, COPY);
  memset (copy, 0, 1 + SIZE - MASKED_WINDOW);
  g_assert_cmpuint (masked_count (&masked), ==, 1);
  explicit_bzero (copy, SIZE + 1);
  g_assert_cmpuint (masked_count (&masked), ==, 0);
  g_free (copy);
}

static void
make_parent (DpsTpm *tpm, DpsTpmKey *parent)
{
  g_autoptr (GError) error = NULL;

  dps_tpm_create_primary (tpm,
                          ESYS_TR_RH_OWNER,
                          dps_tpm_template_ecc_srk (),
                          parent,
                          &error);
  g_assert_no_error (error);
}

static void
seal (DpsTpm *tpm,
      const DpsTpmKey *parent,
      const Masked *masked,
      TPM2B_PUBLIC *public,
      TPM2B_PRIVATE *private)
{
  g_autoptr (DpsSecret) secret = dps_secret_new_empty (SIZE);
  g_autoptr (GError) error = NULL;

  masked_put (masked, dps_secret_edit (secret));
  g_assert_cmpuint (masked_count (masked), ==, COPY);
  dps_tpm_seal (tpm, parent, secret, public, private, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (masked_count (masked), ==, COPY);
}

static void
unseal (DpsTpm *tpm,
        const DpsTpmKey *parent,
        const Masked *masked,
        const TPM2B_PUBLIC *public,
        const TPM2B_PRIVATE *private)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) back = dps_tpm_unseal (tpm, parent, public, private, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (dps_secret_size (back), ==, SIZE);
  g_assert_cmpuint (masked_count (masked), ==, COPY);
}

/* One copy while somebody holds it, and none after: in the heap, on the stack, in
 * ESAPI's own, whether or not its context is still there. */
static void
test_seal (TpmFixture *f, gconstpointer data)
{
  DpsTpmKey parent = { 0 };
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
  Masked masked;
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);

  masked_make (&masked, SIZE);
  make_parent (tpm, &parent);
  seal (tpm, &parent, &masked, &public, &private);
  g_assert_cmpuint (masked_count (&masked), ==, 0);
  unseal (tpm, &parent, &masked, &public, &private);
  g_assert_cmpuint (masked_count (&masked), ==, 0);
  dps_tpm_drop_key (tpm, &parent);
  tpm_fixture_close (tpm, &fd);
  g_assert_cmpuint (masked_count (&masked), ==, 0);
}

static TSS2_RC
unseal_raw (DpsTpm *tpm, ESYS_TR object, ESYS_TR session)
{
  TPM2B_SENSITIVE_DATA *data = NULL;
  TSS2_RC rc = Esys_Unseal (dps_tpm_get_esys (tpm),
                            object,
                            session,
                            ESYS_TR_NONE,
                            ESYS_TR_NONE,
                            &data);

  if (rc == TSS2_RC_SUCCESS)
    explicit_bzero (data, sizeof *data);
  Esys_Free (data);
  return rc;
}

/* With no other command after it, which would write over some of it. */
static void
test_at_once (TpmFixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey parent = { 0 };
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
  ESYS_TR object, session;
  Masked masked;
  TSS2_RC rc;
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);

  masked_make (&masked, SIZE);
  make_parent (tpm, &parent);
  seal (tpm, &parent, &masked, &public, &private);
  dps_tpm_load (tpm, &parent, ESYS_TR_NONE, &private, &public, &object, &error);
  g_assert_no_error (error);
  dps_tpm_start_session (tpm, &parent, &session, &error);
  g_assert_no_error (error);
  dps_tpm_use_session (tpm, session, TPMA_SESSION_ENCRYPT, FALSE, &error);
  g_assert_no_error (error);
  rc = unseal_raw (tpm, object, session);
  dps_tpm_wipe_last (tpm);
  g_assert_cmpuint (masked_count (&masked), ==, 0);
  g_assert_cmphex (rc, ==, TSS2_RC_SUCCESS);
  /* What it is all for. */
  rc = unseal_raw (tpm, object, session);
  g_assert_cmpuint (masked_count (&masked), >=, COPY);
  g_assert_cmphex (rc, ==, TSS2_RC_SUCCESS);
  dps_tpm_wipe_last (tpm);
  dps_tpm_drop_key (tpm, &parent);
  tpm_fixture_close (tpm, &fd);
}

/* A context goes on where there was nothing to wipe, and sends nothing for it. */
static void
test_nothing_to_wipe (TpmFixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey key;
  gboolean found;
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);

  tpm_fixture_take_count (f);
  for (guint i = 0; i < 3; i++)
    {
      dps_tpm_wipe_last (tpm);
      g_assert_cmpuint (tpm_fixture_take_count (f), ==, 0);
      dps_tpm_read_key (tpm, DPS_TPM_HANDLE_EK, &key, &found, &error);
      g_assert_no_error (error);
      g_assert_false (found);
      g_assert_cmpuint (tpm_fixture_take_count (f), ==, 1);
    }
  tpm_fixture_close (tpm, &fd);
}

#define ADD(path, test)                                                                  \
  g_test_add (path, TpmFixture, NULL, tpm_fixture_set_up, test, tpm_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  g_test_add_func ("/tpm/wipe/control", test_control);
  ADD ("/tpm/wipe/seal-and-unseal", test_seal);
  ADD ("/tpm/wipe/at-once", test_at_once);
  ADD ("/tpm/wipe/nothing-to-wipe", test_nothing_to_wipe);
  return g_test_run ();
}
