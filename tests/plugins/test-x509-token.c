/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-refusal.h"
#include "core/dps-vault.h"
#include "plugin-fixture.h"
#include "test-pki.h"
#include "token-fixture.h"
#include "x509-signature.h"

#include <stdlib.h>
#include <string.h>

/* The x509 plugin as the agent runs it, confined, with keys in a SoftHSM2. */

#define LINGER 60000 /* ms, longer than any test */
#define BY_MODULE "?module-path=" TOKEN_MODULE

typedef struct
{
  DpsPluginRunner *runner;
  GHashTable *settings, *secrets;
} Fixture;

/* One for all tests: making a token takes a while. */
static struct
{
  const char *kind, *label, *id;
  EVP_PKEY *key;
  char *pem; /* of its certificate */
} keys[] = {
  { "RSA-2048", "rsa", "a1" },
  { "P-256", "p256", "a2" },
  { "P-384", "p384", "00a3" },
};

static void
set_secret (Fixture *f, const char *name, const char *text)
{
  g_hash_table_insert (f->secrets, (char *) name, dps_secret_new (text, strlen (text)));
}

static void
start (Fixture *f, const char *uri, gsize key, const char *pin)
{
  *f = (Fixture){ dps_plugin_runner_new (world.host, world.plugins, "x509"),
                  g_hash_table_new (g_str_hash, g_str_equal),
                  g_hash_table_new_full (g_str_hash,
                                         g_str_equal,
                                         NULL,
                                         (GDestroyNotify) dps_secret_unref) };
  dps_plugin_runner_set_allow_unix (f->runner, TRUE);
  dps_plugin_runner_set_linger (f->runner, LINGER);
  g_hash_table_insert (f->settings, (char *) "key", (char *) uri);
  set_secret (f, "certificate", keys[key].pem);
  if (pin != NULL)
    set_secret (f, "passphrase", pin);
}

static void
stop (Fixture *f)
{
  g_clear_object (&f->runner);
  wait_gone ();
  g_hash_table_unref (f->settings);
  g_hash_table_unref (f->secrets);
}

static DpsPluginDescription *
describe_key (Fixture *f, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_describe_async (f->runner,
                                    f->settings,
                                    f->secrets,
                                    NULL,
                                    on_result,
                                    &wait);
  wait_result (&wait);
  result = wait.result;
  return dps_plugin_runner_describe_finish (f->runner, result, error);
}

static GBytes *
sign (Fixture *f, const char *mechanism, GBytes *digest, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_sign_async (f->runner,
                                f->settings,
                                f->secrets,
                                "hub",
                                mechanism,
                                NULL,
                                digest,
                                NULL,
                                on_result,
                                &wait);
  wait_result (&wait);
  result = wait.result;
  return dps_plugin_runner_sign_finish (f->runner, result, error);
}

/* With OpenSSL's own key, not with what the token says is the key's public half. */
static void
assert_signs (Fixture *f, gsize key, const char *mechanism, gsize size)
{
  static const guint8 bytes[48] = { 0x80, 1, 2, 3 };
  g_autoptr (GBytes) digest = g_bytes_new_static (bytes, size);
  g_autoptr (GBytes) signature = NULL;
  g_autoptr (GError) error = NULL;
  X509Error wrong = { 0 };
  gint64 begin = g_get_monotonic_time ();

  signature = sign (f, mechanism, digest, &error);
  g_assert_no_error (error);
  g_test_message ("FIGURE %s with %s in SoftHSM2: %.1f ms",
                  mechanism,
                  keys[key].kind,
                  (double) (g_get_monotonic_time () - begin) / 1000);
  if (!x509_signature_check (keys[key].key,
                             mechanism,
                             bytes,
                             size,
                             g_bytes_get_data (signature, NULL),
                             g_bytes_get_size (signature),
                             &wrong))
    g_error ("%s", wrong.text);
}

static void
test_signs (gconstpointer data)
{
  static const struct
  {
    gsize key;
    const char *mechanism;
    gsize size;
  } rows[] = {
    { 0, "RSA-PKCS1-SHA256", 32 }, { 0, "RSA-PSS-SHA256", 32 }, { 1, "ECDSA-SHA256", 32 },
    { 2, "ECDSA-SHA256", 32 },     { 2, "ECDSA-SHA384", 48 },
  };
  gsize key = GPOINTER_TO_SIZE (data);
  g_autofree char *uri =
      g_strdup_printf ("pkcs11:token=gateway;object=%s;type=private" BY_MODULE,
                       keys[key].label);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  Fixture f;

  start (&f, uri, key, TOKEN_PIN "\n");
  description = describe_key (&f, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (description->registration_id, ==, keys[key].label);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (rows[i].key == key)
      assert_signs (&f, key, rows[i].mechanism, rows[i].size);
  stop (&f);
}

/* Each with the code, and the beginning of the text that names the cause. */
typedef struct
{
  const char *name, *uri;
  gsize key;
  const char *pin; /* NULL = none */
  DpsError code;
  const char *text;
} Refusal;

static const Refusal refusals[] = {
  { "wrong-pin",
    "pkcs11:token=gateway;object=p256" BY_MODULE,
    1,
    "00000000",
    DPS_ERROR_INVALID_ARGUMENT,
    "[pkcs11-pin]" },
  { "no-pin",
    "pkcs11:token=gateway;object=p256" BY_MODULE,
    1,
    NULL,
    DPS_ERROR_NOT_CONFIGURED,
    "[pkcs11-pin]" },
  { "no-token",
    "pkcs11:token=elsewhere;object=p256" BY_MODULE,
    1,
    TOKEN_PIN,
    DPS_ERROR_BUSY,
    "[pkcs11-no-token]" },
  { "two-tokens",
    "pkcs11:manufacturer=SoftHSM%20project;object=p256" BY_MODULE,
    1,
    TOKEN_PIN,
    DPS_ERROR_INVALID_ARGUMENT,
    "[pkcs11-no-token]" },
  { "no-key",
    "pkcs11:token=gateway;object=other" BY_MODULE,
    1,
    TOKEN_PIN,
    DPS_ERROR_INVALID_ARGUMENT,
    "[pkcs11-no-key]" },
  { "other-id",
    "pkcs11:token=gateway;object=p256;id=%a1" BY_MODULE,
    1,
    TOKEN_PIN,
    DPS_ERROR_INVALID_ARGUMENT,
    "[pkcs11-no-key]" },
  { "three-keys",
    "pkcs11:token=gateway" BY_MODULE,
    1,
    TOKEN_PIN,
    DPS_ERROR_INVALID_ARGUMENT,
    "[pkcs11-no-key]" },
  { "key-mismatch",
    "pkcs11:token=gateway;id=%a2" BY_MODULE,
    2,
    TOKEN_PIN,
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-key-mismatch]" },
  { "no-module",
    "pkcs11:token=gateway?module-path=/usr/lib/no-such-module.so",
    1,
    TOKEN_PIN,
    DPS_ERROR_NOT_SUPPORTED,
    "[pkcs11-module]" },
  { "no-named-module",
    "pkcs11:token=gateway?module-name=no-such-module",
    1,
    TOKEN_PIN,
    DPS_ERROR_NOT_SUPPORTED,
    "[pkcs11-module]" },
  { "no-library",
    "pkcs11:token=gateway?module-path=/usr/lib/os-release",
    1,
    TOKEN_PIN,
    DPS_ERROR_NOT_SUPPORTED,
    "[pkcs11-module]" },
  { "module-elsewhere",
    "pkcs11:token=gateway?module-path=/etc/ld.so.cache",
    1,
    TOKEN_PIN,
    DPS_ERROR_NOT_SUPPORTED,
    "[pkcs11-module]" },
  { "bad-uri",
    "pkcs11:token=gateway?pin-value=" TOKEN_PIN,
    1,
    TOKEN_PIN,
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-key]" },
};

static void
test_refusal (gconstpointer data)
{
  const Refusal *row = data;
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  Fixture f;

  start (&f, row->uri, row->key, row->pin);
  description = describe_key (&f, &error);
  g_test_message ("%s", error != NULL ? error->message : "no error");
  g_assert_error (error, DPS_ERROR, (gint) row->code);
  if (strstr (error->message, row->text) == NULL)
    g_assert_cmpstr (error->message, ==, row->text);
  g_assert_null (strstr (error->message, TOKEN_PIN));
  stop (&f);
}

/* By way of p11-kit, which asks every module there is; and by the key's id alone. */
static void
test_p11_kit (void)
{
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  Fixture f;

  start (&f, "pkcs11:token=gateway;id=%00%a3", 2, TOKEN_PIN);
  description = describe_key (&f, &error);
  g_assert_no_error (error);
  assert_signs (&f, 2, "ECDSA-SHA384", 48);
  stop (&f);
}

/* A token that comes later is found by the same process. */
static void
test_comes_later (void)
{
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  Fixture f;

  start (&f, "pkcs11:token=late;object=p256" BY_MODULE, 1, TOKEN_PIN);
  description = describe_key (&f, &error);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_BUSY);
  g_clear_error (&error);
  token_fixture_add ("late");
  token_fixture_import ("late", keys[1].key, "p256", "a2");
  description = describe_key (&f, &error);
  g_assert_no_error (error);
  assert_signs (&f, 1, "ECDSA-SHA256", 32);
  stop (&f);
}

#define COUNTED "pkcs11:token=gateway;object=p256?module-path=" TOKEN_COUNTING_MODULE

/* Describes, as an attempt does, with what is known of refusals; n: calls of C_Login. */
static void
attempt (DpsRefusal *refusal, const char *pin, const char *text, guint n)
{
  DpsPluginGuard guard = dps_refusal_guard (refusal);
  Fixture f;

  start (&f, COUNTED, 1, pin);
  dps_plugin_runner_set_guard (f.runner, &guard);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsPluginDescription) description = describe_key (&f, &error);

      if (text == NULL)
        g_assert_no_error (error);
      else if (error == NULL || strstr (error->message, text) == NULL)
        g_error ("%s", error != NULL ? error->message : "no error");
    }
  stop (&f);
  g_assert_cmpuint (token_fixture_take_logins (), ==, n);
}

/* What the agent keeps over a restart. */
static DpsRefusal *
restart (DpsRefusal *before)
{
  g_autoptr (DpsVault) vault = dps_vault_new ();
  g_autoptr (DpsVault) read = NULL;
  g_autoptr (DpsSecret) bytes = NULL;
  g_autoptr (GError) error = NULL;
  DpsRefusal *after = dps_refusal_new ();

  vault->refusal = dps_secret_ref (dps_refusal_get (before));
  bytes = dps_vault_pack (vault, &error);
  g_assert_no_error (error);
  g_assert_null (
      memmem (dps_secret_data (bytes), dps_secret_size (bytes), "00000000", 8));
  read = dps_vault_unpack (bytes, &error);
  g_assert_no_error (error);
  g_assert_true (dps_refusal_set (after, read->refusal));
  return after;
}

/* Nobody but another PIN gets it tried again: not a further call of the same runner, not
 * a new one, not a new agent. */
static void
test_wrong_pin_once (void)
{
  g_autoptr (DpsRefusal) refusal = dps_refusal_new ();
  g_autoptr (DpsRefusal) after = NULL;

  token_fixture_take_logins ();
  attempt (refusal, "00000000", "[pkcs11-pin]", 1);
  attempt (refusal, "00000000\n", "[pkcs11-pin]", 0);
  after = restart (refusal);
  attempt (after, "00000000", "[pkcs11-pin]", 0);
  attempt (after, TOKEN_PIN, NULL, 3);
  attempt (after, "00000000", "[pkcs11-pin]", 0);
  attempt (after, NULL, "[pkcs11-pin]", 0);
}

static void
make_tokens (void)
{
  token_fixture_add ("gateway");
  token_fixture_add ("second");
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      X509 *certificate;

      keys[i].key = test_pki_key (keys[i].kind);
      certificate = test_pki_certificate (
          &(TestPkiRequest){ .name = keys[i].label, .key = keys[i].key });
      keys[i].pem = test_pki_pem (certificate);
      X509_free (certificate);
      token_fixture_import ("gateway", keys[i].key, keys[i].label, keys[i].id);
    }
}

static void
forget_keys (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      EVP_PKEY_free (keys[i].key);
      g_free (keys[i].pem);
    }
}

int
main (int argc, char **argv)
{
  gboolean entered = token_fixture_enter ();

  g_test_init (&argc, &argv, NULL);
  if (!entered)
    {
      g_print ("1..0 # SKIP only root makes a mount namespace\n");
      return 0;
    }
  dps_secret_init ();
  world_make ();
  install ("../plugins/x509/x509.so", "x509");
  install ("../plugins/symmetric-key/symmetric-key.so", "symmetric-key");
  atexit (world_unmake);
  token_fixture_count ();
  make_tokens ();
  atexit (forget_keys);
  /* The first call starts the bus library's thread, which stays. */
  dps_plugin_probe_free (probe (&(Case){ "symmetric-key", NULL, "QUJD" }));
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *path = g_strdup_printf ("/x509/token/signs/%s", keys[i].label);

      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_signs);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/x509/token/refuses/%s", refusals[i].name);

      g_test_add_data_func (path, &refusals[i], test_refusal);
    }
  g_test_add_func ("/x509/token/p11-kit", test_p11_kit);
  g_test_add_func ("/x509/token/wrong-pin-once", test_wrong_pin_once);
  g_test_add_func ("/x509/token/comes-later", test_comes_later);
  return g_test_run ();
}
