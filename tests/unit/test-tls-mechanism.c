/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "dps/dps-tls-identity.h"
#include "dps/dps-tls-mechanism.h"
#include "test-pki.h"

#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)

static const guint8 digest[64] = "0123456789abcdef0123456789abcdef0123456789abcdef";

typedef struct
{
  const char *kind; /* of the key */
  const char *mechanism;
  gsize size;
} Row;

static const Row good[] = {
  { "RSA-2048", DPS_TLS_RSA_PKCS1_SHA256, 32 },
  { "RSA-2048", DPS_TLS_RSA_PSS_SHA256, 32 },
  { "P-256", DPS_TLS_ECDSA_SHA256, 32 },
  { "P-256", DPS_TLS_ECDSA_SHA384, 48 },
  { "P-384", DPS_TLS_ECDSA_SHA256, 32 },
  { "P-384", DPS_TLS_ECDSA_SHA384, 48 },
};

static void
test_refuses (void)
{
  static const Row bad[] = {
    { "RSA-2048", DPS_TLS_ECDSA_SHA256, 32 },  { "P-256", DPS_TLS_RSA_PSS_SHA256, 32 },
    { "P-384", DPS_TLS_RSA_PKCS1_SHA256, 32 }, { "P-256", "", 32 },
    { "P-256", "ecdsa-sha256", 32 },           { "P-256", "ECDSA-SHA256 ", 32 },
    { "P-256", "ECDSA-SHA512", 64 },           { "RSA-2048", "HMAC-SHA256", 32 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (EVP_PKEY) key = test_pki_key (bad[i].kind);
      g_autoptr (GError) error = NULL;

      g_test_message ("%s '%s'", bad[i].kind, bad[i].mechanism);
      g_assert_false (
          dps_tls_mechanism_check (bad[i].mechanism, key, bad[i].size, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_sizes (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (EVP_PKEY) key = test_pki_key (good[i].kind);

      for (gsize size = 0; size <= 65; size++)
        {
          g_autoptr (GError) error = NULL;

          if (dps_tls_mechanism_check (good[i].mechanism, key, size, &error))
            g_assert_cmpuint (size, ==, good[i].size);
          else
            {
              g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
              g_assert_cmpuint (size, !=, good[i].size);
            }
        }
    }
}

static GBytes *
change (GBytes *bytes, gsize at, gssize grow)
{
  gsize size = g_bytes_get_size (bytes);
  g_autofree guint8 *copy = g_malloc0 (size + 1);

  memcpy (copy, g_bytes_get_data (bytes, NULL), size);
  copy[at] ^= 1;
  return g_bytes_new (copy, (gsize) ((gssize) size + grow));
}

/* Every mechanism's signature, and that one alone. */
static void
test_verifies (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (EVP_PKEY) key = test_pki_key (good[i].kind);
      g_autoptr (EVP_PKEY) other = test_pki_key (good[i].kind);
      TestPkiSigner signer = { .key = key };
      const char *name = good[i].mechanism;
      gsize size = good[i].size;
      g_autoptr (GBytes) made = test_pki_signer_sign (&signer, name, digest, size, NULL);
      g_autoptr (GBytes) last_bit = change (made, g_bytes_get_size (made) - 1, 0);
      g_autoptr (GBytes) first_bit = change (made, 0, 0);
      g_autoptr (GBytes) longer = change (made, g_bytes_get_size (made), 1);
      g_autoptr (GBytes) shorter = change (made, g_bytes_get_size (made), -1);
      g_autoptr (GBytes) empty = g_bytes_new (NULL, 0);
      GBytes *wrong[] = { last_bit, first_bit, longer, shorter, empty };

      g_test_message ("%s %s", good[i].kind, name);
      g_assert_true (dps_tls_mechanism_verifies (name, key, made, digest, size));
      g_assert_false (dps_tls_mechanism_verifies (name, key, made, digest + 1, size));
      if (!g_str_has_prefix (good[i].kind, "RSA"))
        g_assert_false (dps_tls_mechanism_verifies (name, other, made, digest, size));
      for (gsize k = 0; k < G_N_ELEMENTS (wrong); k++)
        g_assert_false (dps_tls_mechanism_verifies (name, key, wrong[k], digest, size));
    }
}

/* PKCS#1 v1.5 is not PSS. */
static void
test_padding (void)
{
  g_autoptr (EVP_PKEY) key = test_pki_key ("RSA-2048");
  TestPkiSigner signer = { .key = key };
  static const char *const names[] = { DPS_TLS_RSA_PKCS1_SHA256, DPS_TLS_RSA_PSS_SHA256 };

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GBytes) made =
          test_pki_signer_sign (&signer, names[i], digest, 32, NULL);

      g_assert_false (dps_tls_mechanism_verifies (names[1 - i], key, made, digest, 32));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-mechanism/refuses-what-is-not-for-the-key", test_refuses);
  g_test_add_func ("/tls-mechanism/one-length-of-digest", test_sizes);
  g_test_add_func ("/tls-mechanism/verifies-its-signature-alone", test_verifies);
  g_test_add_func ("/tls-mechanism/verifies-its-padding-alone", test_padding);
  return g_test_run ();
}
