/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-pkcs11-uri.h"
#include "x509-tpm-public.h"
#include "x509-openssl.h"
#include "x509-tss2-key.h"

#include <openssl/pem.h>
#include <string.h>
#include <tss2/tss2_mu.h>

/* What the parts of plugins/x509 for keys in devices make of foreign bytes. */

static void
test_uri (void)
{
  g_auto (X509Pkcs11Uri) uri = { NULL };
  X509Error error = { 0 };

  g_assert_true (x509_pkcs11_uri_parse ("pkcs11:token=The%20token;manufacturer=M;"
                                        "serial=0a;model=v2;object=k%C3%A9y;id=%00%01a;"
                                        "type=private;slot-id=7"
                                        "?module-path=/usr/lib/a/b.so",
                                        &uri,
                                        &error));
  g_assert_cmpstr (uri.token, ==, "The token");
  g_assert_cmpstr (uri.manufacturer, ==, "M");
  g_assert_cmpstr (uri.serial, ==, "0a");
  g_assert_cmpstr (uri.model, ==, "v2");
  g_assert_cmpstr (uri.object, ==, "kéy");
  g_assert_cmpmem (g_bytes_get_data (uri.id, NULL),
                   g_bytes_get_size (uri.id),
                   "\0\1a",
                   3);
  g_assert_cmpstr (uri.slot_id, ==, "7");
  g_assert_cmpstr (uri.module_path, ==, "/usr/lib/a/b.so");
  g_assert_null (uri.module_name);
}

#define PIN "73924511"

/* Each with what its text says. */
static const struct
{
  const char *uri, *text;
} bad_uris[] = {
  { "pkcs11", "is none" },
  { "PKCS11:token=a", "is none" },
  { "pkcs11:", "names no key" },
  { "pkcs11:?module-name=a", "names no key" },
  { "pkcs11:token", "without '='" },
  { "pkcs11:token=a;", "without '='" },
  { "pkcs11:token=", "'token' has a value" },
  { "pkcs11:token=a;token=b", "'token' is there twice" },
  { "pkcs11:token=%", "'token' has a value" },
  { "pkcs11:token=%4", "'token' has a value" },
  { "pkcs11:token=%4g", "'token' has a value" },
  { "pkcs11:token=a%00b", "'token' has a value" },
  { "pkcs11:token=%ff", "'token' has a value" },
  { "pkcs11:token=a b", "'token' has a value" },
  { "pkcs11:token=a/b", "'token' has a value" },
  { "pkcs11:token=a#b", "'token' has a value" },
  { "pkcs11:type=public", "'type' has a value" },
  { "pkcs11:slot-id=0x1", "'slot-id' has a value" },
  { "pkcs11:slot-id=01", "'slot-id' has a value" },
  { "pkcs11:slot-id=-1", "'slot-id' has a value" },
  { "pkcs11:slot-id=12345678901", "'slot-id' has a value" },
  { "pkcs11:Token=a", "'Token' is not known" },
  { "pkcs11:library-version=3", "'library-version' is not known" },
  { "pkcs11:x-vendor=3", "'x-vendor' is not known" },
  { "pkcs11:module-path=/usr/lib/a.so", "'module-path' is not known" },
  { "pkcs11:token=a?token=b", "'token' is not known behind '?'" },
  { "pkcs11:token=a?module-path=b.so", "'module-path' has a value" },
  { "pkcs11:token=a?module-path=/usr/lib/../b.so", "'module-path' has a value" },
  { "pkcs11:token=a?module-path=/usr/lib/%2e%2e/b.so", "'module-path' has a value" },
  { "pkcs11:token=a?module-name=../b", "'module-name' has a value" },
  { "pkcs11:token=a?module-name=a%2fb", "'module-name' has a value" },
  { "pkcs11:token=a?module-name=a&module-path=/a", "give it one of them" },
  { "pkcs11:token=a?pin-value=" PIN, "has a PIN" },
  { "pkcs11:token=a?pin-source=file:/" PIN, "has a PIN" },
  { "pkcs11:token=a;pin-value=" PIN, "has a PIN" },
  { "pkcs11:token=a;object=" PIN "%", "'object' has a value" },
};

static void
assert_refused (const char *uri, const char *text)
{
  g_auto (X509Pkcs11Uri) parsed = { NULL };
  X509Error error = { 0 };

  g_test_message ("%.80s", uri);
  g_assert_false (x509_pkcs11_uri_parse (uri, &parsed, &error));
  g_assert_cmpint (error.result, ==, DPS_PLUGIN_INVALID_ARGUMENT);
  g_assert_cmpstr (error.cause, ==, X509_CAUSE_KEY);
  if (strstr (error.text, text) == NULL)
    g_assert_cmpstr (error.text, ==, text);
  g_assert_null (strstr (error.text, PIN));
}

static void
test_bad_uris (void)
{
  g_autofree char *filling = g_strnfill (256, 'a');
  g_autofree char *long_value = g_strconcat ("pkcs11:token=", filling, NULL);
  g_autofree char *long_uri =
      g_strconcat (long_value, filling, filling, filling, filling, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (bad_uris); i++)
    assert_refused (bad_uris[i].uri, bad_uris[i].text);
  assert_refused (long_value, "'token' has a value");
  assert_refused (long_uri, "longer than 1024");
}

/* Every cut and every flipped bit of a good one either parses or is refused: it never
 * reads past its end, which the sanitizer sees. */
static void
test_damaged_uris (void)
{
  static const char good[] = "pkcs11:token=a%20b;id=%01?module-name=c";

  for (gsize i = 0; i < strlen (good); i++)
    for (guint bit = 0; bit < 8; bit++)
      {
        g_auto (X509Pkcs11Uri) uri = { NULL };
        g_autofree char *text = g_strdup (good);
        X509Error error = { 0 };

        text[i] = (char) (text[i] ^ 1 << bit);
        if (!x509_pkcs11_uri_parse (text, &uri, &error))
          g_assert_cmpstr (error.text, !=, "");
      }
}

/* A key file is put together from these. */
typedef struct
{
  const char *type;   /* DER of the type's OBJECT IDENTIFIER, hex; NULL = loadable */
  const char *middle; /* DER of what is between type and parent, hex */
  const char *parent; /* DER, hex */
  const char *tail;   /* behind the sequence, hex */
  gboolean longer;    /* a byte too many in the public part */
  gboolean other_pem;
} FileParts;

#define LOADABLE "06066781050a0103"
#define IMPORTABLE "06066781050a0104"
#define SEALED "06066781050a0105"
#define OWNER "020440000001"

static void
append_hex (GByteArray *out, const char *hex)
{
  for (; hex != NULL && hex[0] != '\0'; hex += 2)
    {
      guint8 byte =
          (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (out, &byte, 1);
    }
}

static void
append_der (GByteArray *out, guint8 tag, const guint8 *data, gsize size)
{
  guint8 head[] = { tag, 0x82, (guint8) (size >> 8), (guint8) size };

  g_byte_array_append (out, head, sizeof head);
  g_byte_array_append (out, data, (guint) size);
}

static TPM2B_PUBLIC
ec_public (TPMA_OBJECT attributes, TPM2_ECC_CURVE curve)
{
  /* The base point of P-256. */
  static const char x[] =
      "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
  static const char y[] =
      "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
  TPM2B_PUBLIC public = {
    .publicArea = { .type = TPM2_ALG_ECC,
                    .nameAlg = TPM2_ALG_SHA256,
                    .objectAttributes = attributes,
                    .parameters.eccDetail = { .symmetric.algorithm = TPM2_ALG_NULL,
                                              .scheme.scheme = TPM2_ALG_NULL,
                                              .curveID = curve,
                                              .kdf.scheme = TPM2_ALG_NULL } },
  };
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  append_hex (bytes, x);
  append_hex (bytes, y);
  memcpy (public.publicArea.unique.ecc.x.buffer, bytes->data, 32);
  memcpy (public.publicArea.unique.ecc.y.buffer, bytes->data + 32, 32);
  public.publicArea.unique.ecc.x.size = public.publicArea.unique.ecc.y.size = 32;
  return public;
}

#define SIGNS (TPMA_OBJECT_SIGN_ENCRYPT | TPMA_OBJECT_USERWITHAUTH)

static char *
make_file (const FileParts *parts)
{
  g_autoptr (GByteArray) body = g_byte_array_new ();
  g_autoptr (GByteArray) whole = g_byte_array_new ();
  TPM2B_PUBLIC public = ec_public (SIGNS, TPM2_ECC_NIST_P256);
  guint8 marshalled[sizeof public + 1] = { 0 };
  static const guint8 private[] = { 0, 3, 'a', 'b', 'c' };
  g_autoptr (BIO) bio = BIO_new (BIO_s_mem ());
  char *text;
  long text_size;
  const char *name = parts->other_pem ? "PRIVATE KEY" : "TSS2 PRIVATE KEY";
  size_t size = 0;

  g_assert_cmpuint (Tss2_MU_TPM2B_PUBLIC_Marshal (&public,
                                                  marshalled,
                                                  sizeof marshalled,
                                                  &size),
                    ==,
                    TSS2_RC_SUCCESS);
  append_hex (body, parts->type != NULL ? parts->type : LOADABLE);
  append_hex (body, parts->middle);
  append_hex (body, parts->parent != NULL ? parts->parent : OWNER);
  append_der (body, 0x04, marshalled, size + (parts->longer ? 1 : 0));
  append_der (body, 0x04, private, sizeof private);
  append_der (whole, 0x30, body->data, body->len);
  append_hex (whole, parts->tail);
  PEM_write_bio (bio, name, "", whole->data, whole->len);
  text_size = BIO_get_mem_data (bio, &text);
  return g_strndup (text, (gsize) text_size);
}

static gboolean
parse (const char *pem, X509Tss2Key *key, X509Error *error)
{
  const DpsPluginView view = { (const guint8 *) pem, strlen (pem) };

  return x509_tss2_key_parse (&view, key, error);
}

static void
test_tss2 (void)
{
  /* emptyAuth, as a boolean of either value; the last parent has its high bit set. */
  static const struct
  {
    FileParts parts;
    TPM2_HANDLE parent;
  } good[] = {
    { { NULL }, TPM2_RH_OWNER },
    { { .middle = "a0030101ff" }, TPM2_RH_OWNER },
    { { .middle = "a003010100" }, TPM2_RH_OWNER },
    { { .parent = "02050081000001" }, 0x81000001 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autofree char *pem = make_file (&good[i].parts);
      X509Error error = { 0 };
      X509Tss2Key key;

      if (!parse (pem, &key, &error))
        g_error ("%" G_GSIZE_FORMAT ": %s", i, error.text);
      g_assert_cmphex (key.parent, ==, good[i].parent);
      g_assert_cmpuint (key.public.publicArea.type, ==, TPM2_ALG_ECC);
      g_assert_cmpmem (key.private.buffer, key.private.size, "abc", 3);
    }
}

static void
test_bad_tss2 (void)
{
  static const struct
  {
    FileParts parts;
    const char *text;
  } bad[] = {
    { { .type = IMPORTABLE }, "of another type" },
    { { .type = SEALED }, "of another type" },
    { { .type = "0500" }, "no TPMKey" },
    { { .middle = "a1023000" }, "asks for a policy" },
    { { .middle = "a2020400" }, "asks for a policy" },
    { { .middle = "a3023000" }, "asks for a policy" },
    { { .middle = "a4023000" }, "no TPMKey" },
    { { .parent = "020440000007" }, "a parent that is neither" },
    { { .parent = "02050080000001" }, "a parent that is neither" },
    { { .parent = "0205ff7effffff" }, "a parent that is neither" },
    { { .parent = "02060181000001" }, "no TPMKey" },
    { { .parent = "020900810000010000"
                  "0000" },
      "a parent that is neither" },
    { { .tail = "0500" }, "no TPMKey" },
    { { .longer = TRUE }, "its parts are none" },
    { { .other_pem = TRUE }, "no whole PEM block" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *pem = make_file (&bad[i].parts);
      X509Error error = { 0 };
      X509Tss2Key key;

      g_test_message ("%" G_GSIZE_FORMAT, i);
      g_assert_false (parse (pem, &key, &error));
      g_assert_cmpstr (error.cause, ==, X509_CAUSE_TPM_KEY);
      if (strstr (error.text, bad[i].text) == NULL)
        g_assert_cmpstr (error.text, ==, bad[i].text);
    }
}

/* No cut of a good file is a file, but for that of its last line end. */
static void
test_cut_tss2 (void)
{
  const FileParts parts = { NULL };
  g_autofree char *pem = make_file (&parts);
  gsize size = strlen (pem);

  for (gsize cut = 0; cut < size - 1; cut++)
    {
      g_autofree char *text = g_strndup (pem, cut);
      X509Error error = { 0 };
      X509Tss2Key key;

      if (parse (text, &key, &error))
        g_error ("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes", cut, size);
    }
}

static void
test_public (void)
{
  static const struct
  {
    TPMA_OBJECT attributes;
    TPM2_ECC_CURVE curve;
    const char *text; /* NULL = fine */
  } cases[] = {
    { SIGNS, TPM2_ECC_NIST_P256, NULL },
    { SIGNS | TPMA_OBJECT_DECRYPT, TPM2_ECC_NIST_P256, NULL },
    { SIGNS | TPMA_OBJECT_RESTRICTED, TPM2_ECC_NIST_P256, "restricted" },
    { TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_DECRYPT, TPM2_ECC_NIST_P256, "not sign" },
    { TPMA_OBJECT_SIGN_ENCRYPT, TPM2_ECC_NIST_P256, "policy" },
    { SIGNS, TPM2_ECC_NIST_P521, "neither RSA nor EC" },
    { SIGNS, TPM2_ECC_NIST_P384, "neither RSA nor EC" }, /* no point of that curve */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const TPM2B_PUBLIC public = ec_public (cases[i].attributes, cases[i].curve);
      X509Error error = { 0 };
      EVP_PKEY *key = x509_tpm_public_convert (&public, "a test", &error);

      g_assert_cmpint (key != NULL, ==, cases[i].text == NULL);
      if (key == NULL && strstr (error.text, cases[i].text) == NULL)
        g_assert_cmpstr (error.text, ==, cases[i].text);
      EVP_PKEY_free (key);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/x509/pkcs11-uri/good", test_uri);
  g_test_add_func ("/x509/pkcs11-uri/bad", test_bad_uris);
  g_test_add_func ("/x509/pkcs11-uri/damaged", test_damaged_uris);
  g_test_add_func ("/x509/tss2-key/good", test_tss2);
  g_test_add_func ("/x509/tss2-key/bad", test_bad_tss2);
  g_test_add_func ("/x509/tss2-key/cut", test_cut_tss2);
  g_test_add_func ("/x509/tpm-public", test_public);
  return g_test_run ();
}
