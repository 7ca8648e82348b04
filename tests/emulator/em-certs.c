/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-certs.h"

#include "em-openssl.h"

#include <errno.h>
#include <string.h>

#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define VALID_DAYS 3650
#define DAY_SECONDS (24 * 60 * 60)

/* A certificate and its key. */
typedef struct
{
  X509 *cert;
  EVP_PKEY *key;
} Pair;

static void
pair_clear (Pair *pair)
{
  g_clear_pointer (&pair->cert, X509_free);
  g_clear_pointer (&pair->key, EVP_PKEY_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)

static gboolean
openssl_failed (const char *what, GError **error)
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

static char *
cert_text (X509 *cert)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());

  PEM_write_bio_X509 (bio, cert);
  return bio_text (bio);
}

static char *
key_text (EVP_PKEY *key)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());

  PEM_write_bio_PKCS8PrivateKey (bio, key, NULL, NULL, 0, NULL, NULL);
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
static gboolean
pair_load (Pair *pair, const char *dir, const char *name)
{
  g_autoptr (BIO) cert = read_file (dir, name, ".pem");
  g_autoptr (BIO) key = read_file (dir, name, ".key");

  if (cert != NULL)
    pair->cert = PEM_read_bio_X509 (cert, NULL, NULL, NULL);
  if (key != NULL)
    pair->key = PEM_read_bio_PrivateKey (key, NULL, NULL, NULL);
  ERR_clear_error ();

  return pair->cert != NULL && pair->key != NULL &&
         X509_check_private_key (pair->cert, pair->key) == 1 &&
         X509_cmp_current_time (X509_get0_notBefore (pair->cert)) < 0 &&
         X509_cmp_current_time (X509_get0_notAfter (pair->cert)) > 0;
}

static gboolean
pair_save (const Pair *pair, const char *dir, const char *name, GError **error)
{
  g_autofree char *cert = cert_text (pair->cert);
  g_autofree char *key = key_text (pair->key);

  return write_file (dir, name, ".key", key, 0600, error) &&
         write_file (dir, name, ".pem", cert, 0644, error);
}

static gboolean
add_extension (X509 *cert, X509 *issuer, int nid, const char *value)
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

static gboolean
set_serial (X509 *cert)
{
  guint64 serial;

  if (RAND_bytes ((unsigned char *) &serial, sizeof serial) != 1)
    return FALSE;
  return ASN1_INTEGER_set_uint64 (X509_get_serialNumber (cert), serial >> 1) == 1;
}

/* A day into the past: the clocks of test machines do not agree. */
static gboolean
set_basics (Pair *pair, const char *common_name)
{
  X509_NAME *name = X509_get_subject_name (pair->cert);

  return X509_set_version (pair->cert, X509_VERSION_3) == 1 && set_serial (pair->cert) &&
         X509_gmtime_adj (X509_getm_notBefore (pair->cert), -DAY_SECONDS) != NULL &&
         X509_gmtime_adj (X509_getm_notAfter (pair->cert),
                          (long) VALID_DAYS * DAY_SECONDS) != NULL &&
         X509_NAME_add_entry_by_txt (name,
                                     "CN",
                                     MBSTRING_UTF8,
                                     (const unsigned char *) common_name,
                                     -1,
                                     -1,
                                     0) == 1 &&
         X509_set_pubkey (pair->cert, pair->key) == 1;
}

static gboolean
pair_make (Pair *pair, const char *common_name, GError **error)
{
  pair_clear (pair);
  pair->key = EVP_EC_gen ("P-256");
  pair->cert = X509_new ();
  if (pair->key == NULL || pair->cert == NULL || !set_basics (pair, common_name))
    return openssl_failed ("making a certificate", error);
  return TRUE;
}

static gboolean
pair_sign (Pair *pair, const Pair *issuer, GError **error)
{
  if (X509_set_issuer_name (pair->cert, X509_get_subject_name (issuer->cert)) != 1 ||
      !add_extension (pair->cert, issuer->cert, NID_subject_key_identifier, "hash") ||
      !add_extension (pair->cert,
                      issuer->cert,
                      NID_authority_key_identifier,
                      "keyid:always") ||
      X509_sign (pair->cert, issuer->key, EVP_sha256 ()) == 0)
    return openssl_failed ("signing a certificate", error);
  return TRUE;
}

static gboolean
make_ca (Pair *ca, GError **error)
{
  if (!pair_make (ca, "dps-emulator CA", error))
    return FALSE;
  if (!add_extension (ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE") ||
      !add_extension (ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign"))
    return openssl_failed ("describing the CA", error);
  return pair_sign (ca, ca, error);
}

static char *
alternative_names (const char *const *names)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; names[i] != NULL; i++)
    g_string_append_printf (text,
                            "%s%s:%s",
                            i > 0 ? "," : "",
                            g_hostname_is_ip_address (names[i]) ? "IP" : "DNS",
                            names[i]);
  return g_string_free (text, FALSE);
}

static gboolean
make_server (Pair *server, const Pair *ca, const char *const *names, GError **error)
{
  g_autofree char *alternatives = alternative_names (names);

  /* A common name is limited to 64 characters and nobody looks at it. */
  if (!pair_make (server, "dps-emulator", error))
    return FALSE;
  if (!add_extension (server->cert,
                      ca->cert,
                      NID_basic_constraints,
                      "critical,CA:FALSE") ||
      !add_extension (server->cert,
                      ca->cert,
                      NID_key_usage,
                      "critical,digitalSignature") ||
      !add_extension (server->cert, ca->cert, NID_ext_key_usage, "serverAuth") ||
      !add_extension (server->cert, ca->cert, NID_subject_alt_name, alternatives))
    return openssl_failed ("describing the server", error);
  return pair_sign (server, ca, error);
}

static gboolean
covers (X509 *cert, const char *name)
{
  if (g_hostname_is_ip_address (name))
    return X509_check_ip_asc (cert, name, 0) == 1;
  return X509_check_host (cert, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
}

static gboolean
still_fits (const Pair *server, const Pair *ca, const char *const *names)
{
  if (X509_verify (server->cert, ca->key) != 1)
    return FALSE;
  for (guint i = 0; names[i] != NULL; i++)
    if (!covers (server->cert, names[i]))
      return FALSE;
  return TRUE;
}

gboolean
em_certs_prepare (const char *dir,
                  const char *const *names,
                  char **cert_pem,
                  char **key_pem,
                  GError **error)
{
  g_auto (Pair) ca = { 0 };
  g_auto (Pair) server = { 0 };

  if (g_mkdir_with_parents (dir, 0755) < 0)
    {
      g_set_error (error,
                   G_IO_ERROR,
                   g_io_error_from_errno (errno),
                   "making '%s': %s",
                   dir,
                   g_strerror (errno));
      return FALSE;
    }

  if (!pair_load (&ca, dir, "ca") &&
      (!make_ca (&ca, error) || !pair_save (&ca, dir, "ca", error)))
    return FALSE;

  if ((!pair_load (&server, dir, "server") || !still_fits (&server, &ca, names)) &&
      (!make_server (&server, &ca, names, error) ||
       !pair_save (&server, dir, "server", error)))
    return FALSE;

  ERR_clear_error ();
  *cert_pem = cert_text (server.cert);
  *key_pem = key_text (server.key);
  return TRUE;
}
