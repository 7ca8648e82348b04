/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-x509.h"

#include "em-openssl.h"

#include <string.h>

#include <openssl/sha.h>
#include <openssl/x509v3.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_STORE, X509_STORE_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_STORE_CTX, X509_STORE_CTX_free)

const char *
em_x509_verdict_name (EmX509Verdict verdict)
{
  static const char *const names[EM_N_X509_VERDICTS] = {
    [EM_X509_OK] = "ok",
    [EM_X509_ABSENT] = "absent",
    [EM_X509_UNREADABLE] = "unreadable",
    [EM_X509_TOKEN] = "token-sent",
    [EM_X509_OTHER] = "other-certificate",
    [EM_X509_CHAIN] = "no-chain",
    [EM_X509_NOT_YET_VALID] = "not-yet-valid",
    [EM_X509_EXPIRED] = "expired",
    [EM_X509_COMMON_NAME] = "other-common-name",
    [EM_X509_USAGE] = "wrong-usage",
  };

  g_return_val_if_fail (verdict < EM_N_X509_VERDICTS, NULL);
  return names[verdict];
}

GPtrArray *
em_chain_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) X509_free);
}

gboolean
em_chain_add_der (GPtrArray *self, const guint8 *data, gsize len)
{
  const guint8 *end = data;
  X509 *certificate = NULL;

  if (self->len < EM_CHAIN_MAX && len <= EM_CERTIFICATE_MAX)
    certificate = d2i_X509 (NULL, &end, (long) len);
  ERR_clear_error ();
  if (certificate == NULL || end != data + len)
    {
      X509_free (certificate);
      g_ptr_array_set_size (self, 0);
      return FALSE;
    }

  g_ptr_array_add (self, certificate);
  return TRUE;
}

EmX509Trust *
em_x509_trust_new (void)
{
  EmX509Trust *self = g_atomic_rc_box_new0 (EmX509Trust);

  self->pins = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->cas = em_chain_new ();
  return self;
}

EmX509Trust *
em_x509_trust_ref (EmX509Trust *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
trust_clear (gpointer data)
{
  EmX509Trust *self = data;

  g_ptr_array_unref (self->pins);
  g_ptr_array_unref (self->cas);
}

void
em_x509_trust_unref (EmX509Trust *self)
{
  g_atomic_rc_box_release_full (self, trust_clear);
}

static X509 *
not_a_certificate (const char *path, const char *why, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "'%s' %s", path, why);
  return NULL;
}

X509 *
em_x509_load (const char *path, GError **error)
{
  g_autofree char *text = NULL;
  g_autoptr (BIO) bio = NULL;
  g_autoptr (X509) certificate = NULL;
  g_autoptr (X509) another = NULL;
  gsize len;

  if (!g_file_get_contents (path, &text, &len, error))
    return NULL;
  if (len > EM_CERTIFICATE_MAX)
    return not_a_certificate (path, "is too large for a certificate", error);

  bio = BIO_new_mem_buf (text, (int) len);
  certificate = PEM_read_bio_X509 (bio, NULL, NULL, NULL);
  if (certificate != NULL)
    another = PEM_read_bio_X509 (bio, NULL, NULL, NULL);
  ERR_clear_error ();
  if (certificate == NULL)
    return not_a_certificate (path, "holds no PEM certificate", error);
  if (another != NULL)
    return not_a_certificate (path, "holds more than one certificate", error);
  return g_steal_pointer (&certificate);
}

static GBytes *
digest (X509 *certificate, const EVP_MD *md)
{
  guint8 value[EVP_MAX_MD_SIZE];
  unsigned int len = 0;

  if (X509_digest (certificate, md, value, &len) != 1)
    g_error ("OpenSSL cannot hash a certificate");
  return g_bytes_new (value, len);
}

GBytes *
em_x509_thumbprint (X509 *certificate)
{
  return digest (certificate, EVP_sha256 ());
}

char *
em_x509_thumbprint_text (X509 *certificate)
{
  g_autoptr (GBytes) value = em_x509_thumbprint (certificate);
  const guint8 *bytes = g_bytes_get_data (value, NULL);
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < g_bytes_get_size (value); i++)
    g_string_append_printf (text, "%02x", bytes[i]);
  return g_string_free (text, FALSE);
}

GBytes *
em_x509_parse_thumbprint (const char *text)
{
  guint8 value[SHA256_DIGEST_LENGTH];
  gsize len = strlen (text);

  if (len != 2 * SHA256_DIGEST_LENGTH && len != 2 * SHA_DIGEST_LENGTH)
    return NULL;

  for (gsize i = 0; i < len / 2; i++)
    {
      int high = g_ascii_xdigit_value (text[2 * i]);
      int low = g_ascii_xdigit_value (text[2 * i + 1]);

      if (high < 0 || low < 0)
        return NULL;
      value[i] = (guint8) (high * 16 + low);
    }

  return g_bytes_new (value, len / 2);
}

static gboolean
is_pinned (const EmX509Trust *self, X509 *leaf)
{
  for (guint i = 0; i < self->pins->len; i++)
    {
      GBytes *pin = self->pins->pdata[i];
      gboolean sha1 = g_bytes_get_size (pin) == SHA_DIGEST_LENGTH;
      g_autoptr (GBytes) own = digest (leaf, sha1 ? EVP_sha1 () : EVP_sha256 ());

      if (g_bytes_equal (pin, own))
        return TRUE;
    }

  return FALSE;
}

static gboolean
is_issued_by (X509 *certificate, X509 *issuer)
{
  gboolean issued = X509_check_issued (issuer, certificate) == X509_V_OK &&
                    X509_verify (certificate, X509_get0_pubkey (issuer)) == 1;

  ERR_clear_error ();
  return issued;
}

/* In the order of TLS: each certificate is followed by its issuer. Ends at the first one
 * that a CA of ours issued. *CA_OUT is that CA. */
static guint
find_ca (const EmX509Trust *self, GPtrArray *chain, X509 **ca_out)
{
  for (guint i = 0; i < chain->len; i++)
    {
      X509 *certificate = chain->pdata[i];

      for (guint j = 0; j < self->cas->len; j++)
        if (is_issued_by (certificate, self->cas->pdata[j]))
          {
            *ca_out = self->cas->pdata[j];
            return i + 1;
          }
      if (i + 1 < chain->len && !is_issued_by (certificate, chain->pdata[i + 1]))
        break;
    }

  return 0;
}

guint
em_x509_distance (const EmX509Trust *self, GPtrArray *chain)
{
  X509 *ca;

  return find_ca (self, chain, &ca);
}

static EmX509Verdict
verdict_of (int openssl_error)
{
  switch (openssl_error)
    {
    case X509_V_OK:
      return EM_X509_OK;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return EM_X509_NOT_YET_VALID;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return EM_X509_EXPIRED;
    default:
      return EM_X509_CHAIN;
    }
}

/* Anything that OpenSSL finds wrong with the way up to ANCHOR: the dates, and whether
 * those between are CAs. ANCHOR alone is trusted, be it a root or not. */
static EmX509Verdict
check_path (GPtrArray *chain, X509 *anchor, gint64 now)
{
  g_autoptr (X509_STORE) store = X509_STORE_new ();
  g_autoptr (X509_STORE_CTX) context = X509_STORE_CTX_new ();
  STACK_OF (X509) *others = sk_X509_new_null ();
  EmX509Verdict verdict;

  for (guint i = 1; i < chain->len; i++)
    sk_X509_push (others, chain->pdata[i]);
  if (X509_STORE_add_cert (store, anchor) != 1 ||
      X509_STORE_CTX_init (context, store, chain->pdata[0], others) != 1)
    g_error ("OpenSSL cannot make a certificate store");
  X509_VERIFY_PARAM_set_flags (X509_STORE_CTX_get0_param (context),
                               X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_time (X509_STORE_CTX_get0_param (context), (time_t) now);

  X509_verify_cert (context);
  verdict = verdict_of (X509_STORE_CTX_get_error (context));
  g_clear_pointer (&context, X509_STORE_CTX_free);
  sk_X509_free (others);
  ERR_clear_error ();
  return verdict;
}

static EmX509Verdict
check_dates (X509 *leaf, gint64 now)
{
  time_t at = (time_t) now;

  if (X509_cmp_time (X509_get0_notBefore (leaf), &at) >= 0)
    return EM_X509_NOT_YET_VALID;
  if (X509_cmp_time (X509_get0_notAfter (leaf), &at) <= 0)
    return EM_X509_EXPIRED;
  return EM_X509_OK;
}

char *
em_x509_common_name (const X509_NAME *subject)
{
  int index = X509_NAME_get_index_by_NID (subject, NID_commonName, -1);
  const ASN1_STRING *value;
  unsigned char *text = NULL;
  char *name = NULL;
  int len;

  if (index < 0 || X509_NAME_get_index_by_NID (subject, NID_commonName, index) >= 0)
    return NULL;

  value = X509_NAME_ENTRY_get_data (X509_NAME_get_entry (subject, index));
  len = ASN1_STRING_to_UTF8 (&text, value);
  if (len > 0 && memchr (text, '\0', (gsize) len) == NULL)
    name = g_strndup ((const char *) text, (gsize) len);
  OPENSSL_free (text);
  ERR_clear_error ();
  return name;
}

static gboolean
is_named (X509 *leaf, const char *name)
{
  g_autofree char *own = em_x509_common_name (X509_get_subject_name (leaf));

  return own != NULL && g_ascii_strcasecmp (own, name) == 0;
}

/* Without the extension every bit is set. */
static gboolean
may_be_client (X509 *leaf)
{
  return (X509_get_extended_key_usage (leaf) & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
}

EmX509Verdict
em_x509_check (const EmX509Trust *self, GPtrArray *chain, const char *name, gint64 now)
{
  EmX509Verdict verdict;
  X509 *leaf, *ca;

  if (chain == NULL)
    return EM_X509_ABSENT;
  if (chain->len == 0)
    return EM_X509_UNREADABLE;

  leaf = chain->pdata[0];
  if (is_pinned (self, leaf))
    verdict = check_dates (leaf, now);
  else if (self->cas->len == 0)
    return EM_X509_OTHER;
  else if (find_ca (self, chain, &ca) == 0)
    return EM_X509_CHAIN;
  else
    verdict = check_path (chain, ca, now);

  if (verdict != EM_X509_OK)
    return verdict;
  if (!is_named (leaf, name))
    return EM_X509_COMMON_NAME;
  return may_be_client (leaf) ? EM_X509_OK : EM_X509_USAGE;
}
