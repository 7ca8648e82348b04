/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "dps/dps-tls-identity.h"
#include "test-pki.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

static const char *const kinds[] = { "RSA-2048", "P-256", "P-384" };

/* A key of the built-in provider, and who signs for it. */
typedef struct
{
  TestPkiSigner signer;
  EVP_PKEY *key;
  gint destroyed;
} Fixture;

static void
on_destroyed (gpointer data)
{
  g_atomic_int_inc (&((Fixture *) data)->destroyed);
}

static void
set_up (Fixture *f, const char *kind)
{
  g_autoptr (GError) error = NULL;

  *f = (Fixture){ .signer = { .key = test_pki_key (kind) } };
  f->key = dps_tls_key_new (f->signer.key, test_pki_signer_sign, f, on_destroyed, &error);
  g_assert_no_error (error);
  g_assert_nonnull (f->key);
}

static void
tear_down (Fixture *f)
{
  EVP_PKEY_free (f->key);
  g_assert_cmpint (f->destroyed, ==, 1);
  EVP_PKEY_free (f->signer.key);
}

/* ---- which keys ---- */

static void
test_kinds (void)
{
  static const struct
  {
    const char *kind;
    const char *algorithms; /* NULL = refused */
  } rows[] = {
    { "RSA-2048", "rsa_pss_rsae_sha256:RSA+SHA256" },
    { "P-256", "ECDSA+SHA256" },
    { "P-384", "ECDSA+SHA384" },
    { "RSA-1024", NULL },
    { "P-521", NULL },
    { "ED25519", NULL },
    { "RSA-PSS", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Fixture f = { .signer = { .key = test_pki_key (rows[i].kind) } };
      EVP_PKEY *ca_key = test_pki_key ("P-256");
      X509 *leaf = test_pki_certificate (
          &(TestPkiRequest){ "edge", f.signer.key, NULL, ca_key, FALSE });
      g_autofree char *pem = test_pki_pem (leaf);
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsCertificateChain) chain =
          dps_certificate_chain_new_from_pem (pem, strlen (pem), &error);
      DpsTlsIdentity *identity;

      g_assert_no_error (error);
      identity =
          dps_tls_identity_new (chain, test_pki_signer_sign, &f, on_destroyed, &error);
      if (rows[i].algorithms != NULL)
        {
          g_assert_no_error (error);
          g_assert_true (dps_tls_identity_get_chain (identity) == chain);
          g_assert_cmpstr (dps_tls_identity_get_algorithms (identity),
                           ==,
                           rows[i].algorithms);
          g_assert_cmpint (X509_check_private_key (leaf,
                                                   dps_tls_identity_get_key (identity)),
                           ==,
                           1);
          dps_tls_identity_unref (dps_tls_identity_ref (identity));
          g_assert_cmpint (f.destroyed, ==, 0);
          dps_tls_identity_unref (identity);
        }
      else
        {
          g_assert_null (identity);
          g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
        }
      g_assert_cmpint (f.destroyed, ==, 1);
      g_assert_cmpint (f.signer.calls, ==, 0);
      X509_free (leaf);
      EVP_PKEY_free (ca_key);
      EVP_PKEY_free (f.signer.key);
    }
}

/* Of both sides, as libssl and X509_REQ_verify() ask. */
static void
test_public_half (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      EVP_PKEY *other = test_pki_key (kinds[i]);
      char group[32] = "", expected[32] = "";
      Fixture f;

      set_up (&f, kinds[i]);
      g_assert_cmpint (EVP_PKEY_eq (f.key, f.signer.key), ==, 1);
      g_assert_cmpint (EVP_PKEY_eq (f.signer.key, f.key), ==, 1);
      g_assert_cmpint (EVP_PKEY_eq (f.key, other), !=, 1);
      g_assert_cmpint (EVP_PKEY_eq (other, f.key), !=, 1);
      g_assert_cmpint (EVP_PKEY_get_bits (f.key), ==, EVP_PKEY_get_bits (other));
      g_assert_cmpint (EVP_PKEY_get_size (f.key), ==, EVP_PKEY_get_size (other));
      g_assert_cmpint (EVP_PKEY_get_security_bits (f.key),
                       ==,
                       EVP_PKEY_get_security_bits (other));
      EVP_PKEY_get_group_name (f.key, group, sizeof group, NULL);
      EVP_PKEY_get_group_name (other, expected, sizeof expected, NULL);
      g_assert_cmpstr (group, ==, expected);
      EVP_PKEY_free (other);
      tear_down (&f);
      ERR_clear_error ();
    }
}

static void
test_no_private_half (void)
{
  static const char *const parts[] = { OSSL_PKEY_PARAM_PRIV_KEY,
                                       OSSL_PKEY_PARAM_RSA_D,
                                       OSSL_PKEY_PARAM_RSA_FACTOR1 };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      BIO *bio = BIO_new (BIO_s_mem ());
      OSSL_PARAM *params = NULL;
      Fixture f;

      set_up (&f, kinds[i]);
      for (gsize k = 0; k < G_N_ELEMENTS (parts); k++)
        {
          BIGNUM *number = NULL;

          g_assert_cmpint (EVP_PKEY_get_bn_param (f.key, parts[k], &number), !=, 1);
          g_assert_null (number);
        }
      g_assert_cmpint (EVP_PKEY_todata (f.key, EVP_PKEY_KEYPAIR, &params), !=, 1);
      g_assert_cmpint (EVP_PKEY_todata (f.key, EVP_PKEY_PUBLIC_KEY, &params), ==, 1);
      for (gsize k = 0; k < G_N_ELEMENTS (parts); k++)
        g_assert_null (OSSL_PARAM_locate (params, parts[k]));
      g_assert_cmpint (PEM_write_bio_PrivateKey (bio, f.key, NULL, NULL, 0, NULL, NULL),
                       !=,
                       1);
      OSSL_PARAM_free (params);
      BIO_free (bio);
      tear_down (&f);
      ERR_clear_error ();
    }
}

/* Nobody finds the provider who does not have its key: RSA stays OpenSSL's. */
static void
test_not_found (void)
{
  static const char *const names[] = { "RSA", "EC" };
  Fixture f;

  set_up (&f, "RSA-2048");
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      EVP_KEYMGMT *manager = EVP_KEYMGMT_fetch (NULL, names[i], NULL);
      const OSSL_PROVIDER *provider = EVP_KEYMGMT_get0_provider (manager);

      g_assert_cmpstr (OSSL_PROVIDER_get0_name (provider), ==, "default");
      EVP_KEYMGMT_free (manager);
    }
  g_assert_null (EVP_KEYMGMT_fetch (NULL, "RSA", "provider=dps"));
  ERR_clear_error ();
  tear_down (&f);
}

/* ---- signing ---- */

static const struct
{
  const char *kind;
  const char *hash;
  gboolean pss;
  const char *mechanism;
} mechanisms[] = {
  { "RSA-2048", "SHA256", FALSE, DPS_TLS_RSA_PKCS1_SHA256 },
  { "RSA-2048", "SHA256", TRUE, DPS_TLS_RSA_PSS_SHA256 },
  { "P-256", "SHA256", FALSE, DPS_TLS_ECDSA_SHA256 },
  { "P-384", "SHA384", FALSE, DPS_TLS_ECDSA_SHA384 },
  { "P-384", "SHA256", FALSE, DPS_TLS_ECDSA_SHA256 },
};

static gboolean
pad (EVP_PKEY_CTX *context, gboolean pss)
{
  return !pss ||
         (EVP_PKEY_CTX_set_rsa_padding (context, RSA_PKCS1_PSS_PADDING) == 1 &&
          EVP_PKEY_CTX_set_rsa_pss_saltlen (context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* A signature of text by way of the provider; NULL where it fails. */
static GBytes *
sign_text (EVP_PKEY *key, const char *hash, gboolean pss, const char *text)
{
  EVP_MD_CTX *digest = EVP_MD_CTX_new ();
  EVP_PKEY_CTX *context = NULL;
  guchar signature[1024];
  size_t size = sizeof signature;
  gboolean done;

  done = EVP_DigestSignInit_ex (digest, &context, hash, NULL, NULL, key, NULL) == 1 &&
         pad (context, pss) && EVP_DigestSignUpdate (digest, text, strlen (text)) == 1 &&
         EVP_DigestSignFinal (digest, signature, &size) == 1;
  EVP_MD_CTX_free (digest);
  ERR_clear_error ();
  return done ? g_bytes_new (signature, size) : NULL;
}

static void
assert_signed (EVP_PKEY *key,
               const char *hash,
               gboolean pss,
               const char *text,
               GBytes *by)
{
  EVP_MD_CTX *digest = EVP_MD_CTX_new ();
  EVP_PKEY_CTX *context = NULL;

  g_assert_cmpint (EVP_DigestVerifyInit_ex (digest,
                                            &context,
                                            hash,
                                            NULL,
                                            NULL,
                                            key,
                                            NULL),
                   ==,
                   1);
  g_assert_true (pad (context, pss));
  g_assert_cmpint (EVP_DigestVerify (digest,
                                     g_bytes_get_data (by, NULL),
                                     g_bytes_get_size (by),
                                     (const guchar *) text,
                                     strlen (text)),
                   ==,
                   1);
  EVP_MD_CTX_free (digest);
}

static void
test_mechanisms (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (mechanisms); i++)
    {
      g_autoptr (GBytes) signature = NULL;
      Fixture f;

      set_up (&f, mechanisms[i].kind);
      signature = sign_text (f.key, mechanisms[i].hash, mechanisms[i].pss, "hello");
      g_assert_nonnull (signature);
      assert_signed (f.signer.key,
                     mechanisms[i].hash,
                     mechanisms[i].pss,
                     "hello",
                     signature);
      g_assert_cmpint (f.signer.calls, ==, 1);
      g_assert_cmpstr (f.signer.mechanism, ==, mechanisms[i].mechanism);
      g_assert_null (dps_tls_key_take_error ());
      tear_down (&f);
    }
}

/* Of a digest, with EVP_PKEY_sign(). */
static void
test_digest (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (mechanisms); i++)
    {
      const EVP_MD *hash = EVP_get_digestbyname (mechanisms[i].hash);
      gsize size = (gsize) EVP_MD_get_size (hash);
      guchar digest[EVP_MAX_MD_SIZE] = { 1, 2, 3 };
      guchar signature[1024];
      EVP_PKEY_CTX *context;
      size_t length = sizeof signature;
      Fixture f;

      set_up (&f, mechanisms[i].kind);
      context = EVP_PKEY_CTX_new_from_pkey (NULL, f.key, NULL);
      g_assert_cmpint (EVP_PKEY_sign_init (context), ==, 1);
      g_assert_cmpint (EVP_PKEY_CTX_set_signature_md (context, hash), ==, 1);
      g_assert_true (pad (context, mechanisms[i].pss));
      g_assert_cmpint (EVP_PKEY_sign (context, signature, &length, digest, size - 1),
                       !=,
                       1);
      g_assert_cmpint (f.signer.calls, ==, 0);
      length = sizeof signature;
      g_assert_cmpint (EVP_PKEY_sign (context, signature, &length, digest, size), ==, 1);
      g_assert_cmpint (f.signer.calls, ==, 1);
      g_assert_cmpstr (f.signer.mechanism, ==, mechanisms[i].mechanism);
      EVP_PKEY_CTX_free (context);
      tear_down (&f);
      ERR_clear_error ();
    }
}

/* What no mechanism does is refused before anybody is asked. */
static void
test_unsupported (void)
{
  static const struct
  {
    const char *kind, *hash;
  } rows[] = {
    { "RSA-2048", "SHA384" }, { "RSA-2048", "SHA1" }, { "P-384", "SHA512" },
    { "P-256", "SHA512" },    { "P-256", "MD5" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Fixture f;

      set_up (&f, rows[i].kind);
      g_assert_null (sign_text (f.key, rows[i].hash, FALSE, "hello"));
      g_assert_cmpint (f.signer.calls, ==, 0);
      tear_down (&f);
    }
}

static void
test_unsupported_padding (void)
{
  static const struct
  {
    int padding, salt;
  } rows[] = {
    { RSA_NO_PADDING, RSA_PSS_SALTLEN_DIGEST },
    { RSA_PKCS1_OAEP_PADDING, RSA_PSS_SALTLEN_DIGEST },
    { RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_MAX },
    { RSA_PKCS1_PSS_PADDING, 20 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      EVP_MD_CTX *digest = EVP_MD_CTX_new ();
      EVP_PKEY_CTX *context = NULL;
      Fixture f;

      set_up (&f, "RSA-2048");
      g_assert_cmpint (EVP_DigestSignInit_ex (digest,
                                              &context,
                                              "SHA256",
                                              NULL,
                                              NULL,
                                              f.key,
                                              NULL),
                       ==,
                       1);
      g_assert_false (EVP_PKEY_CTX_set_rsa_padding (context, rows[i].padding) == 1 &&
                      EVP_PKEY_CTX_set_rsa_pss_saltlen (context, rows[i].salt) == 1);
      EVP_MD_CTX_free (digest);
      tear_down (&f);
      ERR_clear_error ();
    }
}

static void
test_request (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      X509_REQ *request = X509_REQ_new ();
      Fixture f;

      set_up (&f, kinds[i]);
      g_assert_cmpint (X509_REQ_set_pubkey (request, f.signer.key), ==, 1);
      g_assert_cmpint (X509_REQ_sign (request,
                                      f.key,
                                      g_str_equal (kinds[i], "P-384") ? EVP_sha384 ()
                                                                      : EVP_sha256 ()),
                       >,
                       0);
      g_assert_cmpint (X509_REQ_verify (request, f.signer.key), ==, 1);
      g_assert_cmpint (X509_REQ_check_private_key (request, f.key), ==, 1);
      g_assert_cmpint (f.signer.calls, ==, 1);
      X509_REQ_free (request);
      tear_down (&f);
    }
}

/* ---- failing ---- */

static void
test_sign_fails (void)
{
  g_autoptr (GError) reason =
      g_error_new (G_FILE_ERROR, G_FILE_ERROR_NXIO, "the token was pulled out");
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) signature = NULL;
  Fixture f;

  set_up (&f, "P-256");
  f.signer.fails_with = reason;
  g_assert_null (sign_text (f.key, "SHA256", FALSE, "hello"));
  error = dps_tls_key_take_error ();
  g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NXIO);
  g_assert_cmpstr (error->message, ==, "the token was pulled out");
  g_assert_null (dps_tls_key_take_error ());
  f.signer.fails_with = NULL;
  signature = sign_text (f.key, "SHA256", FALSE, "hello");
  g_assert_nonnull (signature);
  tear_down (&f);
}

static GBytes *
sign_rubbish (gpointer data,
              const char *mechanism,
              const guint8 *digest,
              gsize size,
              GError **error)
{
  gsize length = *(gsize *) data;
  guint8 *bytes = g_malloc0 (length + 1);

  return g_bytes_new_take (bytes, length);
}

static GBytes *
sign_nothing (gpointer data,
              const char *mechanism,
              const guint8 *digest,
              gsize size,
              GError **error)
{
  return NULL;
}

static void
test_sign_rubbish (void)
{
  static gsize lengths[] = { 0, 1, 64, 70, 72, 73, 103, 104, 256, 257, 100 * 1000 };
  g_autoptr (GError) nothing = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      EVP_PKEY *own = test_pki_key (kinds[i]);
      EVP_PKEY *key;

      for (gsize k = 0; k < G_N_ELEMENTS (lengths); k++)
        {
          g_autoptr (GError) error = NULL;

          key = dps_tls_key_new (own, sign_rubbish, &lengths[k], NULL, NULL);
          g_assert_null (sign_text (key, "SHA256", FALSE, "hello"));
          error = dps_tls_key_take_error ();
          g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
          EVP_PKEY_free (key);
        }
      key = dps_tls_key_new (own, sign_nothing, NULL, NULL, NULL);
      g_assert_null (sign_text (key, "SHA256", FALSE, "hello"));
      g_clear_error (&nothing);
      nothing = dps_tls_key_take_error ();
      g_assert_error (nothing, DPS_ERROR, DPS_ERROR_FAILED);
      EVP_PKEY_free (key);
      EVP_PKEY_free (own);
    }
}

static void
test_sign_wrong (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (mechanisms); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) other_error = NULL;
      EVP_PKEY *own;
      Fixture f;

      set_up (&f, mechanisms[i].kind);
      f.signer.spoil = TRUE;
      g_assert_null (sign_text (f.key, mechanisms[i].hash, mechanisms[i].pss, "hello"));
      error = dps_tls_key_take_error ();
      g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
      g_assert_nonnull (strstr (error->message, mechanisms[i].mechanism));

      /* Well made, but with another key. */
      own = f.signer.key;
      f.signer.spoil = FALSE;
      f.signer.key = test_pki_key (mechanisms[i].kind);
      g_assert_null (sign_text (f.key, mechanisms[i].hash, mechanisms[i].pss, "hello"));
      other_error = dps_tls_key_take_error ();
      g_assert_error (other_error, DPS_ERROR, DPS_ERROR_REJECTED);
      EVP_PKEY_free (own);
      tear_down (&f);
    }
}

/* ---- threads ---- */

typedef struct
{
  Fixture *f;
  gboolean fails;
} Worker;

/* Half of the threads have a signature that fails: nobody sees the error of another. */
static gpointer
work (gpointer data)
{
  Worker *w = data;

  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *text = g_strdup_printf ("%p %u", data, i);
      g_autoptr (GBytes) signature =
          sign_text (w->f->key, w->fails ? "SHA384" : "SHA256", FALSE, text);
      g_autoptr (GError) error = dps_tls_key_take_error ();

      g_assert_true ((signature == NULL) == w->fails);
      g_assert_true ((error != NULL) == w->fails);
      if (signature != NULL)
        assert_signed (w->f->signer.key, "SHA256", FALSE, text, signature);
    }
  return NULL;
}

static GBytes *
sign_sha256_alone (gpointer data,
                   const char *mechanism,
                   const guint8 *digest,
                   gsize size,
                   GError **error)
{
  if (size == 32)
    return test_pki_signer_sign (data, mechanism, digest, size, error);
  g_set_error (error, DPS_ERROR, DPS_ERROR_BUSY, "not now");
  return NULL;
}

static void
test_threads (void)
{
  GThread *threads[4];
  Worker workers[4];
  Fixture f = { .signer = { .key = test_pki_key ("P-256") } };

  f.key = dps_tls_key_new (f.signer.key, sign_sha256_alone, &f, on_destroyed, NULL);
  g_assert_nonnull (f.key);
  for (guint i = 0; i < 4; i++)
    {
      workers[i] = (Worker){ &f, i % 2 == 1 };
      threads[i] = g_thread_new ("signer", work, &workers[i]);
    }
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (f.signer.calls, ==, 100);
  tear_down (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-identity/key/kinds", test_kinds);
  g_test_add_func ("/tls-identity/key/public-half", test_public_half);
  g_test_add_func ("/tls-identity/key/no-private-half", test_no_private_half);
  g_test_add_func ("/tls-identity/key/not-found-by-others", test_not_found);
  g_test_add_func ("/tls-identity/sign/mechanisms", test_mechanisms);
  g_test_add_func ("/tls-identity/sign/digest", test_digest);
  g_test_add_func ("/tls-identity/sign/unsupported-hash", test_unsupported);
  g_test_add_func ("/tls-identity/sign/unsupported-padding", test_unsupported_padding);
  g_test_add_func ("/tls-identity/sign/certificate-request", test_request);
  g_test_add_func ("/tls-identity/sign/threads", test_threads);
  g_test_add_func ("/tls-identity/failure/error-comes-through", test_sign_fails);
  g_test_add_func ("/tls-identity/failure/rubbish", test_sign_rubbish);
  g_test_add_func ("/tls-identity/failure/wrong-signature", test_sign_wrong);
  return g_test_run ();
}
