/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "dps/dps-certificate.h"
#include "test-pki.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/pem.h>

/* A root, an intermediate and a leaf, and one more root that has nothing to do with them.
 */
static struct
{
  EVP_PKEY *root_key, *middle_key, *leaf_key, *other_key;
  X509 *root, *middle, *leaf, *other;
  char *root_pem, *middle_pem, *leaf_pem, *other_pem;
} pki;

static X509 *
certify (const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, gboolean ca)
{
  return test_pki_certificate (&(TestPkiRequest){ name, key, issuer, issuer_key, ca });
}

static void
pki_make (void)
{
  pki.root_key = test_pki_key ("P-384");
  pki.middle_key = test_pki_key ("RSA-2048");
  pki.leaf_key = test_pki_key ("P-256");
  pki.other_key = test_pki_key ("P-384");
  pki.root = certify ("root", pki.root_key, NULL, NULL, TRUE);
  pki.middle = certify ("middle", pki.middle_key, pki.root, pki.root_key, TRUE);
  pki.leaf = certify ("edge-0001", pki.leaf_key, pki.middle, pki.middle_key, FALSE);
  pki.other = certify ("root", pki.other_key, NULL, NULL, TRUE);
  pki.root_pem = test_pki_pem (pki.root);
  pki.middle_pem = test_pki_pem (pki.middle);
  pki.leaf_pem = test_pki_pem (pki.leaf);
  pki.other_pem = test_pki_pem (pki.other);
}

static void
pki_free (void)
{
  EVP_PKEY_free (pki.root_key);
  EVP_PKEY_free (pki.middle_key);
  EVP_PKEY_free (pki.leaf_key);
  EVP_PKEY_free (pki.other_key);
  X509_free (pki.root);
  X509_free (pki.middle);
  X509_free (pki.leaf);
  X509_free (pki.other);
  g_free (pki.root_pem);
  g_free (pki.middle_pem);
  g_free (pki.leaf_pem);
  g_free (pki.other_pem);
}

static DpsCertificateChain *
read_pem (const char *pem)
{
  g_autoptr (GError) error = NULL;
  DpsCertificateChain *chain =
      dps_certificate_chain_new_from_pem (pem, strlen (pem), &error);

  g_assert_no_error (error);
  return chain;
}

static void
refuses_pem_bytes (const char *pem, gsize size, DpsError code, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_certificate_chain_new_from_pem (pem, size, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_error (error, DPS_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, part));
}

static void
refuses_pem (const char *pem, DpsError code, const char *part)
{
  refuses_pem_bytes (pem, strlen (pem), code, part);
}

static GPtrArray *
der_list (X509 *const *certificates, gsize n)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  for (gsize i = 0; i < n; i++)
    g_ptr_array_add (list, test_pki_der (certificates[i]));
  return list;
}

static void
refuses_der (GPtrArray *list, DpsError code, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_certificate_chain_new_from_der (list, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_error (error, DPS_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, part));
}

/* ---- forms ---- */

static void
assert_whole (DpsCertificateChain *chain)
{
  g_autofree char *text = g_strconcat (pki.leaf_pem, pki.middle_pem, pki.root_pem, NULL);
  g_autofree char *pem = dps_certificate_chain_to_pem (chain);
  g_autoptr (GBytes) der = test_pki_der (pki.leaf);
  g_autofree char *digest = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, der);
  STACK_OF (X509) *certificates = dps_certificate_chain_get_certificates (chain);

  g_assert_cmpstr (pem, ==, text);
  g_assert_cmpstr (dps_certificate_chain_get_common_name (chain), ==, "edge-0001");
  g_assert_cmpstr (dps_certificate_chain_get_fingerprint (chain), ==, digest);
  g_assert_cmpint (sk_X509_num (certificates), ==, 3);
  g_assert_cmpint (X509_cmp (sk_X509_value (certificates, 0), pki.leaf), ==, 0);
  g_assert_cmpint (X509_cmp (sk_X509_value (certificates, 2), pki.root), ==, 0);
}

static void
test_pem_and_der (void)
{
  X509 *const all[] = { pki.leaf, pki.middle, pki.root };
  g_autofree char *text = g_strconcat (pki.leaf_pem, pki.middle_pem, pki.root_pem, NULL);
  g_autoptr (GPtrArray) list = der_list (all, G_N_ELEMENTS (all));
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsCertificateChain) from_pem = read_pem (text);
  g_autoptr (DpsCertificateChain) from_der =
      dps_certificate_chain_new_from_der (list, &error);

  g_assert_no_error (error);
  assert_whole (from_pem);
  assert_whole (from_der);
}

/* What 'openssl ca', 'openssl pkcs12' and editors of other systems leave around a block.
 */
static void
test_text_around (void)
{
  g_autofree char *text = g_strconcat ("Certificate:\n    Data:\n        Version: 3\n",
                                       pki.leaf_pem,
                                       "Bag Attributes\n    friendlyName: café\n\n",
                                       pki.middle_pem,
                                       "\r\n \t\n",
                                       pki.root_pem,
                                       "the end",
                                       NULL);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autofree char *crlf = g_strjoinv ("\r\n", lines);
  g_autoptr (DpsCertificateChain) chain = read_pem (text);
  g_autoptr (DpsCertificateChain) dos = read_pem (crlf);

  assert_whole (chain);
  assert_whole (dos);
}

static char *
key_pem (gboolean locked)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  char *text = NULL;
  char *pem;
  long size;

  PEM_write_bio_PKCS8PrivateKey (bio,
                                 pki.leaf_key,
                                 locked ? EVP_aes_256_cbc () : NULL,
                                 locked ? "word" : NULL,
                                 locked ? 4 : 0,
                                 NULL,
                                 NULL);
  size = BIO_get_mem_data (bio, &text);
  pem = g_strndup (text, (gsize) size);
  BIO_free (bio);
  return pem;
}

static void
test_private_key (void)
{
  for (guint i = 0; i < 4; i++)
    {
      g_autofree char *key = key_pem (i % 2 == 1);
      g_autofree char *text = i < 2 ? g_strconcat (key, pki.leaf_pem, NULL)
                                    : g_strconcat (pki.leaf_pem, key, NULL);

      refuses_pem (text, DPS_ERROR_INVALID_ARGUMENT, "private key");
    }
  refuses_pem ("-----BEGIN EC PRIVATE KEY-----\n",
               DPS_ERROR_INVALID_ARGUMENT,
               "private key");
}

static char *
replaced (const char *text, const char *from, const char *to)
{
  g_auto (GStrv) parts = g_strsplit (text, from, 2);

  g_assert_nonnull (parts[1]);
  return g_strjoinv (to, parts);
}

static void
test_other_blocks (void)
{
  static const struct
  {
    const char *from, *to, *part;
  } rows[] = {
    { "BEGIN CERTIFICATE", "BEGIN TRUSTED CERTIFICATE", "something else" },
    { "BEGIN CERTIFICATE", "BEGIN CERTIFICATE REQUEST", "something else" },
    { "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE----", "something else" },
    { "END CERTIFICATE", "END X509 CRL", "something else" },
    { "-----END CERTIFICATE-----\n", "", "base64" },
    { "\nMII", "\n!!!!", "base64" },
    { "\nMII", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMII", "headers" },
    { "\nMII", "\nAII", "DER" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *bad = replaced (pki.leaf_pem, rows[i].from, rows[i].to);

      refuses_pem (bad, DPS_ERROR_INVALID_ARGUMENT, rows[i].part);
    }
}

static void
test_no_pem (void)
{
  g_autoptr (GBytes) der = test_pki_der (pki.leaf);
  gsize size;
  const char *bytes = g_bytes_get_data (der, &size);

  refuses_pem ("", DPS_ERROR_INVALID_ARGUMENT, "no certificate");
  refuses_pem ("hello\n", DPS_ERROR_INVALID_ARGUMENT, "no certificate");
  refuses_pem_bytes (NULL, 0, DPS_ERROR_INVALID_ARGUMENT, "no certificate");
  refuses_pem_bytes (bytes, size, DPS_ERROR_INVALID_ARGUMENT, "binary");
}

/* Whatever byte is missing at the end: an error, and no read beyond it. */
static void
test_truncated (void)
{
  gsize whole = strlen (pki.leaf_pem) - 1; /* the last line may do without its end */

  for (gsize size = 0; size < whole; size++)
    {
      g_autofree char *copy = g_memdup2 (pki.leaf_pem, size);

      g_assert_null (dps_certificate_chain_new_from_pem (copy, size, NULL));
    }
  {
    g_autofree char *copy = g_memdup2 (pki.leaf_pem, whole);
    g_autoptr (DpsCertificateChain) chain =
        dps_certificate_chain_new_from_pem (copy, whole, NULL);

    g_assert_nonnull (chain);
  }
}

/* ---- bounds ---- */

static void
test_nine (void)
{
  X509 *const nine[9] = { pki.leaf, pki.leaf, pki.leaf, pki.leaf, pki.leaf,
                          pki.leaf, pki.leaf, pki.leaf, pki.leaf };
  g_autoptr (GPtrArray) list = der_list (nine, 9);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (DpsCertificateChain) eight = NULL;
  g_autoptr (DpsCertificateChain) eight_der = NULL;

  for (guint i = 0; i < 8; i++)
    g_string_append (text, pki.leaf_pem);
  eight = read_pem (text->str);
  g_assert_cmpint (sk_X509_num (dps_certificate_chain_get_certificates (eight)), ==, 8);
  g_string_append (text, pki.leaf_pem);
  refuses_pem (text->str, DPS_ERROR_LIMITS_EXCEEDED, "more than 8");
  refuses_der (list, DPS_ERROR_LIMITS_EXCEEDED, "more than 8");
  g_ptr_array_remove_index (list, 0);
  eight_der = dps_certificate_chain_new_from_der (list, NULL);
  g_assert_nonnull (eight_der);
}

static void
test_size (void)
{
  g_autofree char *fits = g_strnfill (DPS_CHAIN_PEM_MAX, '\n');
  g_autofree char *more = g_strnfill (DPS_CHAIN_PEM_MAX + 1, '\n');
  g_autoptr (DpsCertificateChain) chain = NULL;
  g_autofree char *pem = NULL;

  memcpy (fits, pki.leaf_pem, strlen (pki.leaf_pem));
  memcpy (more, pki.leaf_pem, strlen (pki.leaf_pem));
  chain = read_pem (fits);
  pem = dps_certificate_chain_to_pem (chain);
  g_assert_cmpstr (pem, ==, pki.leaf_pem);
  refuses_pem (more, DPS_ERROR_LIMITS_EXCEEDED, "16384 bytes");
}

/* As DER it fits, as PEM it could not be read back. */
static void
test_size_as_pem (void)
{
  TestPkiRequest request = { "edge-0001", pki.leaf_key, pki.root, pki.root_key, FALSE };
  g_autofree char *filler = g_strnfill (13000, 'x');
  X509 *large = test_pki_draft (&request);
  ASN1_OCTET_STRING *comment = ASN1_OCTET_STRING_new ();
  X509_EXTENSION *extension;
  g_autoptr (GPtrArray) list = NULL;

  ASN1_OCTET_STRING_set (comment, (const guchar *) filler, 13000);
  extension = X509_EXTENSION_create_by_NID (NULL, NID_netscape_comment, 0, comment);
  X509_add_ext (large, extension, -1);
  test_pki_sign (large, &request);
  list = der_list (&large, 1);
  refuses_der (list, DPS_ERROR_LIMITS_EXCEEDED, "16384 bytes");
  X509_EXTENSION_free (extension);
  ASN1_OCTET_STRING_free (comment);
  X509_free (large);
}

static void
add_bytes (GPtrArray *list, GBytes *certificate, int more)
{
  gsize size;
  const guint8 *bytes = g_bytes_get_data (certificate, &size);
  GByteArray *copy = g_byte_array_new ();

  g_byte_array_append (copy, bytes, (guint) ((int) size + MIN (more, 0)));
  if (more > 0)
    g_byte_array_append (copy, bytes, (guint) more);
  g_ptr_array_add (list, g_byte_array_free_to_bytes (copy));
}

static void
test_der_ends (void)
{
  X509 *const one[] = { pki.leaf };
  g_autoptr (GBytes) middle = test_pki_der (pki.middle);
  g_autoptr (GPtrArray) list = der_list (one, 1);
  g_autoptr (GPtrArray) none = der_list (NULL, 0);

  refuses_der (none, DPS_ERROR_INVALID_ARGUMENT, "no certificate");
  add_bytes (list, middle, 1);
  refuses_der (list, DPS_ERROR_INVALID_ARGUMENT, "certificate 2 of the chain has bytes");
  g_ptr_array_set_size (list, 1);
  add_bytes (list, middle, -1);
  refuses_der (list, DPS_ERROR_INVALID_ARGUMENT, "certificate 2 of the chain is not");
  g_ptr_array_set_size (list, 1);
  g_ptr_array_add (list, g_bytes_new_static ("", 0));
  refuses_der (list, DPS_ERROR_INVALID_ARGUMENT, "certificate 2 of the chain is not");
}

/* ---- the leaf ---- */

/* By hand: on this way no length nor character is checked. */
static void
add_common_name (X509 *certificate, int type, const char *name, int size)
{
  X509_NAME_ENTRY *entry = X509_NAME_ENTRY_new ();

  X509_NAME_ENTRY_set_object (entry, OBJ_nid2obj (NID_commonName));
  X509_NAME_ENTRY_set_data (entry, type, (const guchar *) name, size);
  X509_NAME_add_entry (X509_get_subject_name (certificate), entry, -1, 0);
  X509_NAME_ENTRY_free (entry);
}

#define SIXTY_FOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
test_common_name (void)
{
  static const struct
  {
    int type;
    const char *name;
    int size;
    const char *read; /* NULL = refused, for: */
    const char *part;
  } rows[] = {
    { V_ASN1_UTF8STRING, "a", 1, "a", NULL },
    { V_ASN1_PRINTABLESTRING, "edge 0001", 9, "edge 0001", NULL },
    { V_ASN1_BMPSTRING, "\0e\0d\0g\0e", 8, "edge", NULL },
    { V_ASN1_T61STRING, "caf\xe9", 4, "café", NULL },
    { V_ASN1_UTF8STRING, SIXTY_FOUR, 64, SIXTY_FOUR, NULL },
    { V_ASN1_UTF8STRING, SIXTY_FOUR "x", 65, NULL, "64 characters" },
    { V_ASN1_UTF8STRING, SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR "x", 257, NULL, "" },
    { V_ASN1_UTF8STRING, "edge\0evil", 9, NULL, "NUL" },
    { V_ASN1_UTF8STRING, "edge\0", 5, NULL, "NUL" },
    { V_ASN1_BMPSTRING, "\0e\0\0\0e", 6, NULL, "NUL" },
    { V_ASN1_UTF8STRING, "edge\n0001", 9, NULL, "bad common name" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      TestPkiRequest request = { NULL, pki.leaf_key, pki.root, pki.root_key, FALSE };
      X509 *leaf = test_pki_draft (&request);
      g_autofree char *pem = NULL;

      add_common_name (leaf, rows[i].type, rows[i].name, rows[i].size);
      test_pki_sign (leaf, &request);
      pem = test_pki_pem (leaf);
      if (rows[i].read != NULL)
        {
          g_autoptr (DpsCertificateChain) chain = read_pem (pem);

          g_assert_cmpstr (dps_certificate_chain_get_common_name (chain),
                           ==,
                           rows[i].read);
        }
      else
        refuses_pem (pem, DPS_ERROR_INVALID_ARGUMENT, rows[i].part);
      X509_free (leaf);
    }
}

/* Nothing that OpenSSL would sign. */
static void
test_common_name_no_utf8 (void)
{
  g_autoptr (GBytes) der = test_pki_der (pki.leaf);
  gsize size;
  const guint8 *bytes = g_bytes_get_data (der, &size);
  guint8 *copy = g_memdup2 (bytes, size);
  guint8 *at = memmem (copy, size, "edge-0001", 9);
  g_autoptr (GPtrArray) list =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  g_assert_nonnull (at);
  at[4] = 0xff;
  g_ptr_array_add (list, g_bytes_new_take (copy, size));
  refuses_der (list, DPS_ERROR_INVALID_ARGUMENT, "certificate 1");
}

static void
test_common_names (void)
{
  TestPkiRequest request = { "edge-0001", pki.leaf_key, pki.root, pki.root_key, FALSE };
  X509 *two = test_pki_draft (&request);
  X509 *none = certify (NULL, pki.leaf_key, pki.root, pki.root_key, FALSE);
  g_autofree char *two_pem = NULL;
  g_autofree char *none_pem = test_pki_pem (none);
  g_autoptr (DpsCertificateChain) chain = read_pem (none_pem);

  g_assert_null (dps_certificate_chain_get_common_name (chain));
  add_common_name (two, V_ASN1_UTF8STRING, "edge-0002", 9);
  test_pki_sign (two, &request);
  two_pem = test_pki_pem (two);
  refuses_pem (two_pem, DPS_ERROR_INVALID_ARGUMENT, "two common names");
  X509_free (two);
  X509_free (none);
}

static void
test_dates (void)
{
  static const struct
  {
    const char *before, *after;
    gint64 from, until; /* s since the epoch */
    const char *part;
  } rows[] = {
    { "19700101000000Z", "20380119031408Z", 0, 2147483648, NULL },
    { "19691231235959Z", "99991231235959Z", -1, 253402300799, NULL },
    { "20240229120000Z", "21060207062816Z", 1709208000, 4294967296, NULL },
    { "00010101000000Z", "20500101000000Z", -62135596800, 2524608000, NULL },
    { "00000101000000Z", "20500101000000Z", 0, 0, "notBefore" },
    { "20240101000000Z", "20230230000000Z", 0, 0, "notAfter" },
    { "20240101000000Z", "2024", 0, 0, "notAfter" },
    { "soon", "20240101000000Z", 0, 0, "notBefore" },
    { "20240101000001Z", "20240101000000Z", 0, 0, "ends before" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      TestPkiRequest request = { "a", pki.leaf_key, pki.root, pki.root_key, FALSE };
      X509 *leaf = test_pki_draft (&request);
      ASN1_TIME *times[] = { X509_getm_notBefore (leaf), X509_getm_notAfter (leaf) };
      g_autofree char *pem = NULL;

      for (gsize k = 0; k < 2; k++)
        {
          ASN1_STRING_set (times[k], k == 0 ? rows[i].before : rows[i].after, -1);
          times[k]->type = V_ASN1_GENERALIZEDTIME;
        }
      test_pki_sign (leaf, &request);
      pem = test_pki_pem (leaf);
      if (rows[i].part == NULL)
        {
          g_autoptr (DpsCertificateChain) chain = read_pem (pem);

          g_assert_cmpint (dps_certificate_chain_get_not_before (chain),
                           ==,
                           rows[i].from * G_USEC_PER_SEC);
          g_assert_cmpint (dps_certificate_chain_get_not_after (chain),
                           ==,
                           rows[i].until * G_USEC_PER_SEC);
        }
      else
        refuses_pem (pem, DPS_ERROR_INVALID_ARGUMENT, rows[i].part);
      X509_free (leaf);
    }
}

/* ---- signed by the next ---- */

static void
assert_links (const char *part, const char *a, const char *b, const char *c)
{
  g_autofree char *text = g_strconcat (a, b, c, NULL);
  g_autoptr (DpsCertificateChain) chain = read_pem (text);
  g_autoptr (GError) error = NULL;
  gboolean links = dps_certificate_chain_links (chain, &error);

  if (part == NULL)
    {
      g_assert_no_error (error);
      g_assert_true (links);
      return;
    }
  g_assert_false (links);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, part));
}

static void
test_links (void)
{
  assert_links (NULL, pki.leaf_pem, NULL, NULL);
  assert_links (NULL, pki.root_pem, NULL, NULL);
  assert_links (NULL, pki.leaf_pem, pki.middle_pem, NULL);
  assert_links (NULL, pki.leaf_pem, pki.middle_pem, pki.root_pem);
  assert_links ("certificate 1 of the chain was not issued",
                pki.leaf_pem,
                pki.root_pem,
                pki.middle_pem);
  assert_links ("certificate 1 of the chain was not issued",
                pki.middle_pem,
                pki.leaf_pem,
                NULL);
  assert_links ("certificate 2 of the chain was not issued",
                pki.leaf_pem,
                pki.middle_pem,
                pki.middle_pem);
  /* The same name, another key. */
  assert_links ("certificate 2 of the chain was not signed",
                pki.leaf_pem,
                pki.middle_pem,
                pki.other_pem);
}

static void
test_links_need_authority (void)
{
  X509 *leaf = certify ("a", pki.leaf_key, NULL, NULL, FALSE);
  X509 *below = certify ("b", pki.other_key, leaf, pki.leaf_key, FALSE);
  g_autofree char *leaf_pem = test_pki_pem (leaf);
  g_autofree char *below_pem = test_pki_pem (below);

  assert_links ("certificate 2 of the chain is no authority", below_pem, leaf_pem, NULL);
  X509_free (leaf);
  X509_free (below);
}

static void
test_kinds (void)
{
  static const char *const kinds[] = { "RSA-2048", "P-256", "P-384", "P-521", "ED25519" };

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      EVP_PKEY *ca_key = test_pki_key (kinds[i]);
      EVP_PKEY *key = test_pki_key (kinds[i]);
      X509 *ca = certify ("ca", ca_key, NULL, NULL, TRUE);
      X509 *leaf = certify ("leaf", key, ca, ca_key, FALSE);
      g_autofree char *ca_pem = test_pki_pem (ca);
      g_autofree char *leaf_pem = test_pki_pem (leaf);

      assert_links (NULL, leaf_pem, ca_pem, NULL);
      X509_free (ca);
      X509_free (leaf);
      EVP_PKEY_free (ca_key);
      EVP_PKEY_free (key);
    }
}

/* A point that is on no curve. */
static void
test_bad_public_key (void)
{
  g_autoptr (GBytes) der = test_pki_der (pki.leaf);
  gsize size;
  const guint8 *bytes = g_bytes_get_data (der, &size);
  guint8 *copy = g_memdup2 (bytes, size);
  guint8 *point = NULL;
  gsize length = EVP_PKEY_get1_encoded_public_key (pki.leaf_key, &point);
  guint8 *at = memmem (copy, size, point, length);
  g_autoptr (GPtrArray) list =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  g_assert_nonnull (at);
  memset (at + 1, 0x5a, length - 1);
  g_ptr_array_add (list, g_bytes_new_take (copy, size));
  refuses_der (list, DPS_ERROR_INVALID_ARGUMENT, "public key that cannot be read");
  OPENSSL_free (point);
}

int
main (int argc, char **argv)
{
  int result;

  g_test_init (&argc, &argv, NULL);
  pki_make ();
  g_test_add_func ("/certificate/read/pem-and-der", test_pem_and_der);
  g_test_add_func ("/certificate/read/text-around", test_text_around);
  g_test_add_func ("/certificate/read/refuses-private-key", test_private_key);
  g_test_add_func ("/certificate/read/refuses-other-blocks", test_other_blocks);
  g_test_add_func ("/certificate/read/refuses-no-pem", test_no_pem);
  g_test_add_func ("/certificate/read/truncated", test_truncated);
  g_test_add_func ("/certificate/read/der-ends", test_der_ends);
  g_test_add_func ("/certificate/read/bad-public-key", test_bad_public_key);
  g_test_add_func ("/certificate/bounds/nine", test_nine);
  g_test_add_func ("/certificate/bounds/size", test_size);
  g_test_add_func ("/certificate/bounds/size-as-pem", test_size_as_pem);
  g_test_add_func ("/certificate/leaf/common-name", test_common_name);
  g_test_add_func ("/certificate/leaf/common-name-no-utf8", test_common_name_no_utf8);
  g_test_add_func ("/certificate/leaf/common-names", test_common_names);
  g_test_add_func ("/certificate/leaf/dates", test_dates);
  g_test_add_func ("/certificate/links/order-and-signature", test_links);
  g_test_add_func ("/certificate/links/need-authority", test_links_need_authority);
  g_test_add_func ("/certificate/links/key-kinds", test_kinds);
  result = g_test_run ();
  pki_free ();
  return result;
}
