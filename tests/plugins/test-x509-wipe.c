/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-wiping.h"
#include "test-pki.h"
#include "x509-key.h"

#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <string.h>

/* What reading a key file and signing leave of the key in memory that is given back, with
 * the memory functions that dps-plugin-host has. */

#define NEEDLE 24 /* bytes of the private number, in either order */

static guint8 needle[NEEDLE], reversed[NEEDLE];
static gboolean looking;
static guint looked_at, left;

void __real_free (void *memory);
void __wrap_free (void *memory);

/* What dps-wiping.c gives back: libraries have a free() of their own. */
void
__wrap_free (void *memory)
{
  gsize size = looking && memory != NULL ? malloc_usable_size (memory) : 0;

  if (size > 0)
    {
      looked_at++;
      left += memmem (memory, size, needle, NEEDLE) != NULL ||
              memmem (memory, size, reversed, NEEDLE) != NULL;
    }
  __real_free (memory);
}

static void
set_needle (EVP_PKEY *key, const char *parameter)
{
  BIGNUM *number = NULL;
  guint8 bytes[512];

  g_assert_cmpint (EVP_PKEY_get_bn_param (key, parameter, &number), ==, 1);
  g_assert_cmpint (BN_bn2bin (number, bytes), >, NEEDLE);
  memcpy (needle, bytes, NEEDLE);
  for (gsize i = 0; i < NEEDLE; i++)
    reversed[i] = needle[NEEDLE - 1 - i];
  BN_clear_free (number);
}

static char *
pem_of (EVP_PKEY *key, gboolean locked, gsize *length)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  char *data, *pem;
  long size;

  PEM_write_bio_PKCS8PrivateKey (bio,
                                 key,
                                 locked ? EVP_aes_256_cbc () : NULL,
                                 locked ? "x" : NULL,
                                 locked ? 1 : 0,
                                 NULL,
                                 NULL);
  size = BIO_get_mem_data (bio, &data);
  pem = g_memdup2 (data, (gsize) size);
  *length = (gsize) size;
  BIO_free (bio);
  return pem;
}

static void
try (EVP_PKEY *key, gboolean locked, const char *mechanism)
{
  static const guint8 digest[32] = { 1 };
  static const DpsPluginView passphrase = { (const guint8 *) "x", 1 };
  gsize size;
  g_autofree char *pem = pem_of (key, locked, &size);
  DpsPluginView file = { (const guint8 *) pem, size };
  X509Error error = { DPS_PLUGIN_OK };
  g_autoptr (GBytes) signature = NULL;
  X509Key *opened;

  looking = TRUE;
  opened = x509_key_open_file (NULL, &file, locked ? &passphrase : NULL, &error);
  g_assert_nonnull (opened);
  signature = opened->sign (opened, mechanism, digest, sizeof digest, &error);
  x509_key_free (opened);
  looking = FALSE;
  g_assert_nonnull (signature);
}

static void
test_wiped (void)
{
  EVP_PKEY *ec = test_pki_key ("P-256"), *rsa = test_pki_key ("RSA-2048");

  for (int locked = 0; locked < 2; locked++)
    {
      set_needle (ec, OSSL_PKEY_PARAM_PRIV_KEY);
      try (ec, locked, "ECDSA-SHA256");
      set_needle (rsa, OSSL_PKEY_PARAM_RSA_D);
      try (rsa, locked, "RSA-PSS-SHA256");
      set_needle (rsa, OSSL_PKEY_PARAM_RSA_FACTOR1);
      try (rsa, locked, "RSA-PKCS1-SHA256");
    }
  EVP_PKEY_free (ec);
  EVP_PKEY_free (rsa);
  g_test_message ("FIGURE %u blocks given back, %u with a part of the key",
                  looked_at,
                  left);
  g_assert_cmpuint (looked_at, >, 100);
  g_assert_cmpuint (left, ==, 0);
}

int
main (int argc, char **argv)
{
  g_assert_true (dps_wiping_install ());
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/x509/key/wiped", test_wiped);
  return g_test_run ();
}
