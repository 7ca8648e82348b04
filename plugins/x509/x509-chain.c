/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-chain.h"
#include "x509-mechanism.h"
#include "x509-openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define WHERE "the file that certificate= in [plugin x509] names"
#define NAME_MAX_BYTES 160 /* of a name in a text */
#define TIME_MAX 32

struct X509Chain
{
  GPtrArray *certificates; /* X509 *, leaf first */
  char *pem;
  char *common_name; /* once it is checked */
};

void
x509_chain_free (X509Chain *self)
{
  g_ptr_array_unref (self->certificates);
  g_free (self->pem);
  g_free (self->common_name);
  g_free (self);
}

static X509 *
leaf_of (const X509Chain *self)
{
  return self->certificates->pdata[0];
}

static gboolean
fail (X509Error *error, const char *text)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_CERTIFICATE,
                         WHERE " %s",
                         text);
}

/* Takes certificate, which may be NULL. */
static gboolean
add (X509Chain *self, X509 *certificate, X509Error *error)
{
  if (certificate == NULL)
    return x509_error_set (error,
                           DPS_PLUGIN_INVALID_ARGUMENT,
                           X509_CAUSE_CERTIFICATE,
                           WHERE " has no X.509 certificate at place %u, or a damaged "
                                 "one; put the whole file there again",
                           self->certificates->len + 1);
  g_ptr_array_add (self->certificates, certificate);
  return self->certificates->len <= X509_CHAIN_MAX ||
         fail (error,
               "has more than 8 certificates; leave the device's and the intermediates "
               "in it, leaf first");
}

/* A PEM block, whose bytes are secret where somebody put a key here. */
static gboolean
add_block (X509Chain *self,
           const char *name,
           const guint8 *der,
           long size,
           X509Error *error)
{
  const guint8 *p = der;
  g_autoptr (X509) certificate = NULL;

  if (g_str_has_suffix (name, "PRIVATE KEY"))
    return fail (error,
                 "has a private key, where certificates alone belong; put the key into a "
                 "file of its own, which key= names");
  if (strcmp (name, PEM_STRING_X509) != 0 && strcmp (name, PEM_STRING_X509_OLD) != 0)
    return fail (error, "has a PEM block that is no certificate; remove it");
  certificate = d2i_X509 (NULL, &p, size);
  if (p != der + size)
    g_clear_pointer (&certificate, X509_free);
  return add (self, g_steal_pointer (&certificate), error);
}

/* FALSE at the end, too, where *error stays as it is. */
static gboolean
next_block (X509Chain *self, BIO *bio, X509Error *error)
{
  char *name = NULL, *header = NULL;
  guint8 *der = NULL;
  long size = 0;
  gboolean done;

  if (PEM_read_bio_ex (bio, &name, &header, &der, &size, PEM_FLAG_SECURE))
    {
      done = add_block (self, name, der, size, error);
      OPENSSL_free (name);
      OPENSSL_free (header);
      OPENSSL_clear_free (der, (size_t) size);
      return done;
    }
  if (ERR_GET_REASON (ERR_peek_last_error ()) != PEM_R_NO_START_LINE)
    return fail (error,
                 "has a PEM block that is cut off or damaged; put the whole file there "
                 "again");
  ERR_clear_error ();
  return FALSE;
}

static gboolean
read_pem (X509Chain *self, const DpsPluginView *file, X509Error *error)
{
  g_autoptr (BIO) bio = BIO_new_mem_buf (file->data, (int) file->size);

  while (next_block (self, bio, error))
    ;
  return error->result == DPS_PLUGIN_OK;
}

static gboolean
read_der (X509Chain *self, const DpsPluginView *file, X509Error *error)
{
  const guint8 *p = file->data, *end = file->data + file->size;

  while (p < end)
    if (!add (self, d2i_X509 (NULL, &p, end - p), error))
      return FALSE;
  return TRUE;
}

static gboolean
write_pem (X509Chain *self, X509Error *error)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());
  char *text;
  long size;

  for (guint i = 0; i < self->certificates->len; i++)
    PEM_write_bio_X509 (bio, self->certificates->pdata[i]);
  size = BIO_get_mem_data (bio, &text);
  if (size > DPS_PLUGIN_MATERIAL_VALUE_MAX)
    return fail (error,
                 "has certificates of more than 16 KiB; leave the device's and the "
                 "intermediates in it");
  self->pem = g_strndup (text, (gsize) size);
  return TRUE;
}

X509Chain *
x509_chain_parse (const DpsPluginView *file, X509Error *error)
{
  g_autoptr (X509Chain) self = g_new0 (X509Chain, 1);
  gboolean is_pem =
      file->size > 0 && memmem (file->data, file->size, "-----BEGIN ", 11) != NULL;

  self->certificates = g_ptr_array_new_with_free_func ((GDestroyNotify) X509_free);
  *error = (X509Error){ DPS_PLUGIN_OK };
  if (is_pem ? !read_pem (self, file, error) : !read_der (self, file, error))
    return NULL;
  if (self->certificates->len == 0)
    return fail (error, "has no certificate; put the device's in it, leaf first"), NULL;
  return write_pem (self, error) ? g_steal_pointer (&self) : NULL;
}

/* ASCII, with what is none as \xx; to be freed. */
static char *
text_of_name (const X509_NAME *name)
{
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());
  char *text;
  long size;

  X509_NAME_print_ex (bio, name, 0, XN_FLAG_RFC2253);
  size = BIO_get_mem_data (bio, &text);
  if (size <= NAME_MAX_BYTES)
    return size > 0 ? g_strndup (text, (gsize) size) : g_strdup ("(no name)");
  return g_strdup_printf ("%.*s...", NAME_MAX_BYTES, text);
}

/* ISO 8601, in UTC. FALSE where time is none. */
static gboolean
text_of_time (const ASN1_TIME *time, char text[TIME_MAX])
{
  struct tm tm;

  return ASN1_TIME_to_tm (time, &tm) &&
         strftime (text, TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;
}

static char *
text_of_now (gint64 now)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (now);

  return time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%SZ")
                      : g_strdup ("a time out of range");
}

static gboolean
fail_time (X509Error *error,
           const char *cause,
           const X509 *certificate,
           const char *what,
           const char *when,
           gint64 now,
           const char *remedy)
{
  g_autofree char *name = text_of_name (X509_get_subject_name (certificate));
  g_autofree char *clock = text_of_now (now);

  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         cause,
                         "the certificate of %s, in " WHERE ", %s %s, and this host's "
                         "clock says %s; %s",
                         name,
                         what,
                         when,
                         clock,
                         remedy);
}

static gboolean
check_time (const X509 *certificate, gint64 now, X509Error *error)
{
  const ASN1_TIME *from = X509_get0_notBefore (certificate);
  const ASN1_TIME *to = X509_get0_notAfter (certificate);
  char text[TIME_MAX], end[TIME_MAX];

  if (!text_of_time (from, text) || !text_of_time (to, end))
    return fail (error, "has a certificate with a validity that is no time");
  if (ASN1_TIME_cmp_time_t (from, now) > 0)
    return fail_time (error,
                      X509_CAUSE_NOT_YET_VALID,
                      certificate,
                      "is valid from",
                      text,
                      now,
                      "set the clock, or wait");
  if (ASN1_TIME_cmp_time_t (to, now) < 0)
    return fail_time (error,
                      X509_CAUSE_EXPIRED,
                      certificate,
                      "has expired at",
                      end,
                      now,
                      "put a new one there, or set the clock");
  return TRUE;
}

static gboolean
is_end (char c)
{
  return g_ascii_isalnum (c) || c == '-';
}

/* dps-protocol §1.3. */
static gboolean
is_registration_id (const char *text)
{
  gsize size = strlen (text);

  return size > 0 &&
         strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-._:") == size &&
         is_end (text[0]) && is_end (text[size - 1]);
}

static gboolean
fail_common_name (X509Error *error, const char *what)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_COMMON_NAME,
                         "the device's certificate, in " WHERE ", %s; have it issued "
                         "with the registration id as its common name",
                         what);
}

/* In UTF-8; NULL where there is not just one. To be freed. */
static char *
dup_common_name (const X509 *certificate, X509Error *error)
{
  const X509_NAME *subject = X509_get_subject_name (certificate);
  int at = X509_NAME_get_index_by_NID (subject, NID_commonName, -1);
  guint8 *utf8 = NULL;
  char *text;
  int size;

  if (at < 0)
    return fail_common_name (error, "has no common name"), NULL;
  if (X509_NAME_get_index_by_NID (subject, NID_commonName, at) >= 0)
    return fail_common_name (error, "has more than one common name"), NULL;
  size =
      ASN1_STRING_to_UTF8 (&utf8,
                           X509_NAME_ENTRY_get_data (X509_NAME_get_entry (subject, at)));
  if (size < 0)
    return fail_common_name (error, "has a common name that is no text"), NULL;
  /* A zero within must not hide what follows it. */
  for (int i = 0; i < size; i++)
    if (utf8[i] == '\0')
      utf8[i] = '?';
  text = g_strndup ((const char *) utf8, (gsize) size);
  OPENSSL_free (utf8);
  return text;
}

static gboolean
check_common_name (X509Chain *self, X509Error *error)
{
  g_autofree char *name = dup_common_name (leaf_of (self), error);

  if (name == NULL)
    return FALSE;
  if (g_utf8_strlen (name, -1) > X509_COMMON_NAME_MAX)
    return fail_common_name (error, "has a common name of more than 64 characters");
  if (!is_registration_id (name))
    return fail_common_name (error,
                             "has a common name that is no registration id (letters, "
                             "digits and - . _ : with none of . _ : at an end)");
  g_free (self->common_name);
  self->common_name = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
fail_usage (X509Error *error, const char *what)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_USAGE,
                         "the device's certificate, in " WHERE ", %s; have it issued for "
                         "client authentication",
                         what);
}

static gboolean
check_usage (X509 *leaf, X509Error *error)
{
  guint32 flags = X509_get_extension_flags (leaf);

  if ((flags & EXFLAG_INVALID) != 0)
    return fail (error, "has a certificate with extensions that are damaged or doubled");
  if ((flags & EXFLAG_KUSAGE) != 0 &&
      (X509_get_key_usage (leaf) & KU_DIGITAL_SIGNATURE) == 0)
    return fail_usage (error, "has a key usage without digitalSignature");
  if ((flags & EXFLAG_XKUSAGE) != 0 &&
      (X509_get_extended_key_usage (leaf) & XKU_SSL_CLIENT) == 0)
    return fail_usage (error, "has an extended key usage without clientAuth");
  return TRUE;
}

static gboolean
is_issued_by (X509 *certificate, X509 *issuer)
{
  EVP_PKEY *key = X509_get0_pubkey (issuer);
  gboolean is = X509_check_issued (issuer, certificate) == X509_V_OK &&
                X509_check_ca (issuer) > 0 && key != NULL &&
                X509_verify (certificate, key) == 1;

  ERR_clear_error ();
  return is;
}

static gboolean
is_issued_by_any (const X509Chain *self, X509 *certificate)
{
  for (guint i = 0; i < self->certificates->len; i++)
    if (self->certificates->pdata[i] != certificate &&
        is_issued_by (certificate, self->certificates->pdata[i]))
      return TRUE;
  return FALSE;
}

static gboolean
check_link (const X509Chain *self, guint at, X509Error *error)
{
  X509 *certificate = self->certificates->pdata[at];
  X509 *next = self->certificates->pdata[at + 1];
  g_autofree char *issuer = NULL;

  if (is_issued_by (certificate, next))
    return TRUE;
  issuer = text_of_name (X509_get_issuer_name (certificate));
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_CHAIN,
                         "in " WHERE ", certificate %u is not the one that has issued "
                         "certificate %u, as which that names %s; %s",
                         at + 2,
                         at + 1,
                         issuer,
                         is_issued_by_any (self, certificate)
                             ? "put them in order, each after the one it has issued"
                             : "add what is missing between them, or remove what does "
                               "not belong there");
}

gboolean
x509_chain_check (X509Chain *self, gint64 now, X509Error *error)
{
  if (!x509_mechanism_check_key (X509_get0_pubkey (leaf_of (self)),
                                 "the device's certificate",
                                 error))
    return FALSE;
  for (guint i = 0; i < self->certificates->len; i++)
    if (!check_time (self->certificates->pdata[i], now, error))
      return FALSE;
  if (!check_common_name (self, error) || !check_usage (leaf_of (self), error))
    return FALSE;
  for (guint i = 0; i + 1 < self->certificates->len; i++)
    if (!check_link (self, i, error))
      return FALSE;
  return TRUE;
}

gboolean
x509_chain_check_key (const X509Chain *self, EVP_PKEY *key, X509Error *error)
{
  if (EVP_PKEY_eq (X509_get0_pubkey (leaf_of (self)), key) == 1)
    return TRUE;
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_KEY_MISMATCH,
                         "the first certificate in " WHERE " is not for the private key "
                         "that key= names; put the device's certificate first, and make "
                         "both name what belongs together");
}

gboolean
x509_chain_is_lone_leaf (const X509Chain *self)
{
  return self->certificates->len == 1 &&
         X509_NAME_cmp (X509_get_subject_name (leaf_of (self)),
                        X509_get_issuer_name (leaf_of (self))) != 0;
}

const char *
x509_chain_get_common_name (const X509Chain *self)
{
  return self->common_name;
}

char *
x509_chain_dup_subject (const X509Chain *self)
{
  return text_of_name (X509_get_subject_name (leaf_of (self)));
}

char *
x509_chain_dup_issuer (const X509Chain *self)
{
  return text_of_name (X509_get_issuer_name (leaf_of (self)));
}

char *
x509_chain_dup_thumbprint (const X509Chain *self, const EVP_MD *digest)
{
  guint8 bytes[EVP_MAX_MD_SIZE];
  GString *text = g_string_new (NULL);
  unsigned int size = 0;

  X509_digest (leaf_of (self), digest, bytes, &size);
  for (unsigned int i = 0; i < size; i++)
    g_string_append_printf (text, "%02X", bytes[i]);
  return g_string_free (text, FALSE);
}

char *
x509_chain_dup_validity (const X509Chain *self)
{
  char from[TIME_MAX] = "", to[TIME_MAX] = "";

  text_of_time (X509_get0_notBefore (leaf_of (self)), from);
  text_of_time (X509_get0_notAfter (leaf_of (self)), to);
  return g_strdup_printf ("%s to %s", from, to);
}

char *
x509_chain_dup_pem (const X509Chain *self)
{
  return g_strdup (self->pem);
}
