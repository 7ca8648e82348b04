/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-issued-blob.h"
#include "core/dps-issued-key.h"
#include "tpm-fixture.h"
#include "tpm/dps-tpm-error.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <string.h>

static DpsTpmAccess *
access_new (TpmFixture *f)
{
  return dps_tpm_access_new (f->tcti, NULL, NULL);
}

static DpsIssuedKey *
make (DpsTpmAccess *access)
{
  g_autoptr (GError) error = NULL;
  DpsIssuedKey *key = dps_issued_key_make (access, &error);

  g_assert_no_error (error);
  g_assert_nonnull (key);
  return key;
}

static DpsIssuedKey *
open_stored (DpsIssuedKey *key, DpsTpmAccess *access)
{
  g_autoptr (GError) error = NULL;
  DpsIssuedKey *opened = dps_issued_key_open (dps_issued_key_get_key (key),
                                              dps_issued_key_get_blob (key),
                                              access,
                                              &error);

  g_assert_no_error (error);
  g_assert_cmpint (EVP_PKEY_eq (dps_issued_key_get_public (key),
                                dps_issued_key_get_public (opened)),
                   ==,
                   1);
  return opened;
}

static void
assert_signs (DpsIssuedKey *key, const char *mechanism, const EVP_MD *md)
{
  static const char text[] = "what is signed";
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) signature = NULL;
  EVP_MD_CTX *context = EVP_MD_CTX_new ();
  guint8 digest[EVP_MAX_MD_SIZE];
  unsigned size;

  g_assert_cmpint (EVP_Digest (text, sizeof text, digest, &size, md, NULL), ==, 1);
  signature = dps_issued_key_sign (key, mechanism, digest, size, &error);
  g_assert_no_error (error);
  g_assert_cmpint (EVP_DigestVerifyInit (context,
                                         NULL,
                                         md,
                                         NULL,
                                         dps_issued_key_get_public (key)),
                   ==,
                   1);
  g_assert_cmpint (EVP_DigestVerify (context,
                                     g_bytes_get_data (signature, NULL),
                                     g_bytes_get_size (signature),
                                     (const guint8 *) text,
                                     sizeof text),
                   ==,
                   1);
  EVP_MD_CTX_free (context);
}

static void
assert_signs_both (DpsIssuedKey *key)
{
  assert_signs (key, "ECDSA-SHA256", EVP_sha256 ());
  assert_signs (key, "ECDSA-SHA384", EVP_sha384 ());
}

static void
assert_refuses (DpsIssuedKey *key, const char *mechanism, gsize size, DpsError code)
{
  const guint8 digest[64] = { 1 };
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_issued_key_sign (key, mechanism, digest, size, &error));
  g_assert_error (error, DPS_ERROR, (int) code);
}

static void
test_memory (void)
{
  g_autoptr (DpsIssuedKey) key = make (NULL);
  g_autoptr (DpsIssuedKey) other = make (NULL);
  g_autoptr (DpsIssuedKey) opened = open_stored (key, NULL);
  BIGNUM *number = NULL;

  g_assert_null (dps_issued_key_get_blob (key));
  g_assert_cmpint (EVP_PKEY_get_bits (dps_issued_key_get_public (key)), ==, 384);
  g_assert_cmpint (EVP_PKEY_get_bn_param (dps_issued_key_get_public (key),
                                          OSSL_PKEY_PARAM_PRIV_KEY,
                                          &number),
                   ==,
                   0);
  g_assert_cmpint (EVP_PKEY_eq (dps_issued_key_get_public (key),
                                dps_issued_key_get_public (other)),
                   ==,
                   0);
  assert_signs_both (key);
  assert_signs_both (opened);
}

static void
test_refuses_other_mechanisms (void)
{
  g_autoptr (DpsIssuedKey) key = make (NULL);

  assert_refuses (key, "RSA-PSS-SHA256", 32, DPS_ERROR_NOT_SUPPORTED);
  assert_refuses (key, "HMAC-SHA256", 32, DPS_ERROR_NOT_SUPPORTED);
  assert_refuses (key, "ECDSA-SHA256", 48, DPS_ERROR_INVALID_ARGUMENT);
  assert_refuses (key, "ECDSA-SHA384", 32, DPS_ERROR_INVALID_ARGUMENT);
  assert_refuses (key, "ECDSA-SHA384", 0, DPS_ERROR_INVALID_ARGUMENT);
}

static DpsSecret *
pack_other_curve (void)
{
  EVP_PKEY *pkey = EVP_PKEY_Q_keygen (NULL, NULL, "EC", "P-256");
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8 (pkey);
  guint8 bytes[512], *end = bytes;
  int size = i2d_PKCS8_PRIV_KEY_INFO (info, &end);

  PKCS8_PRIV_KEY_INFO_free (info);
  EVP_PKEY_free (pkey);
  return dps_secret_new (bytes, (gsize) size);
}

static void
assert_no_key (const guint8 *data, gsize size)
{
  g_autoptr (DpsSecret) secret = dps_secret_new (data, size);
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_issued_key_open (secret, NULL, NULL, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
}

static void
test_refuses_damaged_keys (void)
{
  g_autoptr (DpsIssuedKey) key = make (NULL);
  g_autoptr (DpsSecret) other = pack_other_curve ();
  gsize size = dps_secret_size (dps_issued_key_get_key (key));
  g_autofree guint8 *bytes =
      g_memdup2 (dps_secret_data (dps_issued_key_get_key (key)), size);
  g_autofree guint8 *longer = g_malloc0 (size + 1);
  g_autofree guint8 *large = g_malloc0 (4096);

  memcpy (longer, bytes, size);
  for (gsize i = 0; i < size; i++)
    assert_no_key (bytes, i);
  assert_no_key (longer, size + 1);
  assert_no_key (large, 4096);
  assert_no_key (dps_secret_data (other), dps_secret_size (other));
}

/* --- in a TPM --------------------------------------------------------------------------
 */

static void
test_tpm (TpmFixture *f, gconstpointer data)
{
  g_autoptr (DpsTpmAccess) access = access_new (f);
  g_autoptr (DpsIssuedKey) key = NULL;
  g_autoptr (DpsIssuedKey) opened = NULL;
  gboolean persistent = data != NULL;
  guint count;

  if (persistent)
    tpm_fixture_persist (f, ESYS_TR_RH_OWNER, data, DPS_TPM_HANDLE_SRK);
  tpm_fixture_take_count (f);
  key = make (access);
  count = tpm_fixture_take_count (f);
  g_test_message ("FIGURE TPM commands to make a key: %u", count);
  /* TestParms, ReadPublic, [CreatePrimary, FlushContext,] StartAuthSession, Create */
  g_assert_cmpuint (count, ==, persistent ? 4 : 6);
  g_assert_null (dps_issued_key_get_key (key));
  g_assert_cmpuint (dps_secret_size (dps_issued_key_get_blob (key)), <, 600);
  tpm_fixture_assert_empty (f);

  opened = open_stored (key, access);
  tpm_fixture_take_count (f);
  assert_signs (opened, "ECDSA-SHA384", EVP_sha384 ());
  count = tpm_fixture_take_count (f);
  g_test_message ("FIGURE TPM commands to sign once: %u", count);
  /* ReadPublic or CreatePrimary, Load, Sign, FlushContext [twice] */
  g_assert_cmpuint (count, ==, persistent ? 4 : 5);
  assert_signs_both (key);
}

/* The primary is found again by its Name, whoever has put another key at the handle or
 * taken it from there since. */
static void
test_tpm_restarted (TpmFixture *f, gconstpointer data)
{
  g_autoptr (DpsTpmAccess) access = access_new (f);
  g_autoptr (DpsIssuedKey) key = make (access);

  tpm_fixture_restart (f);
  tpm_fixture_persist (f,
                       ESYS_TR_RH_OWNER,
                       dps_tpm_template_rsa_srk (),
                       DPS_TPM_HANDLE_SRK);
  assert_signs_both (key);
}

static void
assert_replaced (DpsIssuedKey *key)
{
  const guint8 digest[32] = { 1 };
  g_autoptr (GError) error = NULL;

  g_assert_null (
      dps_issued_key_sign (key, "ECDSA-SHA256", digest, sizeof digest, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_REPLACED);
}

static void
test_tpm_replaced (TpmFixture *f, gconstpointer data)
{
  g_autoptr (DpsTpmAccess) access = access_new (f);
  g_autoptr (DpsIssuedKey) key = make (access);

  tpm_fixture_replace (f);
  assert_replaced (key);
}

static void
test_tpm_cleared (TpmFixture *f, gconstpointer data)
{
  g_autoptr (DpsTpmAccess) access = access_new (f);
  g_autoptr (DpsIssuedKey) key = make (access);

  tpm_fixture_clear (f);
  assert_replaced (key);
}

static void
test_tpm_away (void)
{
  g_autoptr (DpsTpmAccess) access =
      dps_tpm_access_new ("unix:/run/dps-no-such-socket", NULL, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_issued_key_make (access, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
}

/* Each command of both operations but the flushes may be the last one that swtpm gets. */
static void
test_tpm_dies (TpmFixture *f, gconstpointer data)
{
  g_autoptr (DpsTpmAccess) access = access_new (f);
  g_autoptr (DpsIssuedKey) key = make (access);
  const guint8 digest[48] = { 1 };

  for (guint n = 1; n <= 5; n++)
    {
      g_autoptr (GError) error = NULL;

      tpm_fixture_kill_at (f, n, n % 2 == 0);
      g_assert_null (dps_issued_key_make (access, &error));
      g_assert_true (error->domain == DPS_TPM_ERROR);
      g_assert_true (tpm_fixture_was_killed (f));
      tpm_fixture_restart (f);
    }
  for (guint n = 1; n <= 3; n++)
    {
      g_autoptr (GError) error = NULL;

      tpm_fixture_kill_at (f, n, n % 2 == 0);
      g_assert_null (
          dps_issued_key_sign (key, "ECDSA-SHA384", digest, sizeof digest, &error));
      g_assert_true (error->domain == DPS_TPM_ERROR);
      g_assert_true (tpm_fixture_was_killed (f));
      tpm_fixture_restart (f);
    }
  assert_signs_both (key);
}

static void
test_blob (TpmFixture *f, gconstpointer data)
{
  g_autoptr (DpsTpmAccess) access = access_new (f);
  g_autoptr (DpsIssuedKey) key = make (access);
  DpsSecret *blob = dps_issued_key_get_blob (key);
  gsize size = dps_secret_size (blob);
  g_autofree guint8 *bytes = g_malloc0 (size + 1);
  g_autoptr (GError) newer = NULL;
  g_autoptr (DpsSecret) format = NULL;
  DpsIssuedBlob parts;

  memcpy (bytes, dps_secret_data (blob), size);
  for (gsize i = 0; i <= size + 1; i++)
    {
      g_autoptr (DpsSecret) cut = dps_secret_new (bytes, MIN (i, size + 1));
      g_autoptr (GError) error = NULL;
      gboolean ok = dps_issued_blob_unpack (&parts, cut, &error);

      g_assert_true (ok == (i == size));
      if (!ok)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
    }
  bytes[11] = 2;
  format = dps_secret_new (bytes, size);
  g_assert_false (dps_issued_blob_unpack (&parts, format, &newer));
  g_assert_error (newer, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
}

/* No flipped bit makes another key of it that is taken for one of ours, or crashes. */
static void
test_blob_flipped (TpmFixture *f, gconstpointer data)
{
  g_autoptr (DpsTpmAccess) access = access_new (f);
  g_autoptr (DpsIssuedKey) key = make (access);
  DpsSecret *blob = dps_issued_key_get_blob (key);
  gsize size = dps_secret_size (blob);

  for (gsize i = 0; i < 8 * size; i++)
    {
      g_autoptr (DpsSecret) flipped = dps_secret_new (dps_secret_data (blob), size);
      g_autoptr (GError) error = NULL;
      DpsIssuedBlob parts = { 0 };

      dps_secret_edit (flipped)[i / 8] ^= (guint8) (1u << i % 8);
      if (dps_issued_blob_unpack (&parts, flipped, &error))
        {
          g_autoptr (DpsSecret) again = dps_issued_blob_pack (&parts, NULL);

          g_assert_true (dps_secret_equal (again, flipped));
          g_assert_cmpuint (i / 8, >=, 15);
        }
      else
        g_assert_nonnull (error);
    }
}

#define ADD_TPM(path, data, test)                                                        \
  g_test_add (path, TpmFixture, data, tpm_fixture_set_up, test, tpm_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  g_test_add_func ("/issued-key/memory", test_memory);
  g_test_add_func ("/issued-key/refuses-other-mechanisms", test_refuses_other_mechanisms);
  g_test_add_func ("/issued-key/refuses-damaged-keys", test_refuses_damaged_keys);
  ADD_TPM ("/issued-key/tpm/no-storage-root-key", NULL, test_tpm);
  ADD_TPM ("/issued-key/tpm/rsa-storage-root-key", dps_tpm_template_rsa_srk (), test_tpm);
  ADD_TPM ("/issued-key/tpm/ecc-storage-root-key", dps_tpm_template_ecc_srk (), test_tpm);
  ADD_TPM ("/issued-key/tpm/restarted", NULL, test_tpm_restarted);
  ADD_TPM ("/issued-key/tpm/replaced", NULL, test_tpm_replaced);
  ADD_TPM ("/issued-key/tpm/cleared", NULL, test_tpm_cleared);
  ADD_TPM ("/issued-key/tpm/dies", NULL, test_tpm_dies);
  g_test_add_func ("/issued-key/tpm/away", test_tpm_away);
  ADD_TPM ("/issued-key/blob/bounds", NULL, test_blob);
  ADD_TPM ("/issued-key/blob/flipped", NULL, test_blob_flipped);
  return g_test_run ();
}
