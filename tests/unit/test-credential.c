/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-credential.h"
#include "core/dps-issued-key.h"
#include "common/dps-error.h"
#include "test-pki.h"

#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)

/* The vectors of dps-protocol §3.4: the derived key of dev-01. */
#define KEY "tyCQ0ipfoM5CGhXLsXLA1n6gkOkaIy/q4gqIJiYcOPQ="
#define EXPIRY G_GUINT64_CONSTANT (1893456000)
#define PREFIX "SharedAccessSignature sr=myhub.azure-devices.net%2Fdevices%2Fdev-01"

static DpsIdentity *
make_identity (void)
{
  DpsIdentity *identity = dps_identity_new ();

  identity->hub = g_strdup ("myhub.azure-devices.net");
  identity->device_id = g_strdup ("dev-01");
  identity->shape = DPS_SHAPE_KEY;
  identity->key = dps_secret_new_from_base64 (KEY, strlen (KEY), 16, 64, NULL);
  return identity;
}

static void
on_done (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static char *
create_token (DpsIdentity *identity,
              const char *audience,
              guint32 ttl,
              guint64 now,
              guint64 *expiry,
              GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  dps_credential_create_token_async (NULL,
                                     identity,
                                     audience,
                                     ttl,
                                     now,
                                     NULL,
                                     on_done,
                                     &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return dps_credential_create_token_finish (result, expiry, error);
}

static void
test_vectors (void)
{
  static const struct
  {
    const char *audience;
    guint32 ttl;
    const char *token;
  } table[] = {
    { "device",
      600,
      PREFIX "&sig=8NzyvvvT0fYprjYkibrslW%2BUSmg8gWE0IzloTaK9JHk%3D&se=1893456000" },
    { "device",
      1,
      PREFIX "&sig=8NzyvvvT0fYprjYkibrslW%2BUSmg8gWE0IzloTaK9JHk%3D&se=1893456000" },
    { "module:mod1",
      3600,
      PREFIX "%2Fmodules%2Fmod1&sig="
             "Z9oZFdd5aVjtQtrxQz6yFTz6GYM14McXnc4s4%2BV0dJ0%3D&se=1893456000" },
  };
  g_autoptr (DpsIdentity) identity = make_identity ();

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      guint64 expiry = 0;
      g_autofree char *token = create_token (identity,
                                             table[i].audience,
                                             table[i].ttl,
                                             EXPIRY - table[i].ttl,
                                             &expiry,
                                             &error);

      g_assert_no_error (error);
      g_assert_cmpstr (token, ==, table[i].token);
      g_assert_cmpuint (expiry, ==, EXPIRY);
    }
}

static void
test_refusals (void)
{
  g_autofree char *long_id = g_strnfill (129, 'm');
  g_autofree char *long_audience = g_strconcat ("module:", long_id, NULL);
  const struct
  {
    const char *audience;
    guint32 ttl;
    DpsError code;
  } table[] = {
    { "", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "Device", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "device ", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "service", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "module", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "module:", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "service:a", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "devices/edge-host-0002", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "module:a/b", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "module:a&se=9", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "module:a b", 600, DPS_ERROR_INVALID_ARGUMENT },
    { "module:a\n", 600, DPS_ERROR_INVALID_ARGUMENT },
    { long_audience, 600, DPS_ERROR_INVALID_ARGUMENT },
    { "device", 0, DPS_ERROR_LIMITS_EXCEEDED },
    { "device", 3601, DPS_ERROR_LIMITS_EXCEEDED },
    { "device", G_MAXUINT32, DPS_ERROR_LIMITS_EXCEEDED },
  };
  g_autoptr (DpsIdentity) identity = make_identity ();

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      guint64 expiry = 42;

      g_test_message ("'%s' %u", table[i].audience, table[i].ttl);
      g_assert_null (create_token (identity,
                                   table[i].audience,
                                   table[i].ttl,
                                   1000,
                                   &expiry,
                                   &error));
      g_assert_error (error, DPS_ERROR, (gint) table[i].code);
      g_assert_cmpuint (expiry, ==, 42);
    }
}

/* Module ids may have characters that mean something in a token. */
static void
test_module_is_encoded (void)
{
  g_autoptr (DpsIdentity) identity = make_identity ();
  g_autoptr (GError) error = NULL;
  guint64 expiry;
  g_autofree char *token =
      create_token (identity, "module:a=b%2F#?", 60, 1000, &expiry, &error);

  g_assert_no_error (error);
  g_assert_nonnull (strstr (token, "%2Fmodules%2Fa%3Db%252F%23%3F&sig="));
}

static void
test_shapes (void)
{
  static const DpsShape shapes[] = { DPS_SHAPE_CERTIFICATE, 0 };
  g_autoptr (DpsIdentity) identity = make_identity ();

  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      g_autoptr (GError) error = NULL;
      guint64 expiry;

      identity->shape = shapes[i];
      g_assert_null (create_token (identity, "device", 60, 1000, &expiry, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
      if (shapes[i] == DPS_SHAPE_CERTIFICATE)
        g_assert_nonnull (strstr (error->message, "wants it in TLS instead of a token"));
    }
}

/* What signs for the one never signs for the other: no HMAC with a private key, no digest
 * with a symmetric one. */
static void
test_mechanisms (void)
{
  static const struct
  {
    DpsShape shape;
    const char *mechanism;
  } table[] = {
    { DPS_SHAPE_KEY, "ECDSA-SHA256" },
    { DPS_SHAPE_PLUGIN, "RSA-PSS-SHA256" },
    { DPS_SHAPE_CERTIFICATE, "HMAC-SHA256" },
  };
  g_autoptr (DpsIdentity) identity = make_identity ();
  g_autoptr (GBytes) digest = g_bytes_new ("0123456789abcdef0123456789abcdef", 32);

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GError) error = NULL;

      identity->shape = table[i].shape;
      dps_credential_sign_async (NULL,
                                 identity,
                                 table[i].mechanism,
                                 digest,
                                 NULL,
                                 on_done,
                                 &result);
      while (result == NULL)
        g_main_context_iteration (NULL, TRUE);
      g_assert_null (dps_credential_sign_finish (result, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
    }
}

/* With the key that the agent made for an issued certificate. */
static void
test_issued (void)
{
  g_autoptr (DpsIdentity) identity = make_identity ();
  g_autoptr (GBytes) digest = g_bytes_new ("0123456789abcdef0123456789abcdef", 32);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsIssuedKey) key = dps_issued_key_make (NULL, &error);
  g_autoptr (GBytes) signature = NULL;
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new (dps_issued_key_get_public (key), NULL);

  g_clear_pointer (&identity->key, dps_secret_unref);
  identity->key = dps_secret_ref (dps_issued_key_get_key (key));
  identity->shape = DPS_SHAPE_CERTIFICATE;
  dps_credential_sign_async (NULL,
                             identity,
                             "ECDSA-SHA256",
                             digest,
                             NULL,
                             on_done,
                             &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  signature = dps_credential_sign_finish (result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (EVP_PKEY_verify_init (context), ==, 1);
  g_assert_cmpint (EVP_PKEY_verify (context,
                                    g_bytes_get_data (signature, NULL),
                                    g_bytes_get_size (signature),
                                    g_bytes_get_data (digest, NULL),
                                    g_bytes_get_size (digest)),
                   ==,
                   1);
  EVP_PKEY_CTX_free (context);
}

/* A certificate for the key that the agent made, or for another one. */
static DpsIdentity *
make_issued (DpsIssuedKey **key, gboolean other)
{
  DpsIdentity *identity = make_identity ();
  g_autoptr (EVP_PKEY) authority = test_pki_key ("P-256");
  g_autoptr (EVP_PKEY) another = test_pki_key ("P-384");
  TestPkiRequest issuer = { .name = "root", .key = authority, .ca = TRUE };
  X509 *root = test_pki_certificate (&issuer), *leaf;
  TestPkiRequest request = { .name = "dev-01", .issuer = root, .issuer_key = authority };

  *key = dps_issued_key_make (NULL, NULL);
  request.key = other ? another : dps_issued_key_get_public (*key);
  leaf = test_pki_certificate (&request);
  dps_secret_unref (identity->key);
  identity->key = dps_secret_ref (dps_issued_key_get_key (*key));
  identity->shape = DPS_SHAPE_CERTIFICATE;
  identity->chain = test_pki_pem (leaf);
  X509_free (leaf);
  X509_free (root);
  return identity;
}

static GBytes *
sign_digest (DpsIdentity *identity, const char *mechanism, gsize size, GError **error)
{
  static const guint8 bytes[64] = { 1, 2, 3 };
  g_autoptr (GBytes) digest = g_bytes_new (bytes, size);
  g_autoptr (GAsyncResult) result = NULL;

  dps_credential_sign_digest_async (NULL,
                                    identity,
                                    mechanism,
                                    digest,
                                    NULL,
                                    on_done,
                                    &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return dps_credential_sign_digest_finish (result, error);
}

static void
test_digests (void)
{
  static const struct
  {
    const char *mechanism;
    gsize size;
    gboolean other; /* the key is not the certificate's */
    DpsError code;  /* DPS_N_ERRORS: none */
  } table[] = {
    { "ECDSA-SHA256", 32, FALSE, DPS_N_ERRORS },
    { "ECDSA-SHA384", 48, FALSE, DPS_N_ERRORS },
    { "ECDSA-SHA384", 32, FALSE, DPS_ERROR_INVALID_ARGUMENT },
    { "ECDSA-SHA256", 0, FALSE, DPS_ERROR_INVALID_ARGUMENT },
    { "RSA-PSS-SHA256", 32, FALSE, DPS_ERROR_INVALID_ARGUMENT },
    { "HMAC-SHA256", 32, FALSE, DPS_ERROR_INVALID_ARGUMENT },
    { "ECDSA-SHA384", 48, TRUE, DPS_ERROR_FAILED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (DpsIssuedKey) key = NULL;
      g_autoptr (DpsIdentity) identity = make_issued (&key, table[i].other);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) signature =
          sign_digest (identity, table[i].mechanism, table[i].size, &error);

      g_test_message ("%s, %zu bytes", table[i].mechanism, table[i].size);
      if (table[i].code == DPS_N_ERRORS)
        g_assert_no_error (error);
      else
        g_assert_error (error, DPS_ERROR, (gint) table[i].code);
      g_assert_cmpint (signature != NULL, ==, error == NULL);
      if (table[i].other)
        g_assert_true (g_str_has_prefix (error->message, "DPS-E236"));
    }
}

/* Whose key the agent has, and whose it has not. */
static void
test_key_and_chain (void)
{
  g_autoptr (DpsIssuedKey) key = NULL;
  g_autoptr (DpsIdentity) issued = make_issued (&key, FALSE);
  g_autoptr (DpsIdentity) identity = make_identity ();
  g_autoptr (GError) error = NULL;

  g_assert_true (dps_credential_get_key (issued, &error) == issued->key);
  g_assert_cmpstr (dps_credential_get_chain (issued, &error), ==, issued->chain);
  g_assert_no_error (error);

  issued->blob = g_steal_pointer (&issued->key);
  g_assert_null (dps_credential_get_key (issued, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, "TPM"));
  g_clear_error (&error);

  g_clear_pointer (&issued->blob, dps_secret_unref);
  g_assert_null (dps_credential_get_key (issued, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, "plugin"));
  g_clear_error (&error);

  g_assert_null (dps_credential_get_key (identity, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_null (dps_credential_get_chain (identity, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_null (sign_digest (identity, "ECDSA-SHA256", 32, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/credential/token/vectors", test_vectors);
  g_test_add_func ("/credential/token/refuses-audience-and-ttl", test_refusals);
  g_test_add_func ("/credential/token/encodes-the-module", test_module_is_encoded);
  g_test_add_func ("/credential/token/only-shapes-that-can-sign", test_shapes);
  g_test_add_func ("/credential/sign/only-its-own-mechanisms", test_mechanisms);
  g_test_add_func ("/credential/signs-with-an-issued-key", test_issued);
  g_test_add_func ("/credential/digests", test_digests);
  g_test_add_func ("/credential/key-and-chain", test_key_and_chain);
  return g_test_run ();
}
