/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-pki.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static EVP_PKEY *
make_key (const char *kind)
{
  EVP_PKEY *key = NULL;

  if (g_str_equal (kind, "RSA-PSS"))
    {
      EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name (NULL, kind, NULL);

      EVP_PKEY_keygen_init (context);
      EVP_PKEY_keygen (context, &key);
      EVP_PKEY_CTX_free (context);
    }
  else if (g_str_has_prefix (kind, "RSA-"))
    key = EVP_RSA_gen ((unsigned int) g_ascii_strtoull (kind + 4, NULL, 10));
  else if (g_str_has_prefix (kind, "P-"))
    key = EVP_EC_gen (kind);
  else
    key = EVP_PKEY_Q_keygen (NULL, NULL, kind);
  g_assert_nonnull (key);
  return key;
}

/* An RSA key takes its time: there are two of RSA-2048, in turn. */
EVP_PKEY *
test_pki_key (const char *kind)
{
  static EVP_PKEY *rsa[2];
  static guint next = 0;
  guint i;

  if (!g_str_equal (kind, "RSA-2048"))
    return make_key (kind);
  i = next++ % G_N_ELEMENTS (rsa);
  if (rsa[i] == NULL)
    rsa[i] = make_key (kind);
  EVP_PKEY_up_ref (rsa[i]);
  return rsa[i];
}

static void
add_extension (X509 *certificate, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX v3;
  X509_EXTENSION *extension;

  X509V3_set_ctx (&v3, issuer, certificate, NULL, NULL, 0);
  extension = X509V3_EXT_conf_nid (NULL, &v3, nid, value);
  g_assert_nonnull (extension);
  X509_add_ext (certificate, extension, -1);
  X509_EXTENSION_free (extension);
}

X509 *
test_pki_draft (const TestPkiRequest *request)
{
  static gint serial = 1;
  X509 *certificate = X509_new ();
  X509 *issuer = request->issuer != NULL ? request->issuer : certificate;
  X509_NAME *subject = X509_get_subject_name (certificate);

  X509_set_version (certificate, X509_VERSION_3);
  ASN1_INTEGER_set (X509_get_serialNumber (certificate), g_atomic_int_add (&serial, 1));
  X509_gmtime_adj (X509_getm_notBefore (certificate), -3600);
  X509_gmtime_adj (X509_getm_notAfter (certificate), 3600);
  if (request->name != NULL)
    g_assert_cmpint (X509_NAME_add_entry_by_NID (subject,
                                                 NID_commonName,
                                                 MBSTRING_UTF8,
                                                 (const guchar *) request->name,
                                                 -1,
                                                 -1,
                                                 0),
                     ==,
                     1);
  X509_set_issuer_name (certificate, X509_get_subject_name (issuer));
  X509_set_pubkey (certificate, request->key);
  add_extension (certificate,
                 issuer,
                 NID_basic_constraints,
                 request->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!request->ca)
    add_extension (certificate, issuer, NID_ext_key_usage, "clientAuth");
  return certificate;
}

void
test_pki_sign (X509 *certificate, const TestPkiRequest *request)
{
  EVP_PKEY *key = request->issuer_key != NULL ? request->issuer_key : request->key;
  const EVP_MD *digest = EVP_PKEY_get_id (key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256 ();

  g_assert_cmpint (X509_sign (certificate, key, digest), >, 0);
}

X509 *
test_pki_certificate (const TestPkiRequest *request)
{
  X509 *certificate = test_pki_draft (request);

  test_pki_sign (certificate, request);
  return certificate;
}

GBytes *
test_pki_der (X509 *certificate)
{
  guchar *der = NULL;
  int size = i2d_X509 (certificate, &der);
  GBytes *bytes;

  g_assert_cmpint (size, >, 0);
  bytes = g_bytes_new (der, (gsize) size);
  OPENSSL_free (der);
  return bytes;
}

char *
test_pki_pem (X509 *certificate)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  char *text = NULL;
  char *pem;
  long size;

  g_assert_cmpint (PEM_write_bio_X509 (bio, certificate), ==, 1);
  size = BIO_get_mem_data (bio, &text);
  pem = g_strndup (text, (gsize) size);
  BIO_free (bio);
  return pem;
}

GBytes *
test_pki_signer_sign (gpointer data,
                      const char *mechanism,
                      const guint8 *digest,
                      gsize size,
                      GError **error)
{
  TestPkiSigner *self = data;
  EVP_PKEY_CTX *context;
  guchar signature[1024];
  gsize length = sizeof signature;

  g_atomic_int_inc (&self->calls);
  self->mechanism = g_intern_string (mechanism);
  if (self->fails_with != NULL)
    {
      g_propagate_error (error, g_error_copy (self->fails_with));
      return NULL;
    }
  context = EVP_PKEY_CTX_new_from_pkey (NULL, self->key, NULL);
  g_assert_cmpint (EVP_PKEY_sign_init (context), ==, 1);
  g_assert_cmpint (EVP_PKEY_CTX_set_signature_md (context,
                                                  size == 48 ? EVP_sha384 ()
                                                             : EVP_sha256 ()),
                   ==,
                   1);
  if (g_str_has_prefix (mechanism, "RSA-PSS"))
    {
      g_assert_cmpint (EVP_PKEY_CTX_set_rsa_padding (context, RSA_PKCS1_PSS_PADDING),
                       ==,
                       1);
      g_assert_cmpint (EVP_PKEY_CTX_set_rsa_pss_saltlen (context, RSA_PSS_SALTLEN_DIGEST),
                       ==,
                       1);
    }
  g_assert_cmpint (EVP_PKEY_sign (context, signature, &length, digest, size), ==, 1);
  EVP_PKEY_CTX_free (context);
  if (self->spoil)
    signature[length - 1] ^= 1;
  return g_bytes_new (signature, length);
}
