/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-hkdf.h"

#include <string.h>

/* RFC 5869, appendix A.1 to A.3. */
static const struct
{
  const char *name;
  const char *ikm;
  const char *salt;
  const char *info;
  const char *okm;
} vectors[] = {
  { "a1",
    "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
    "000102030405060708090a0b0c",
    "f0f1f2f3f4f5f6f7f8f9",
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    "34007208d5b887185865" },
  { "a2",
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
    "404142434445464748494a4b4c4d4e4f",
    "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
    "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
    "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
    "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
    "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
    "cc30c58179ec3e87c14c01d5c1f3434f1d87" },
  { "a3",
    "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
    "",
    "",
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    "9d201395faa4b61a96c8" },
};

static GByteArray *
from_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; *hex != '\0'; hex += 2)
    {
      guint8 byte =
          (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}

static void
test_vector (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (GByteArray) ikm_bytes = from_hex (vectors[i].ikm);
  g_autoptr (GByteArray) salt = from_hex (vectors[i].salt);
  g_autoptr (GByteArray) info = from_hex (vectors[i].info);
  g_autoptr (GByteArray) okm = from_hex (vectors[i].okm);
  g_autoptr (DpsSecret) ikm = dps_secret_new (ikm_bytes->data, ikm_bytes->len);
  g_autoptr (DpsSecret) out = NULL;
  g_autoptr (GError) error = NULL;

  out = dps_hkdf_sha256 (ikm,
                         salt->data,
                         salt->len,
                         info->data,
                         info->len,
                         okm->len,
                         &error);
  g_assert_no_error (error);
  g_assert_cmpmem (dps_secret_data (out), dps_secret_size (out), okm->data, okm->len);
}

static void
test_longest (void)
{
  g_autoptr (DpsSecret) ikm = dps_secret_new ("k", 1);
  g_autoptr (DpsSecret) whole = NULL;
  g_autoptr (DpsSecret) part = NULL;
  g_autoptr (GError) error = NULL;

  whole = dps_hkdf_sha256 (ikm, NULL, 0, NULL, 0, DPS_HKDF_SHA256_MAX, &error);
  g_assert_no_error (error);
  part = dps_hkdf_sha256 (ikm, NULL, 0, NULL, 0, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (dps_secret_data (part), 1, dps_secret_data (whole), 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *path = g_strdup_printf ("/store/hkdf/rfc5869/%s", vectors[i].name);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_vector);
    }
  g_test_add_func ("/store/hkdf/longest", test_longest);
  return g_test_run ();
}
