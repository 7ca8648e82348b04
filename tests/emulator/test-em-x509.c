/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-issuer.h"
#include "em-pair.h"

#include <string.h>

#include <openssl/x509v3.h>

#define DAY (24 * 60 * 60)
/* An array of pointers, as chains are given to expect(). */
#define CHAIN(...) ((const EmPair *[]){ __VA_ARGS__, NULL })

/* What a certificate is made with; the zero of each is the ordinary. */
typedef struct
{
  const char *name;
  const char *usage;
  int start_days;
  int end_days;
} Shape;

typedef struct
{
  EmPair root;
  EmPair line;
  EmPair other;
  EmPair member;
  EmPair direct;
  EmPair pinned;
  EmX509Trust *group; /* the root's */
  EmX509Trust *pins;
} Fixture;

static void
make_ca (EmPair *self, const EmPair *issuer, const char *name)
{
  g_autoptr (GError) error = NULL;

  em_pair_make_ca (self, issuer, name, "P-256", "", &error);
  g_assert_no_error (error);
}

static void
make_leaf (EmPair *self, const EmPair *issuer, Shape shape)
{
  g_autoptr (GError) error = NULL;
  long end = shape.end_days != 0 ? shape.end_days : 30;

  em_pair_make (self, shape.name, "P-256", &error);
  g_assert_no_error (error);
  X509_gmtime_adj (X509_getm_notBefore (self->cert), (shape.start_days - 1L) * DAY);
  X509_gmtime_adj (X509_getm_notAfter (self->cert), end * DAY);
  g_assert_true (em_cert_add_extension (self->cert,
                                        self->cert,
                                        NID_basic_constraints,
                                        "critical,CA:FALSE"));
  if (shape.usage != NULL)
    g_assert_true (
        em_cert_add_extension (self->cert, self->cert, NID_ext_key_usage, shape.usage));
  em_pair_sign (self, issuer != NULL ? issuer : self, &error);
  g_assert_no_error (error);
}

static void
fixture_set_up (Fixture *f, gconstpointer data)
{
  make_ca (&f->root, NULL, "root");
  make_ca (&f->line, &f->root, "line");
  make_ca (&f->other, NULL, "root");
  make_leaf (&f->member, &f->line, (Shape){ "Dev-1", "clientAuth", 0, 0 });
  make_leaf (&f->direct, &f->root, (Shape){ "dev-1", NULL, 0, 0 });
  make_leaf (&f->pinned, NULL, (Shape){ "dev-1", NULL, 0, 0 });

  f->group = em_x509_trust_new ();
  X509_up_ref (f->root.cert);
  g_ptr_array_add (f->group->cas, f->root.cert);
  f->pins = em_x509_trust_new ();
  g_ptr_array_add (f->pins->pins, em_x509_thumbprint (f->pinned.cert));
}

static void
fixture_tear_down (Fixture *f, gconstpointer data)
{
  EmPair *pairs[] = { &f->root, &f->line, &f->other, &f->member, &f->direct, &f->pinned };

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    em_pair_clear (pairs[i]);
  em_x509_trust_unref (f->group);
  em_x509_trust_unref (f->pins);
}

static GPtrArray *
chain_of (const EmPair *const *pairs)
{
  GPtrArray *chain = em_chain_new ();

  for (guint i = 0; pairs[i] != NULL; i++)
    {
      X509_up_ref (pairs[i]->cert);
      g_ptr_array_add (chain, pairs[i]->cert);
    }
  return chain;
}

static void
expect (const EmX509Trust *trust,
        const EmPair *const *pairs,
        const char *name,
        EmX509Verdict wanted)
{
  g_autoptr (GPtrArray) chain = chain_of (pairs);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;

  g_assert_cmpstr (em_x509_verdict_name (em_x509_check (trust, chain, name, now)),
                   ==,
                   em_x509_verdict_name (wanted));
}

static void
test_chains (Fixture *f, gconstpointer data)
{
  g_auto (EmPair) below = { 0 };
  g_autoptr (GPtrArray) none = em_chain_new ();

  make_leaf (&below, &f->direct, (Shape){ "dev-1", NULL, 0, 0 });

  expect (f->group, CHAIN (&f->direct), "dev-1", EM_X509_OK);
  expect (f->group, CHAIN (&f->member, &f->line), "dev-1", EM_X509_OK);
  expect (f->group, CHAIN (&f->member, &f->line, &f->root), "DEV-1", EM_X509_OK);
  expect (f->group, CHAIN (&f->member), "dev-1", EM_X509_CHAIN);
  expect (f->group, CHAIN (&f->member, &f->root, &f->line), "dev-1", EM_X509_CHAIN);
  expect (f->group, CHAIN (&f->pinned), "dev-1", EM_X509_CHAIN);
  expect (f->group, CHAIN (&f->pinned, &f->root), "dev-1", EM_X509_CHAIN);
  expect (f->group, CHAIN (&below, &f->direct), "dev-1", EM_X509_CHAIN);
  expect (f->group, CHAIN (&f->direct), "dev-2", EM_X509_COMMON_NAME);
  expect (f->group, CHAIN (&f->direct), "dev-11", EM_X509_COMMON_NAME);

  g_assert_cmpint (em_x509_check (f->group, NULL, "dev-1", 0), ==, EM_X509_ABSENT);
  g_assert_cmpint (em_x509_check (f->group, none, "dev-1", 0), ==, EM_X509_UNREADABLE);
}

static void
test_pins (Fixture *f, gconstpointer data)
{
  expect (f->pins, CHAIN (&f->pinned), "dev-1", EM_X509_OK);
  expect (f->pins, CHAIN (&f->pinned, &f->other), "dev-1", EM_X509_OK);
  expect (f->pins, CHAIN (&f->direct), "dev-1", EM_X509_OTHER);
  expect (f->pins, CHAIN (&f->direct, &f->pinned), "dev-1", EM_X509_OTHER);
  expect (f->pins, CHAIN (&f->pinned), "dev-2", EM_X509_COMMON_NAME);
}

/* The same CA by name, with another key. */
static void
test_namesake (Fixture *f, gconstpointer data)
{
  g_auto (EmPair) leaf = { 0 };

  make_leaf (&leaf, &f->other, (Shape){ "dev-1", NULL, 0, 0 });
  expect (f->group, CHAIN (&leaf), "dev-1", EM_X509_CHAIN);
  expect (f->group, CHAIN (&leaf, &f->root), "dev-1", EM_X509_CHAIN);
}

static void
test_shapes (Fixture *f, gconstpointer data)
{
  static const struct
  {
    Shape shape;
    EmX509Verdict verdict;
  } cases[] = {
    { { "dev-1", "clientAuth", 0, 0 }, EM_X509_OK },
    { { "dev-1", "serverAuth,clientAuth", 0, 0 }, EM_X509_OK },
    { { "dev-1", "anyExtendedKeyUsage", 0, 0 }, EM_X509_OK },
    { { "dev-1", "serverAuth", 0, 0 }, EM_X509_USAGE },
    { { "dev-1", "codeSigning", 0, 0 }, EM_X509_USAGE },
    { { "dev-1", NULL, 2, 0 }, EM_X509_NOT_YET_VALID },
    { { "dev-1", NULL, -9, -2 }, EM_X509_EXPIRED },
    { { "another", "serverAuth", -9, -2 }, EM_X509_EXPIRED },
    { { "another", "serverAuth", 0, 0 }, EM_X509_COMMON_NAME },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (EmPair) member = { 0 };
      g_auto (EmPair) own = { 0 };
      g_autoptr (EmX509Trust) pin = em_x509_trust_new ();

      make_leaf (&member, &f->root, cases[i].shape);
      expect (f->group, CHAIN (&member), "dev-1", cases[i].verdict);

      make_leaf (&own, NULL, cases[i].shape);
      g_ptr_array_add (pin->pins, em_x509_thumbprint (own.cert));
      expect (pin, CHAIN (&own), "dev-1", cases[i].verdict);
    }
}

/* Two common names could each be taken for the device's. */
static void
test_names (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_auto (EmPair) leaf = { 0 };

  em_pair_make (&leaf, "dev-2", "P-256", &error);
  g_assert_no_error (error);
  X509_NAME_add_entry_by_txt (X509_get_subject_name (leaf.cert),
                              "CN",
                              MBSTRING_UTF8,
                              (const unsigned char *) "dev-1",
                              -1,
                              -1,
                              0);
  g_assert_true (em_pair_sign (&leaf, &f->root, &error));
  expect (f->group, CHAIN (&leaf), "dev-1", EM_X509_COMMON_NAME);
  expect (f->group, CHAIN (&leaf), "dev-2", EM_X509_COMMON_NAME);
}

static void
test_distance (Fixture *f, gconstpointer data)
{
  /* Says that it is the root in every way but the signature. */
  const EmPair forger = { f->root.cert, f->other.key };
  g_auto (EmPair) forged = { 0 };
  g_autoptr (GPtrArray) by_forger = NULL;
  g_autoptr (GPtrArray) direct = chain_of (CHAIN (&f->direct));
  g_autoptr (GPtrArray) member = chain_of (CHAIN (&f->member, &f->line));
  g_autoptr (GPtrArray) foreign = chain_of (CHAIN (&f->pinned, &f->line));

  g_assert_cmpuint (em_x509_distance (f->group, direct), ==, 1);
  g_assert_cmpuint (em_x509_distance (f->group, member), ==, 2);
  g_assert_cmpuint (em_x509_distance (f->group, foreign), ==, 0);
  g_assert_cmpuint (em_x509_distance (f->pins, direct), ==, 0);

  make_leaf (&forged, &forger, (Shape){ "dev-1", NULL, 0, 0 });
  by_forger = chain_of (CHAIN (&forged));
  g_assert_cmpuint (em_x509_distance (f->group, by_forger), ==, 0);
}

static void
test_der (Fixture *f, gconstpointer data)
{
  g_autoptr (GPtrArray) chain = em_chain_new ();
  g_autofree guint8 *large = g_malloc0 (EM_CERTIFICATE_MAX + 1);
  unsigned char *made = NULL;
  int len = i2d_X509 (f->member.cert, &made);
  g_autofree guint8 *der = g_malloc ((gsize) len + 1);

  memcpy (der, made, (gsize) len);
  der[len] = 0;
  OPENSSL_free (made);

  for (guint i = 0; i < EM_CHAIN_MAX; i++)
    g_assert_true (em_chain_add_der (chain, der, (gsize) len));
  g_assert_cmpuint (chain->len, ==, EM_CHAIN_MAX);
  g_assert_false (em_chain_add_der (chain, der, (gsize) len));
  g_assert_cmpuint (chain->len, ==, 0);

  g_assert_false (em_chain_add_der (chain, der, (gsize) len + 1));
  for (gsize cut = 0; cut < (gsize) len; cut++)
    g_assert_false (em_chain_add_der (chain, der, cut));

  memcpy (large, der, (gsize) len);
  g_assert_false (em_chain_add_der (chain, large, EM_CERTIFICATE_MAX + 1));
}

/* Whatever one bit makes of it, it is read or refused, and never taken. */
static void
test_flipped_bits (Fixture *f, gconstpointer data)
{
  unsigned char *made = NULL;
  int len = i2d_X509 (f->direct.cert, &made);
  guint read = 0;

  for (int bit = 0; bit < len * 8; bit++)
    {
      g_autoptr (GPtrArray) chain = em_chain_new ();
      guint8 mask = (guint8) (1u << (bit % 8));

      made[bit / 8] ^= mask;
      if (em_chain_add_der (chain, made, (gsize) len))
        {
          read++;
          g_assert_cmpint (em_x509_check (f->group,
                                          chain,
                                          "dev-1",
                                          g_get_real_time () / G_USEC_PER_SEC),
                           !=,
                           EM_X509_OK);
        }
      made[bit / 8] ^= mask;
    }
  OPENSSL_free (made);
  g_assert_cmpuint (read, >, 0);
}

/* Base64 of a CSR for NAME, with a key on CURVE; *DER_OUT, where wanted, is its DER. */
static char *
make_csr (const char *name, const char *curve, GByteArray **der_out)
{
  EVP_PKEY *key = EVP_EC_gen (curve);
  X509_REQ *csr = X509_REQ_new ();
  unsigned char *der = NULL;
  char *text;
  int len;

  X509_NAME_add_entry_by_txt (X509_REQ_get_subject_name (csr),
                              "CN",
                              MBSTRING_UTF8,
                              (const unsigned char *) name,
                              -1,
                              -1,
                              0);
  X509_REQ_set_pubkey (csr, key);
  g_assert_cmpint (X509_REQ_sign (csr, key, EVP_sha384 ()), >, 0);
  len = i2d_X509_REQ (csr, &der);
  text = g_base64_encode (der, (gsize) len);
  if (der_out != NULL)
    *der_out = g_byte_array_append (g_byte_array_new (), der, (guint) len);
  OPENSSL_free (der);
  X509_REQ_free (csr);
  EVP_PKEY_free (key);
  return text;
}

static void
test_csrs (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *name;
    const char *curve;
    const char *why;
  } cases[] = {
    { "dev-1", "P-384", NULL },
    { "DEV-1", "P-384", "its common name is not the registration ID" },
    { "dev-11", "P-384", "its common name is not the registration ID" },
    { "dev-1", "P-256", "its key is not one on P-384" },
    { "dev-1", "P-521", "its key is not one on P-384" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = make_csr (cases[i].name, cases[i].curve, NULL);
      const char *why = NULL;
      X509_REQ *csr = em_csr_parse (text, "dev-1", &why);

      g_assert_cmpstr (why, ==, cases[i].why);
      g_assert_true ((csr != NULL) == (why == NULL));
      X509_REQ_free (csr);
    }
}

static void
refuse_csr (const guint8 *der, gsize len)
{
  g_autofree char *text = g_base64_encode (der, len);
  const char *why = NULL;

  g_assert_null (em_csr_parse (text, "dev-1", &why));
  g_assert_nonnull (why);
}

static void
test_broken_csrs (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) der = NULL;
  g_autofree char *text = make_csr ("dev-1", "P-384", &der);
  g_autofree guint8 *large = g_malloc0 (EM_CSR_MAX + 1);

  for (guint bit = 0; bit < der->len * 8; bit++)
    {
      guint8 mask = (guint8) (1u << (bit % 8));

      der->data[bit / 8] ^= mask;
      refuse_csr (der->data, der->len);
      der->data[bit / 8] ^= mask;
    }
  for (guint cut = 0; cut < der->len; cut++)
    refuse_csr (der->data, cut);

  memcpy (large, der->data, der->len);
  refuse_csr (large, der->len + 1);
  refuse_csr (large, EM_CSR_MAX + 1);
}

static void
test_thumbprints (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *text;
    gsize len;
  } cases[] = {
    { "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF", 32 },
    { "00112233445566778899aabbccddeeff00112233", 20 },
    { "", 0 },
    { "00112233445566778899aabbccddeeff0011223", 0 },
    { "00112233445566778899aabbccddeeff0011223g", 0 },
    { "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:d", 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) value = em_x509_parse_thumbprint (cases[i].text);

      g_assert_cmpuint (value != NULL ? g_bytes_get_size (value) : 0, ==, cases[i].len);
    }
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/x509/chains-link-up-to-the-ca", test_chains },
    { "/x509/pins-are-of-the-leaf", test_pins },
    { "/x509/a-ca-of-the-same-name-is-another", test_namesake },
    { "/x509/dates-usages-and-names", test_shapes },
    { "/x509/two-common-names-are-none", test_names },
    { "/x509/distance-counts-from-the-leaf", test_distance },
    { "/x509/der-is-bounded-and-whole", test_der },
    { "/x509/no-flipped-bit-is-taken", test_flipped_bits },
    { "/x509/thumbprints", test_thumbprints },
    { "/csr/key-and-name", test_csrs },
    { "/csr/no-flipped-bit-is-taken", test_broken_csrs },
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path,
                Fixture,
                NULL,
                fixture_set_up,
                tests[i].test,
                fixture_tear_down);
  return g_test_run ();
}
