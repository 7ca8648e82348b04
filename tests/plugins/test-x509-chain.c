/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-pki.h"
#include "x509-chain.h"
#include "x509-enrollment.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

/* What the x509 plugin takes for a certificate chain. */

#define HOURS 3600

typedef struct
{
  const char *name; /* in the tables below */
  const char *cn;
  const char *kind;
  const char *issuer; /* NULL = itself */
  gboolean ca;
  void (*change) (X509 *draft);
  EVP_PKEY *key;
  X509 *certificate;
} Made;

static void
set_extension (X509 *draft, int nid, const char *value)
{
  int at = X509_get_ext_by_NID (draft, nid, -1);
  X509_EXTENSION *extension = NULL;

  if (at >= 0)
    X509_EXTENSION_free (X509_delete_ext (draft, at));
  if (value == NULL)
    return;
  extension = X509V3_EXT_conf_nid (NULL, NULL, nid, value);
  g_assert_nonnull (extension);
  X509_add_ext (draft, extension, -1);
  X509_EXTENSION_free (extension);
}

static void
add_name (X509 *draft, int nid, const char *value, int size)
{
  X509_NAME *subject = X509_get_subject_name (draft);

  /* A type of string, where text would be held to the 64 characters. */
  g_assert_cmpint (X509_NAME_add_entry_by_NID (subject,
                                               nid,
                                               V_ASN1_UTF8STRING,
                                               (const guchar *) value,
                                               size,
                                               -1,
                                               0),
                   ==,
                   1);
}

static void
name_65 (X509 *draft)
{
  g_autofree char *name = g_strnfill (65, 'a');

  add_name (draft, NID_commonName, name, -1);
}

static void
name_64 (X509 *draft)
{
  g_autofree char *name = g_strnfill (64, 'a');

  add_name (draft, NID_commonName, name, -1);
}

static void
name_with_zero (X509 *draft)
{
  add_name (draft, NID_commonName, "gw-1\0.evil", 10);
}

static void
second_name (X509 *draft)
{
  add_name (draft, NID_commonName, "gw-2", -1);
}

static void
organization (X509 *draft)
{
  add_name (draft, NID_organizationName, "Contoso", -1);
}

static void
server_auth (X509 *draft)
{
  set_extension (draft, NID_ext_key_usage, "serverAuth");
}

static void
both_auths (X509 *draft)
{
  set_extension (draft, NID_ext_key_usage, "serverAuth,clientAuth");
}

static void
no_extended_usage (X509 *draft)
{
  set_extension (draft, NID_ext_key_usage, NULL);
}

static void
encipherment (X509 *draft)
{
  set_extension (draft, NID_key_usage, "keyEncipherment");
}

static void
digital_signature (X509 *draft)
{
  set_extension (draft, NID_key_usage, "critical,digitalSignature");
}

static void
large (X509 *draft)
{
  g_autofree char *comment = g_strnfill (5000, 'x');

  set_extension (draft, NID_netscape_comment, comment);
}

static Made made[] = {
  { "root", "Contoso Root", "P-384", NULL, TRUE },
  { "mid1", "Contoso Plant", "P-256", "root", TRUE },
  { "mid2", "Contoso Line", "P-256", "mid1", TRUE },
  { "imposter", "Contoso Line", "P-256", "mid1", TRUE },
  { "no-ca", "Contoso Clerk", "P-256", "mid1", FALSE },
  { "leaf", "gw-1", "P-256", "mid2" },
  { "of-clerk", "gw-1", "P-256", "no-ca" },
  { "self", "Gw_1:a.b-2", "P-256" },
  { "p384", "gw-1", "P-384" },
  { "rsa", "gw-1", "RSA-2048" },
  { "rsa-3072", "gw-1", "RSA-3072" },
  { "rsa-1024", "gw-1", "RSA-1024" },
  { "p521", "gw-1", "P-521" },
  { "ed25519", "gw-1", "ED25519" },
  { "nameless", NULL, "P-256", NULL, FALSE, organization },
  { "two-names", "gw-1", "P-256", NULL, FALSE, second_name },
  { "name-64", NULL, "P-256", NULL, FALSE, name_64 },
  { "name-65", NULL, "P-256", NULL, FALSE, name_65 },
  { "name-zero", NULL, "P-256", NULL, FALSE, name_with_zero },
  { "name-space", "gw 1", "P-256" },
  { "name-umlaut", "gw-\303\244", "P-256" },
  { "name-dot", ".gw", "P-256" },
  { "name-colon", "gw:", "P-256" },
  { "server", "gw-1", "P-256", NULL, FALSE, server_auth },
  { "both", "gw-1", "P-256", NULL, FALSE, both_auths },
  { "any-use", "gw-1", "P-256", NULL, FALSE, no_extended_usage },
  { "encipher", "gw-1", "P-256", NULL, FALSE, encipherment },
  { "signs", "gw-1", "P-256", NULL, FALSE, digital_signature },
  { "large", "gw-1", "P-256", NULL, TRUE, large },
};

static const Made *
find (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (made); i++)
    if (g_str_equal (made[i].name, name))
      return &made[i];
  g_error ("no certificate is called %s", name);
}

static void
make_all (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (made); i++)
    {
      Made *self = &made[i];
      const Made *issuer = self->issuer != NULL ? find (self->issuer) : self;
      TestPkiRequest request = { .name = self->cn, .ca = self->ca };

      self->key = test_pki_key (self->kind);
      request.key = self->key;
      request.issuer = self->issuer != NULL ? issuer->certificate : NULL;
      request.issuer_key = issuer->key;
      self->certificate = test_pki_draft (&request);
      if (self->change != NULL)
        self->change (self->certificate);
      if (self->issuer == NULL)
        X509_set_issuer_name (self->certificate,
                              X509_get_subject_name (self->certificate));
      test_pki_sign (self->certificate, &request);
    }
}

static void
free_all (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (made); i++)
    {
      EVP_PKEY_free (made[i].key);
      X509_free (made[i].certificate);
    }
}

/* The file of "leaf mid2 mid1". */
static GString *
pem_of (const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);
  GString *text = g_string_new (NULL);

  for (gsize i = 0; list[i] != NULL; i++)
    {
      g_autofree char *pem = test_pki_pem (find (list[i])->certificate);

      g_string_append (text, pem);
    }
  return text;
}

static GByteArray *
der_of (const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);
  GByteArray *bytes = g_byte_array_new ();

  for (gsize i = 0; list[i] != NULL; i++)
    {
      g_autoptr (GBytes) der = test_pki_der (find (list[i])->certificate);

      g_byte_array_append (bytes,
                           g_bytes_get_data (der, NULL),
                           (guint) g_bytes_get_size (der));
    }
  return bytes;
}

static X509Chain *
parse (const void *data, gsize size, X509Error *error)
{
  DpsPluginView file = { data, size };

  memset (error, 0, sizeof *error);
  return x509_chain_parse (&file, error);
}

static gint64
seconds (void)
{
  return g_get_real_time () / G_USEC_PER_SEC;
}

/* Cause and text of what certificate= with these has, at an hour from now. */
typedef struct
{
  const char *names;
  const char *cause; /* NULL = it is good */
  const char *text;  /* a part of it; of a good one the common name */
  gint64 hour;
} Row;

static const Row rows[] = {
  { "self", NULL, "Gw_1:a.b-2" },
  { "rsa", NULL, "gw-1" },
  { "rsa-3072", NULL, "gw-1" },
  { "p384", NULL, "gw-1" },
  { "both", NULL, "gw-1" },
  { "any-use", NULL, "gw-1" },
  { "signs", NULL, "gw-1" },
  { "name-64", NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
  { "leaf", NULL, "gw-1" },
  { "leaf mid2", NULL, "gw-1" },
  { "leaf mid2 mid1", NULL, "gw-1" },
  { "leaf mid2 mid1 root", NULL, "gw-1" },
  { "self", "x509-expired", "CN=Gw_1:a.b-2", 2 },
  { "self", "x509-not-yet-valid", "CN=Gw_1:a.b-2", -2 },
  { "leaf mid2", "x509-expired", "has expired at", 2 },
  { "rsa-1024", "x509-key", "RSA of 1024 bits" },
  { "p521", "x509-key", "EC on secp521r1" },
  { "ed25519", "x509-key", "not supported (ED25519)" },
  { "nameless", "x509-common-name", "has no common name" },
  { "two-names", "x509-common-name", "more than one common name" },
  { "name-65", "x509-common-name", "more than 64 characters" },
  { "name-zero", "x509-common-name", "no registration id" },
  { "name-space", "x509-common-name", "no registration id" },
  { "name-umlaut", "x509-common-name", "no registration id" },
  { "name-dot", "x509-common-name", "no registration id" },
  { "name-colon", "x509-common-name", "no registration id" },
  { "server", "x509-usage", "without clientAuth" },
  { "encipher", "x509-usage", "without digitalSignature" },
  { "leaf mid1", "x509-chain", "add what is missing between them" },
  { "leaf mid1 mid2", "x509-chain", "put them in order" },
  { "leaf mid2 root", "x509-chain", "certificate 3 is not the one" },
  { "leaf mid2 mid1 root self", "x509-chain", "certificate 5 is not the one" },
  { "leaf leaf", "x509-chain", "CN=Contoso Line; add what is missing" },
  { "leaf imposter", "x509-chain", "certificate 2 is not the one" },
  { "of-clerk no-ca", "x509-chain", "certificate 2 is not the one" },
  { "leaf mid2 mid1 root root root root root", NULL, "gw-1" },
  { "leaf mid2 mid1 root root root root root root",
    "x509-certificate",
    "more than 8 certificates" },
  { "large large large", "x509-certificate", "more than 16 KiB" },
};

static void
assert_good (X509Chain *chain, const Row *row)
{
  g_autoptr (GString) file = pem_of (row->names);
  g_autofree char *pem = x509_chain_dup_pem (chain);

  g_assert_cmpstr (x509_chain_get_common_name (chain), ==, row->text);
  g_assert_cmpstr (pem, ==, file->str);
}

static void
assert_row (const Row *row, X509Chain *chain, X509Error *error)
{
  if (chain != NULL && !x509_chain_check (chain, seconds () + row->hour * HOURS, error))
    g_clear_pointer (&chain, x509_chain_free);
  g_test_message ("%s: %s %s", row->names, error->cause, error->text);
  g_assert_cmpstr (error->cause, ==, row->cause);
  if (row->cause == NULL)
    assert_good (chain, row);
  else
    {
      g_assert_null (chain);
      g_assert_cmpint (error->result, ==, DPS_PLUGIN_INVALID_ARGUMENT);
      g_assert_nonnull (strstr (error->text, row->text));
      g_assert_true (strstr (error->text, "certificate=") != NULL ||
                     strstr (error->text, "the device's certificate") != NULL);
    }
  g_clear_pointer (&chain, x509_chain_free);
}

static void
test_pem (gconstpointer data)
{
  const Row *row = data;
  g_autoptr (GString) file = pem_of (row->names);
  X509Error error;
  X509Chain *chain = parse (file->str, file->len, &error);

  assert_row (row, chain, &error);
}

static void
test_der (gconstpointer data)
{
  const Row *row = data;
  g_autoptr (GByteArray) file = der_of (row->names);
  X509Error error;
  X509Chain *chain = parse (file->data, file->len, &error);

  assert_row (row, chain, &error);
}

/* Text that tools put around the blocks is not looked at. */
static void
test_text_around (void)
{
  g_autoptr (GString) file = pem_of ("leaf mid2");
  g_autofree char *pem = NULL, *bare = g_strdup (file->str);
  g_autoptr (X509Chain) chain = NULL;
  X509Error error;

  g_string_prepend (file,
                    "Bag Attributes\n    friendlyName: gw-1\nsubject=CN = gw-1\n\n");
  g_string_append (file, "\n\nthe end");
  chain = parse (file->str, file->len, &error);
  g_assert_nonnull (chain);
  pem = x509_chain_dup_pem (chain);
  g_assert_cmpstr (pem, ==, bare);
}

static void
assert_refused (const void *data, gsize size, const char *text)
{
  X509Error error;

  g_assert_null (parse (data, size, &error));
  g_assert_cmpstr (error.cause, ==, "x509-certificate");
  if (strstr (error.text, text) == NULL)
    g_assert_cmpstr (error.text, ==, text);
}

static char *
key_pem (const char *name)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  char *text, *pem;
  long size;

  PEM_write_bio_PrivateKey (bio, find (name)->key, NULL, NULL, 0, NULL, NULL);
  size = BIO_get_mem_data (bio, &text);
  pem = g_strndup (text, (gsize) size);
  BIO_free (bio);
  return pem;
}

static void
test_other_files (void)
{
  g_autoptr (GString) file = pem_of ("leaf");
  g_autoptr (GString) longer = pem_of ("leaf");
  g_autoptr (GByteArray) der = der_of ("leaf");
  g_autofree char *key = key_pem ("leaf");

  assert_refused ("", 0, "has no certificate");
  assert_refused ("hello", 5, "at place 1");
  assert_refused (file->str, file->len - 30, "cut off");
  assert_refused (der->data, der->len - 1, "at place 1");
  g_byte_array_append (der, (const guint8 *) "x", 1);
  assert_refused (der->data, der->len, "at place 2");
  g_string_append (longer, key);
  assert_refused (longer->str, longer->len, "has a private key");
  assert_refused (key, strlen (key), "has a private key");
  g_string_append (file, "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n");
  assert_refused (file->str, file->len, "a PEM block that is no certificate");
}

/* A block whose DER has bytes behind the certificate. */
static void
test_bytes_behind (void)
{
  g_autoptr (GByteArray) der = der_of ("leaf");
  BIO *bio = BIO_new (BIO_s_mem ());
  char *text;
  long size;

  g_byte_array_append (der, (const guint8 *) "x", 1);
  PEM_write_bio (bio, PEM_STRING_X509, "", der->data, der->len);
  size = BIO_get_mem_data (bio, &text);
  assert_refused (text, (gsize) size, "at place 1");
  BIO_free (bio);
}

static void
test_key (void)
{
  g_autoptr (GString) file = pem_of ("leaf mid2");
  X509Error error;
  g_autoptr (X509Chain) chain = parse (file->str, file->len, &error);

  g_assert_true (x509_chain_check_key (chain, find ("leaf")->key, &error));
  g_assert_false (x509_chain_check_key (chain, find ("mid2")->key, &error));
  g_assert_cmpstr (error.cause, ==, "x509-key-mismatch");
  g_assert_false (x509_chain_check_key (chain, find ("rsa")->key, &error));
  g_assert_cmpstr (error.cause, ==, "x509-key-mismatch");
}

static void
test_lone_leaf (void)
{
  static const struct
  {
    const char *names;
    gboolean lone;
  } table[] = { { "leaf", TRUE }, { "leaf mid2", FALSE }, { "self", FALSE } };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GString) file = pem_of (table[i].names);
      X509Error error;
      g_autoptr (X509Chain) chain = parse (file->str, file->len, &error);

      g_assert_cmpint (x509_chain_is_lone_leaf (chain), ==, table[i].lone);
    }
}

/* What an operator compares with 'openssl x509 -fingerprint' and 'az iot dps'. */
static void
test_enrollment (void)
{
  g_autoptr (GString) file = pem_of ("leaf mid2");
  g_autoptr (GByteArray) der = der_of ("leaf");
  g_autofree char *sha1 =
      g_compute_checksum_for_data (G_CHECKSUM_SHA1, der->data, der->len);
  g_autofree char *sha256 =
      g_compute_checksum_for_data (G_CHECKSUM_SHA256, der->data, der->len);
  g_autofree char *upper1 = g_ascii_strup (sha1, -1);
  g_autofree char *upper256 = g_ascii_strup (sha256, -1);
  const char *const parts[] = {
    "registration id: gw-1\n",
    "subject: CN=gw-1\n",
    "issuer: CN=Contoso Line\n",
    upper1,
    upper256,
    "az iot dps enrollment create --enrollment-id gw-1 ",
    "az iot dps enrollment-group create ",
    "Z to 20",
  };
  X509Error error;
  g_autoptr (X509Chain) chain = parse (file->str, file->len, &error);
  g_autofree char *text = NULL;

  g_assert_true (x509_chain_check (chain, seconds (), &error));
  text = x509_enrollment_text (chain);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (strstr (text, parts[i]) == NULL)
      g_error ("'%s' is not in: %s", parts[i], text);
}

/* Deeper than any parser should follow. */
static void
test_nested (void)
{
  static const guint8 openings[][4] = { { 0x30, 0x80, 0x30, 0x80 },
                                        { 0x30, 0x82, 0x3f, 0xfc },
                                        { 0x24, 0x80, 0x24, 0x80 },
                                        { 0xa0, 0x80, 0xa3, 0x80 },
                                        { 0x30, 0x84, 0x7f, 0xff } };

  for (gsize i = 0; i < G_N_ELEMENTS (openings); i++)
    {
      g_autofree guint8 *file = g_malloc (DPS_PLUGIN_BLOB_MAX);

      for (gsize at = 0; at < DPS_PLUGIN_BLOB_MAX; at += 4)
        memcpy (file + at, openings[i], 4);
      assert_refused (file, DPS_PLUGIN_BLOB_MAX, "at place 1");
    }
}

/* Whatever comes is a chain within its bounds, or has a cause. */
static gboolean
try (const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size);
  X509Error error;
  g_autoptr (X509Chain) chain = parse (copy, size, &error);
  g_autofree char *pem = NULL;

  if (chain == NULL || !x509_chain_check (chain, seconds (), &error))
    {
      g_assert_nonnull (error.cause);
      g_assert_true (g_utf8_validate (error.text, -1, NULL));
      return FALSE;
    }
  pem = x509_chain_dup_pem (chain);
  g_assert_cmpuint (strlen (pem), <=, DPS_PLUGIN_MATERIAL_VALUE_MAX);
  g_assert_cmpuint (strlen (x509_chain_get_common_name (chain)),
                    <=,
                    X509_COMMON_NAME_MAX);
  return TRUE;
}

/* Every byte changed in two ways, and every length. */
static void
mutate (const guint8 *good, gsize size, guint *tried, guint *taken)
{
  static const guint8 changes[] = { 0x01, 0x80 };
  g_autofree guint8 *bad = g_memdup2 (good, size);

  for (gsize at = 0; at < size; at++)
    {
      for (gsize i = 0; i < G_N_ELEMENTS (changes); i++, (*tried)++)
        {
          bad[at] = good[at] ^ changes[i];
          *taken += try (bad, size);
        }
      bad[at] = good[at];
      *taken += try (good, at);
      (*tried)++;
    }
}

static void
test_mutations (void)
{
  g_autoptr (GByteArray) der = der_of ("leaf mid2");
  g_autoptr (GString) pem = pem_of ("leaf");
  guint tried = 0, taken = 0;

  g_assert_true (try (der->data, der->len));
  mutate (der->data, der->len, &tried, &taken);
  mutate ((const guint8 *) pem->str, pem->len, &tried, &taken);
  g_test_message ("FIGURE %u mutated chains, %u of them taken", tried, taken);
  g_assert_cmpuint (tried, >, 3000);
}

static void
add_rows (const char *prefix, gboolean with_der)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("%s/%02" G_GSIZE_FORMAT "-%s",
                           prefix,
                           i,
                           rows[i].cause != NULL ? rows[i].cause : "good");

      g_test_add_data_func (path, &rows[i], with_der ? test_der : test_pem);
    }
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  make_all ();
  add_rows ("/x509/chain/pem", FALSE);
  add_rows ("/x509/chain/der", TRUE);
  g_test_add_func ("/x509/chain/text-around", test_text_around);
  g_test_add_func ("/x509/chain/other-files", test_other_files);
  g_test_add_func ("/x509/chain/bytes-behind", test_bytes_behind);
  g_test_add_func ("/x509/chain/key", test_key);
  g_test_add_func ("/x509/chain/lone-leaf", test_lone_leaf);
  g_test_add_func ("/x509/chain/enrollment", test_enrollment);
  g_test_add_func ("/x509/chain/nested", test_nested);
  g_test_add_func ("/x509/chain/mutations", test_mutations);
  status = g_test_run ();
  free_all ();
  return status;
}
