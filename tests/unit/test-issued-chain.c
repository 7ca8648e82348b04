/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-certificate-request.h"
#include "core/dps-issuance.h"
#include "core/dps-issued-chain.h"
#include "test-pki.h"

#include <openssl/x509v3.h>
#include <string.h>

#define ID "edge-Host-1"

/* An authority of two tiers, another one, and our key. */
static EVP_PKEY *ours, *root_key, *middle_key, *other_key;
static X509 *root, *middle, *other_root;

static void
set_up (void)
{
  ours = test_pki_key ("P-384");
  root_key = test_pki_key ("P-384");
  middle_key = test_pki_key ("P-384");
  other_key = test_pki_key ("P-384");
  root = test_pki_certificate (
      &(TestPkiRequest){ .name = "root", .key = root_key, .ca = TRUE });
  middle = test_pki_certificate (&(TestPkiRequest){ .name = "middle",
                                                    .key = middle_key,
                                                    .issuer = root,
                                                    .issuer_key = root_key,
                                                    .ca = TRUE });
  other_root = test_pki_certificate (
      &(TestPkiRequest){ .name = "root", .key = other_key, .ca = TRUE });
}

static void
tear_down (void)
{
  EVP_PKEY_free (ours);
  EVP_PKEY_free (root_key);
  EVP_PKEY_free (middle_key);
  EVP_PKEY_free (other_key);
  X509_free (root);
  X509_free (middle);
  X509_free (other_root);
}

typedef void (*Spoil) (X509 *leaf);

static X509 *
leaf_for (const char *name, EVP_PKEY *key, Spoil spoil)
{
  TestPkiRequest request = { .name = name,
                             .key = key,
                             .issuer = middle,
                             .issuer_key = middle_key };
  X509 *leaf = test_pki_draft (&request);

  if (spoil != NULL)
    spoil (leaf);
  test_pki_sign (leaf, &request);
  return leaf;
}

/* Takes leaf; the rest is NULL-terminated. */
static DpsCertificateChain *
chain_of (X509 *leaf, ...)
{
  g_autoptr (GPtrArray) all =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GError) error = NULL;
  DpsCertificateChain *chain;
  va_list rest;

  g_ptr_array_add (all, test_pki_der (leaf));
  X509_free (leaf);
  va_start (rest, leaf);
  for (X509 *next = va_arg (rest, X509 *); next != NULL; next = va_arg (rest, X509 *))
    g_ptr_array_add (all, test_pki_der (next));
  va_end (rest);
  chain = dps_certificate_chain_new_from_der (all, &error);
  g_assert_no_error (error);
  return chain;
}

/* what = NULL: it is good. Takes chain. */
static void
check_at (DpsCertificateChain *taken, gint64 ahead, const char *what)
{
  g_autoptr (DpsCertificateChain) chain = taken;
  g_autoptr (GError) error = NULL;
  gboolean good =
      dps_issued_chain_check (chain, ours, ID, g_get_real_time () + ahead, &error);

  if (what == NULL)
    {
      g_assert_no_error (error);
      g_assert_true (good);
      return;
    }
  g_assert_false (good);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
  if (strstr (error->message, what) == NULL)
    g_error ("'%s' is not in '%s'", what, error->message);
}

static void
check (DpsCertificateChain *chain, const char *what)
{
  check_at (chain, 0, what);
}

static void
test_good (void)
{
  check (chain_of (leaf_for (ID, ours, NULL), middle, root, NULL), NULL);
  check (chain_of (leaf_for ("EDGE-HOST-1", ours, NULL), middle, root, NULL), NULL);
  check (chain_of (leaf_for (ID, ours, NULL), middle, NULL), NULL);
}

static void
test_other_key (void)
{
  check (chain_of (leaf_for (ID, other_key, NULL), middle, root, NULL), "another key");
}

static void
test_other_name (void)
{
  check (chain_of (leaf_for ("edge-host-2", ours, NULL), middle, root, NULL),
         "it is for 'edge-host-2'; asked for was '" ID "'");
  check (chain_of (leaf_for (NULL, ours, NULL), middle, root, NULL), "no common name");
}

#define HOUR (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

static void
test_dates (void)
{
  const gint64 tolerated = DPS_ISSUED_CHAIN_AHEAD;

  /* All of them are good from an hour ago until in an hour. */
  check_at (chain_of (leaf_for (ID, ours, NULL), middle, root, NULL),
            HOUR + G_USEC_PER_SEC,
            "certificate 1 of it was valid until");
  check_at (chain_of (leaf_for (ID, ours, NULL), middle, root, NULL),
            -HOUR - tolerated - 30 * G_USEC_PER_SEC,
            "certificate 1 of it is not valid before");
  check_at (chain_of (leaf_for (ID, ours, NULL), middle, root, NULL),
            -HOUR - tolerated + 30 * G_USEC_PER_SEC,
            NULL);
}

static void
test_dates_of_issuer (void)
{
  TestPkiRequest request = { .name = "middle",
                             .key = middle_key,
                             .issuer = root,
                             .issuer_key = root_key,
                             .ca = TRUE };
  X509 *expired = test_pki_draft (&request);

  X509_gmtime_adj (X509_getm_notAfter (expired), -60);
  test_pki_sign (expired, &request);
  check (chain_of (leaf_for (ID, ours, NULL), expired, root, NULL),
         "certificate 2 of it was valid until");
  X509_free (expired);
}

static void
remove_usage (X509 *leaf)
{
  int at = X509_get_ext_by_NID (leaf, NID_ext_key_usage, -1);

  g_assert_cmpint (at, >=, 0);
  X509_EXTENSION_free (X509_delete_ext (leaf, at));
}

static void
add (X509 *leaf, int nid, const char *value)
{
  X509_EXTENSION *extension = X509V3_EXT_conf_nid (NULL, NULL, nid, value);

  g_assert_nonnull (extension);
  X509_add_ext (leaf, extension, -1);
  X509_EXTENSION_free (extension);
}

static void
make_server (X509 *leaf)
{
  remove_usage (leaf);
  add (leaf, NID_ext_key_usage, "serverAuth");
}

static void
make_both (X509 *leaf)
{
  remove_usage (leaf);
  add (leaf, NID_ext_key_usage, "serverAuth,clientAuth");
}

static void
make_cipher (X509 *leaf)
{
  add (leaf, NID_key_usage, "keyEncipherment");
}

static void
test_usage (void)
{
  check (chain_of (leaf_for (ID, ours, make_server), middle, root, NULL),
         "extended key usage");
  check (chain_of (leaf_for (ID, ours, make_cipher), middle, root, NULL),
         "does not allow signatures");
  check (chain_of (leaf_for (ID, ours, make_both), middle, root, NULL), NULL);
  check (chain_of (leaf_for (ID, ours, remove_usage), middle, root, NULL), NULL);
}

static void
test_links (void)
{
  X509 *forged = X509_dup (root);

  check (chain_of (leaf_for (ID, ours, NULL), root, NULL), "chain does not hold");
  check (chain_of (leaf_for (ID, ours, NULL), root, middle, NULL), "chain does not hold");
  check (chain_of (leaf_for (ID, ours, NULL), middle, other_root, NULL),
         "chain does not hold");
  check (chain_of (leaf_for (ID, ours, NULL), middle, root, other_root, NULL),
         "chain does not hold");
  /* Changed after it was signed; its name and key still fit the one before. */
  X509_gmtime_adj (X509_getm_notAfter (forged), 7200);
  X509_sign (forged, other_key, EVP_sha256 ());
  check (chain_of (leaf_for (ID, ours, NULL), middle, forged, NULL),
         "not signed by itself");
  X509_free (forged);
}

/* --- the request -----------------------------------------------------------------------
 */

static X509_REQ *
parse (GBytes *der)
{
  gsize size;
  const guint8 *at = g_bytes_get_data (der, &size);
  const guint8 *end = at + size;
  X509_REQ *request = d2i_X509_REQ (NULL, &at, (long) size);

  g_assert_nonnull (request);
  g_assert_true (at == end);
  return request;
}

static void
test_request (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsIssuedKey) key = dps_issued_key_make (NULL, &error);
  char name[80];

  for (guint i = 0; i < 50; i++)
    {
      g_autoptr (GBytes) der = dps_certificate_request_new (key, ID, &error);
      X509_REQ *request;
      X509_NAME *subject;

      g_assert_no_error (error);
      request = parse (der);
      subject = X509_REQ_get_subject_name (request);
      g_assert_cmpint (X509_REQ_verify (request, dps_issued_key_get_public (key)), ==, 1);
      g_assert_cmpint (X509_REQ_get_signature_nid (request), ==, NID_ecdsa_with_SHA384);
      g_assert_cmpint (EVP_PKEY_eq (X509_REQ_get0_pubkey (request),
                                    dps_issued_key_get_public (key)),
                       ==,
                       1);
      g_assert_cmpint (X509_NAME_entry_count (subject), ==, 1);
      g_assert_cmpint (X509_NAME_get_text_by_NID (subject,
                                                  NID_commonName,
                                                  name,
                                                  sizeof name),
                       ==,
                       (int) strlen (ID));
      g_assert_cmpstr (name, ==, ID);
      g_assert_cmpint (X509_REQ_get_attr_count (request), ==, 0);
      g_assert_cmpint (X509_REQ_get_version (request), ==, X509_REQ_VERSION_1);
      X509_REQ_free (request);
    }
}

static void
test_request_name (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsIssuedKey) key = dps_issued_key_make (NULL, &error);
  g_autofree char *longest = g_strnfill (64, 'a');
  g_autofree char *longer = g_strnfill (65, 'a');
  g_autoptr (GBytes) good = dps_certificate_request_new (key, longest, &error);

  g_assert_no_error (error);
  g_assert_nonnull (good);
  g_assert_null (dps_certificate_request_new (key, longer, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
}

/* --- an issuance -----------------------------------------------------------------------
 */

static void
on_begun (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static DpsIssuance *
begin (const char *registration_id, DpsFailure **failure)
{
  g_autoptr (DpsConfig) config = g_object_new (DPS_TYPE_CONFIG, NULL);
  g_autoptr (GAsyncResult) result = NULL;

  dps_issuance_begin_async (config, FALSE, registration_id, NULL, on_begun, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return dps_issuance_begin_finish (result, failure);
}

static GPtrArray *
issue (DpsIssuance *issuance, const char *name)
{
  X509_REQ *request = parse (dps_issuance_get_request (issuance));
  X509 *leaf = leaf_for (name, X509_REQ_get0_pubkey (request), NULL);
  GPtrArray *issued = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);

  g_ptr_array_add (issued, test_pki_der (leaf));
  g_ptr_array_add (issued, test_pki_der (middle));
  g_ptr_array_add (issued, test_pki_der (root));
  X509_free (leaf);
  X509_REQ_free (request);
  return issued;
}

static void
test_issuance (void)
{
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (DpsIssuance) issuance = begin (ID, &failure);
  g_autoptr (GPtrArray) issued = issue (issuance, ID);
  g_autoptr (DpsIdentity) identity = dps_identity_new ();
  g_autoptr (DpsIssuedKey) key = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (
      dps_issuance_take (issuance, issued, g_get_real_time (), identity, &failure));
  g_assert_null (failure);
  g_assert_cmpint (identity->shape, ==, DPS_SHAPE_CERTIFICATE);
  g_assert_true (g_str_has_prefix (identity->chain, "-----BEGIN CERTIFICATE-----"));
  g_assert_null (identity->blob);
  key = dps_issued_key_open (identity->key, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
test_issuance_refused (void)
{
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (DpsFailure) other = NULL;
  g_autoptr (DpsFailure) none = NULL;
  g_autoptr (DpsFailure) garbage = NULL;
  g_autoptr (DpsFailure) longer = NULL;
  g_autoptr (DpsIssuance) issuance = begin (ID, &failure);
  g_autoptr (GPtrArray) issued = issue (issuance, "edge-host-2");
  g_autoptr (GPtrArray) empty =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (DpsIdentity) identity = dps_identity_new ();
  g_autofree char *id_of_65 = g_strnfill (65, 'a');
  const gint64 now = g_get_real_time ();

  g_assert_false (dps_issuance_take (issuance, issued, now, identity, &other));
  g_assert_cmpint (other->kind, ==, DPS_FAILURE_ISSUED_CHAIN);
  g_assert_false (dps_issuance_take (issuance, NULL, now, identity, &none));
  g_assert_cmpint (none->kind, ==, DPS_FAILURE_NO_ISSUED_CHAIN);
  g_clear_pointer (&none, dps_failure_unref);
  g_assert_false (dps_issuance_take (issuance, empty, now, identity, &none));
  g_assert_cmpint (none->kind, ==, DPS_FAILURE_NO_ISSUED_CHAIN);
  g_ptr_array_add (empty, g_bytes_new_static ("0123", 4));
  g_assert_false (dps_issuance_take (issuance, empty, now, identity, &garbage));
  g_assert_cmpint (garbage->kind, ==, DPS_FAILURE_ISSUED_CHAIN);
  g_assert_null (identity->chain);
  g_assert_null (identity->key);
  g_assert_null (begin (id_of_65, &longer));
  g_assert_cmpint (longer->kind, ==, DPS_FAILURE_CONFIG_INVALID);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  set_up ();
  g_test_add_func ("/issued-chain/good", test_good);
  g_test_add_func ("/issued-chain/other-key", test_other_key);
  g_test_add_func ("/issued-chain/other-name", test_other_name);
  g_test_add_func ("/issued-chain/dates", test_dates);
  g_test_add_func ("/issued-chain/dates-of-issuer", test_dates_of_issuer);
  g_test_add_func ("/issued-chain/usage", test_usage);
  g_test_add_func ("/issued-chain/links", test_links);
  g_test_add_func ("/certificate-request/form", test_request);
  g_test_add_func ("/certificate-request/name", test_request_name);
  g_test_add_func ("/issuance/taken", test_issuance);
  g_test_add_func ("/issuance/refused", test_issuance_refused);
  status = g_test_run ();
  tear_down ();
  return status;
}
