/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-certificate.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define BEGIN_ANY "-----BEGIN "
#define BEGIN_CERTIFICATE "-----BEGIN CERTIFICATE-----"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIO, BIO_free_all)

struct _DpsCertificateChain
{
  gatomicrefcount refs;
  STACK_OF (X509) * certificates;
  char *pem;
  char *common_name;
  char *fingerprint;
  gint64 not_before;
  gint64 not_after;
};

/* FALSE. Which certificate counts from 1; 0 = the chain. */
static gboolean G_GNUC_PRINTF (4, 5)
    refuse (GError **error, DpsError code, int which, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  if (which > 0)
    g_set_error (error, DPS_ERROR, code, "certificate %d of the chain %s", which, text);
  else
    g_set_error (error, DPS_ERROR, code, "the certificate chain %s", text);
  ERR_clear_error ();
  return FALSE;
}

static gboolean
refuse_size (GError **error)
{
  return refuse (error,
                 DPS_ERROR_LIMITS_EXCEEDED,
                 0,
                 "has more than %d bytes as PEM",
                 DPS_CHAIN_PEM_MAX);
}

/* ---- what the leaf says ---- */

/* Not by way of time_t, which ends in 2038 on some hosts; 9999 is for ever. */
static gboolean
read_time (const ASN1_TIME *asn1, const char *what, gint64 *out, GError **error)
{
  g_autoptr (GDateTime) time = NULL;
  struct tm tm;

  if (ASN1_TIME_to_tm (asn1, &tm) == 1)
    time = g_date_time_new_utc (tm.tm_year + 1900,
                                tm.tm_mon + 1,
                                tm.tm_mday,
                                tm.tm_hour,
                                tm.tm_min,
                                tm.tm_sec);
  if (time == NULL)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   1,
                   "has a date that cannot be read (%s)",
                   what);
  *out = g_date_time_to_unix (time) * G_USEC_PER_SEC;
  return TRUE;
}

static gboolean
read_times (DpsCertificateChain *self, X509 *leaf, GError **error)
{
  if (!read_time (X509_get0_notBefore (leaf), "notBefore", &self->not_before, error) ||
      !read_time (X509_get0_notAfter (leaf), "notAfter", &self->not_after, error))
    return FALSE;
  if (self->not_after < self->not_before)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   1,
                   "ends before it begins to be valid");
  return TRUE;
}

static gboolean
read_common_name (DpsCertificateChain *self, X509 *leaf, GError **error)
{
  X509_NAME *subject = X509_get_subject_name (leaf);
  int at = X509_NAME_get_index_by_NID (subject, NID_commonName, -1);
  g_autoptr (GError) local_error = NULL;
  guchar *utf8 = NULL;
  int length;

  if (at < 0)
    return TRUE;
  if (X509_NAME_get_index_by_NID (subject, NID_commonName, at) >= 0)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   1,
                   "has two common names, and nobody can tell which counts");
  length =
      ASN1_STRING_to_UTF8 (&utf8,
                           X509_NAME_ENTRY_get_data (X509_NAME_get_entry (subject, at)));
  if (length < 0)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   1,
                   "has a common name that is no text");
  self->common_name = g_strndup ((const char *) utf8, (gsize) length);
  OPENSSL_free (utf8);
  if (strlen (self->common_name) != (gsize) length)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   1,
                   "has a common name with a NUL in it");
  if (!dps_name_check_text (self->common_name,
                            4 * DPS_CHAIN_COMMON_NAME_MAX,
                            "it",
                            &local_error))
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   1,
                   "has a bad common name: %s",
                   local_error->message);
  if (g_utf8_strlen (self->common_name, -1) > DPS_CHAIN_COMMON_NAME_MAX)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   1,
                   "has a common name of more than %d characters",
                   DPS_CHAIN_COMMON_NAME_MAX);
  if (length == 0)
    g_clear_pointer (&self->common_name, g_free);
  return TRUE;
}

static gboolean
read_fingerprint (DpsCertificateChain *self, X509 *leaf, GError **error)
{
  guchar digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  GString *text;

  if (X509_digest (leaf, EVP_sha256 (), digest, &size) != 1)
    return refuse (error, DPS_ERROR_INVALID_ARGUMENT, 1, "cannot be hashed");
  text = g_string_sized_new (2 * size);
  for (unsigned int i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", digest[i]);
  self->fingerprint = g_string_free (text, FALSE);
  return TRUE;
}

/* ---- making one ---- */

static DpsCertificateChain *
chain_new (void)
{
  DpsCertificateChain *self = g_new0 (DpsCertificateChain, 1);

  g_atomic_ref_count_init (&self->refs);
  self->certificates = sk_X509_new_null ();
  return self;
}

static gboolean
add_certificate (DpsCertificateChain *self, const guint8 *der, gsize size, GError **error)
{
  int which = sk_X509_num (self->certificates) + 1;
  const guint8 *end = der;
  X509 *certificate;

  if (which > DPS_CHAIN_CERTIFICATES_MAX)
    return refuse (error,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   0,
                   "has more than %d certificates",
                   DPS_CHAIN_CERTIFICATES_MAX);
  if (size > DPS_CHAIN_PEM_MAX)
    return refuse_size (error);
  certificate = d2i_X509 (NULL, &end, (long) size);
  if (certificate == NULL)
    return refuse (error, DPS_ERROR_INVALID_ARGUMENT, which, "is not X.509 DER");
  sk_X509_push (self->certificates, certificate);
  if (end != der + size)
    return refuse (error, DPS_ERROR_INVALID_ARGUMENT, which, "has bytes behind its end");
  if (X509_get0_pubkey (certificate) == NULL)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   which,
                   "has a public key that cannot be read");
  return TRUE;
}

static gboolean
write_pem (DpsCertificateChain *self, GError **error)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());
  char *text = NULL;
  long size;

  for (int i = 0; i < sk_X509_num (self->certificates); i++)
    if (PEM_write_bio_X509 (bio, sk_X509_value (self->certificates, i)) != 1)
      return refuse (error, DPS_ERROR_INVALID_ARGUMENT, i + 1, "cannot be written");
  size = BIO_get_mem_data (bio, &text);
  if (size > DPS_CHAIN_PEM_MAX)
    return refuse_size (error);
  self->pem = g_strndup (text, (gsize) size);
  return TRUE;
}

static gboolean
read_leaf (DpsCertificateChain *self, GError **error)
{
  X509 *leaf;

  if (sk_X509_num (self->certificates) == 0)
    return refuse (error, DPS_ERROR_INVALID_ARGUMENT, 0, "has no certificate");
  leaf = sk_X509_value (self->certificates, 0);
  return read_times (self, leaf, error) && read_common_name (self, leaf, error) &&
         read_fingerprint (self, leaf, error) && write_pem (self, error);
}

DpsCertificateChain *
dps_certificate_chain_new_from_der (GPtrArray *certificates, GError **error)
{
  g_autoptr (DpsCertificateChain) self = chain_new ();

  g_return_val_if_fail (certificates != NULL, NULL);

  for (guint i = 0; i < certificates->len; i++)
    {
      gsize size;
      const guint8 *der = g_bytes_get_data (certificates->pdata[i], &size);

      if (!add_certificate (self, der, size, error))
        return NULL;
    }
  return read_leaf (self, error) ? g_steal_pointer (&self) : NULL;
}

/* What may stand on one line; libcrypto would pass over a block that is not quite one.
 * *blocks counts those that begin. */
static gboolean
check_line (const char *line, gsize size, int *blocks, GError **error)
{
  g_autofree char *text = g_strchomp (g_strndup (line, size));

  if (!g_str_has_prefix (text, "-----"))
    return TRUE;
  if (g_str_has_prefix (text, BEGIN_ANY) && strstr (text, "PRIVATE KEY") != NULL)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   0,
                   "has a private key in it; keep keys in a file of their own, and "
                   "only certificates here");
  if (g_str_equal (text, BEGIN_CERTIFICATE))
    (*blocks)++;
  else if (!g_str_equal (text, "-----END CERTIFICATE-----"))
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   0,
                   "has something else than certificates in it: only %s and its end may "
                   "stand there",
                   BEGIN_CERTIFICATE);
  return TRUE;
}

static gboolean
check_lines (const char *pem, gsize size, int *blocks, GError **error)
{
  const char *end = pem + size;

  if (size > DPS_CHAIN_PEM_MAX)
    return refuse_size (error);
  if (size > 0 && memchr (pem, '\0', size) != NULL)
    return refuse (error, DPS_ERROR_INVALID_ARGUMENT, 0, "is not PEM but binary");
  for (const char *line = pem; line < end;)
    {
      const char *next = memchr (line, '\n', (gsize) (end - line));

      next = next != NULL ? next + 1 : end;
      if (!check_line (line, (gsize) (next - line), blocks, error))
        return FALSE;
      line = next;
    }
  if (*blocks == 0)
    return refuse (error,
                   DPS_ERROR_INVALID_ARGUMENT,
                   0,
                   "has no certificate (PEM, %s)",
                   BEGIN_CERTIFICATE);
  return TRUE;
}

static gboolean
add_block (DpsCertificateChain *self, BIO *bio, GError **error)
{
  int which = sk_X509_num (self->certificates) + 1;
  char *name = NULL, *header = NULL;
  guchar *der = NULL;
  long size = 0;
  gboolean added;

  if (PEM_read_bio (bio, &name, &header, &der, &size) != 1)
    return refuse (error, DPS_ERROR_INVALID_ARGUMENT, which, "is not base64 as in PEM");
  if (header[0] != '\0' || !g_str_equal (name, PEM_STRING_X509))
    added = refuse (error, DPS_ERROR_INVALID_ARGUMENT, which, "has PEM headers");
  else
    added = add_certificate (self, der, (gsize) size, error);
  OPENSSL_free (name);
  OPENSSL_free (header);
  OPENSSL_free (der);
  return added;
}

DpsCertificateChain *
dps_certificate_chain_new_from_pem (const char *pem, gsize size, GError **error)
{
  g_autoptr (DpsCertificateChain) self = chain_new ();
  g_autoptr (BIO) bio = NULL;
  int blocks = 0;

  g_return_val_if_fail (pem != NULL || size == 0, NULL);

  if (!check_lines (pem, size, &blocks, error))
    return NULL;
  bio = BIO_new_mem_buf (pem, (int) size);
  for (int i = 0; i < blocks; i++)
    if (!add_block (self, bio, error))
      return NULL;
  return read_leaf (self, error) ? g_steal_pointer (&self) : NULL;
}

DpsCertificateChain *
dps_certificate_chain_ref (DpsCertificateChain *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_certificate_chain_unref (DpsCertificateChain *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  sk_X509_pop_free (self->certificates, X509_free);
  g_free (self->pem);
  g_free (self->common_name);
  g_free (self->fingerprint);
  g_free (self);
}

/* ---- what it says ---- */

char *
dps_certificate_chain_to_pem (DpsCertificateChain *self)
{
  return g_strdup (self->pem);
}

const char *
dps_certificate_chain_get_common_name (DpsCertificateChain *self)
{
  return self->common_name;
}

gint64
dps_certificate_chain_get_not_before (DpsCertificateChain *self)
{
  return self->not_before;
}

gint64
dps_certificate_chain_get_not_after (DpsCertificateChain *self)
{
  return self->not_after;
}

const char *
dps_certificate_chain_get_fingerprint (DpsCertificateChain *self)
{
  return self->fingerprint;
}

STACK_OF (X509) * dps_certificate_chain_get_certificates (DpsCertificateChain *self)
{
  return self->certificates;
}

gboolean
dps_certificate_chain_links (DpsCertificateChain *self, GError **error)
{
  for (int i = 0; i + 1 < sk_X509_num (self->certificates); i++)
    {
      X509 *subject = sk_X509_value (self->certificates, i);
      X509 *issuer = sk_X509_value (self->certificates, i + 1);
      int verdict = X509_check_issued (issuer, subject);

      if (verdict != X509_V_OK)
        return refuse (error,
                       DPS_ERROR_INVALID_ARGUMENT,
                       i + 1,
                       "was not issued by the next one: %s",
                       X509_verify_cert_error_string (verdict));
      if (X509_check_ca (issuer) == 0)
        return refuse (error,
                       DPS_ERROR_INVALID_ARGUMENT,
                       i + 2,
                       "is no authority's (CA), but issued the one before");
      if (X509_verify (subject, X509_get0_pubkey (issuer)) != 1)
        return refuse (error,
                       DPS_ERROR_INVALID_ARGUMENT,
                       i + 1,
                       "was not signed with the key of the next one");
    }
  return TRUE;
}
