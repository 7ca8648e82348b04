/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-pair.h"

#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define VALID_DAYS 3650
#define DAY_SECONDS (24 * 60 * 60)
#define P384_BITS 384

void
em_pair_clear (EmPair *self)
{
  g_clear_pointer (&self->cert, X509_free);
  g_clear_pointer (&self->key, EVP_PKEY_free);
}

gboolean
em_openssl_failed (const char *what, GError **error)
{
  char reason[256];

  ERR_error_string_n (ERR_get_error (), reason, sizeof reason);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", what, reason);
  return FALSE;
}

static char *
bio_text (BIO *bio)
{
  char *data;
  long len = BIO_get_mem_data (bio, &data);

  return g_strndup (data, (gsize) len);
}

char *
em_pair_cert_text (const EmPair *self)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());

  PEM_write_bio_X509 (bio, self->cert);
  return bio_text (bio);
}

char *
em_pair_key_text (const EmPair *self)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());

  PEM_write_bio_PKCS8PrivateKey (bio, self->key, NULL, NULL, 0, NULL, NULL);
  return bio_text (bio);
}

static BIO *
read_file (const char *dir, const char *name, const char *suffix)
{
  g_autofree char *base = g_strconcat (name, suffix, NULL);
  g_autofree char *path = g_build_filename (dir, base, NULL);

  return BIO_new_file (path, "r");
}

static gboolean
write_file (const char *dir,
            const char *name,
            const char *suffix,
            const char *text,
            int mode,
            GError **error)
{
  g_autofree char *base = g_strconcat (name, suffix, NULL);
  g_autofree char *path = g_build_filename (dir, base, NULL);

  return g_file_set_contents_full (path,
                                   text,
                                   -1,
                                   G_FILE_SET_CONTENTS_CONSISTENT,
                                   mode,
                                   error);
}

/* What is missing or unreadable is made again, so a failure here is not an error. */
gboolean
em_pair_load (EmPair *self, const char *dir, const char *name)
{
  g_autoptr (BIO) cert = read_file (dir, name, ".pem");
  g_autoptr (BIO) key = read_file (dir, name, ".key");

  if (cert != NULL)
    self->cert = PEM_read_bio_X509 (cert, NULL, NULL, NULL);
  if (key != NULL)
    self->key = PEM_read_bio_PrivateKey (key, NULL, NULL, NULL);
  ERR_clear_error ();

  return self->cert != NULL && self->key != NULL &&
         X509_check_private_key (self->cert, self->key) == 1 &&
         X509_cmp_current_time (X509_get0_notBefore (self->cert)) < 0 &&
         X509_cmp_current_time (X509_get0_notAfter (self->cert)) > 0;
}

gboolean
em_pair_save (const EmPair *self, const char *dir, const char *name, GError **error)
{
  g_autofree char *cert = em_pair_cert_text (self);
  g_autofree char *key = em_pair_key_text (self);

  return write_file (dir, name, ".key", key, 0600, error) &&
         write_file (dir, name, ".pem", cert, 0644, error);
}

gboolean
em_cert_add_extension (X509 *cert, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX context;
  X509_EXTENSION *extension;
  int added;

  X509V3_set_ctx (&context, issuer, cert, NULL, NULL, 0);
  extension = X509V3_EXT_conf_nid (NULL, &context, nid, value);
  if (extension == NULL)
    return FALSE;

  added = X509_add_ext (cert, extension, -1);
  X509_EXTENSION_free (extension);
  return added == 1;
}

gboolean
em_cert_set_serial (X509 *cert)
{
  guint64 serial;

  if (RAND_bytes ((unsigned char *) &serial, sizeof serial) != 1)
    return FALSE;
  return ASN1_INTEGER_set_uint64 (X509_get_serialNumber (cert), serial >> 1) == 1;
}

/* A day into the past: the clocks of test machines do not agree. */
static gboolean
set_basics (EmPair *self, const char *common_name)
{
  X509_NAME *name = X509_get_subject_name (self->cert);

  return X509_set_version (self->cert, X509_VERSION_3) == 1 &&
         em_cert_set_serial (self->cert) &&
         X509_gmtime_adj (X509_getm_notBefore (self->cert), -DAY_SECONDS) != NULL &&
         X509_gmtime_adj (X509_getm_notAfter (self->cert),
                          (long) VALID_DAYS * DAY_SECONDS) != NULL &&
         X509_NAME_add_entry_by_txt (name,
                                     "CN",
                                     MBSTRING_UTF8,
                                     (const unsigned char *) common_name,
                                     -1,
                                     -1,
                                     0) == 1 &&
         X509_set_pubkey (self->cert, self->key) == 1;
}

gboolean
em_pair_make (EmPair *self, const char *common_name, const char *curve, GError **error)
{
  em_pair_clear (self);
  self->key = EVP_EC_gen (curve);
  self->cert = X509_new ();
  if (self->key == NULL || self->cert == NULL || !set_basics (self, common_name))
    return em_openssl_failed ("making a certificate", error);
  return TRUE;
}

gboolean
em_cert_sign (X509 *cert, const EmPair *issuer)
{
  const EVP_MD *md =
      EVP_PKEY_get_bits (issuer->key) == P384_BITS ? EVP_sha384 () : EVP_sha256 ();

  return X509_set_issuer_name (cert, X509_get_subject_name (issuer->cert)) == 1 &&
         em_cert_add_extension (cert, issuer->cert, NID_subject_key_identifier, "hash") &&
         em_cert_add_extension (cert,
                                issuer->cert,
                                NID_authority_key_identifier,
                                "keyid:always") &&
         X509_sign (cert, issuer->key, md) != 0;
}

gboolean
em_pair_sign (EmPair *self, const EmPair *issuer, GError **error)
{
  return em_cert_sign (self->cert, issuer) ||
         em_openssl_failed ("signing a certificate", error);
}

gboolean
em_pair_make_ca (EmPair *self,
                 const EmPair *issuer,
                 const char *common_name,
                 const char *curve,
                 const char *pathlen,
                 GError **error)
{
  g_autofree char *constraints = g_strconcat ("critical,CA:TRUE", pathlen, NULL);
  X509 *cert;

  if (!em_pair_make (self, common_name, curve, error))
    return FALSE;

  cert = self->cert;
  if (!em_cert_add_extension (cert, cert, NID_basic_constraints, constraints) ||
      !em_cert_add_extension (cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign"))
    return em_openssl_failed ("describing a CA", error);
  return em_pair_sign (self, issuer != NULL ? issuer : self, error);
}
