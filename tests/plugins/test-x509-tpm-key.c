/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "plugin-fixture.h"
#include "test-pki.h"
#include "tpm-fixture.h"
#include "tpm/dps-tpm-device.h"
#include "x509-signature.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

/* The x509 plugin as the agent runs it, confined, with keys in a swtpm that the tools of
 * the world make. */

#define LINGER 60000 /* ms, longer than any test */
#define AUTH "correct-horse-73924511"

/* Runs in the directory of the TPM. Raw swtpm keeps what a tool leaves loaded. */
static const char script[] =
    "set -e\n"
    "parent='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|"
    "decrypt'\n"
    "signs='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'\n"
    "flush() { tpm2_flushcontext -Q -t; tpm2_flushcontext -Q -l; }\n"
    "primary() { tpm2_createprimary -Q -C o -c made.context \"${@:2}\"; flush\n"
    "  tpm2_evictcontrol -Q -C o -c made.context $1; flush\n"
    "  tpm2_readpublic -Q -c $1 -f pem -o $1.pub; rm made.context; }\n"
    "wrapped() { tpm2_create -Q -C 0x81000001 -u made.pub -r made.priv \"${@:2}\"; "
    "flush\n"
    "  tpm2_encodeobject -Q -C 0x81000001 -u made.pub -r made.priv -o $1.pem\n"
    "  tpm2_print -t TPM2B_PUBLIC -f pem made.pub >$1.pub; flush; rm made.p*; }\n"
    "primary 0x81000001 -g sha256 -G ecc -a \"$parent\"\n"
    "primary 0x81008001 -G rsa2048:null:null -a \"$signs|noda\"\n"
    "primary 0x81008002 -G ecc:null:null -a \"$signs|noda\" -p " AUTH "\n"
    "primary 0x81008003 -G ecc384:null:null -a \"$signs\" -p " AUTH "\n"
    "primary 0x81008004 -G ecc:ecdsa-sha256:null -a \"$signs|restricted\"\n"
    "wrapped p256 -G ecc:null:null -a \"$signs|noda\"\n"
    "wrapped rsa -G rsa2048:null:null -a \"$signs\" -p " AUTH "\n"
    "openssl genpkey -provider tpm2 -provider base -algorithm EC -pkeyopt group:P-384 "
    "-out p384.pem 2>/dev/null\n"
    "openssl pkey -provider tpm2 -provider base -in p384.pem -pubout -out p384.pub\n"
    "flush\n";

static TpmFixture tpm;

typedef struct
{
  const char *key; /* the setting, or the name of a file of the script */
  const char *pub; /* the file with its public half */
  const char *auth;
} Key;

typedef struct
{
  DpsPluginRunner *runner;
  GHashTable *settings, *secrets;
  EVP_PKEY *public;
} Fixture;

static char *
read_text (const char *name)
{
  g_autofree char *path = g_build_filename (tpm.dir, name, NULL);
  g_autoptr (GError) error = NULL;
  char *text;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static EVP_PKEY *
read_public (const char *name)
{
  g_autofree char *text = read_text (name);
  BIO *bio = BIO_new_mem_buf (text, -1);
  EVP_PKEY *public = PEM_read_bio_PUBKEY (bio, NULL, NULL, NULL);

  BIO_free (bio);
  g_assert_nonnull (public);
  return public;
}

static void
make_keys (void)
{
  const char *const argv[] = { "timeout", "60", "bash", "-c", script, NULL };
  g_autofree char *tcti =
      g_strdup_printf ("cmd:socat - UNIX-CONNECT:%s", dps_tpm_device_path (tpm.tcti));
  g_auto (GStrv) environment = g_get_environ ();
  g_autofree char *err = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  environment = g_environ_setenv (environment, "TPM2TOOLS_TCTI", tcti, TRUE);
  environment = g_environ_setenv (environment, "TPM2OPENSSL_TCTI", tcti, TRUE);
  environment = g_environ_setenv (environment, "TSS2_LOG", "all+none", TRUE);
  g_spawn_sync (tpm.dir,
                (char **) argv,
                environment,
                G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL,
                NULL,
                NULL,
                NULL,
                &err,
                &status,
                &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, NULL))
    g_error ("%s", err);
}

/* Of an authority: a key in a TPM that is restricted to signing signs no certificate. */
static char *
make_certificate (EVP_PKEY *public)
{
  EVP_PKEY *authority_key = test_pki_key ("P-256");
  TestPkiRequest authority = { .name = "Authority", .key = authority_key, .ca = TRUE };
  X509 *issuer = test_pki_certificate (&authority);
  TestPkiRequest request = { .name = "gateway-1",
                             .key = public,
                             .issuer = issuer,
                             .issuer_key = authority_key };
  X509 *certificate = test_pki_certificate (&request);
  char *pem = test_pki_pem (certificate);

  X509_free (certificate);
  X509_free (issuer);
  EVP_PKEY_free (authority_key);
  return pem;
}

static int
open_tpm (gpointer data, GError **error)
{
  return dps_tpm_device_open (tpm.tcti, error);
}

static void
set_secret (Fixture *f, const char *name, const char *text)
{
  g_hash_table_insert (f->secrets, (char *) name, dps_secret_new (text, strlen (text)));
}

static void
start (Fixture *f, const Key *key)
{
  g_autofree char *certificate = NULL;

  *f = (Fixture){ dps_plugin_runner_new (world.host, world.plugins, "x509"),
                  g_hash_table_new (g_str_hash, g_str_equal),
                  g_hash_table_new_full (g_str_hash,
                                         g_str_equal,
                                         NULL,
                                         (GDestroyNotify) dps_secret_unref),
                  read_public (key->pub) };
  dps_plugin_runner_set_tpm (f->runner, open_tpm, NULL, NULL);
  dps_plugin_runner_set_linger (f->runner, LINGER);
  certificate = make_certificate (f->public);
  set_secret (f, "certificate", certificate);
  g_hash_table_insert (f->settings, (char *) "key", (char *) key->key);
  if (!g_str_has_prefix (key->key, "handle:"))
    {
      g_autofree char *pem = read_text (key->key);

      set_secret (f, "key", pem);
    }
  if (key->auth != NULL)
    set_secret (f, "passphrase", key->auth);
  tpm_fixture_take_count (&tpm);
}

static void
stop (Fixture *f)
{
  g_clear_object (&f->runner);
  wait_processes ();
  g_hash_table_unref (f->settings);
  g_hash_table_unref (f->secrets);
  EVP_PKEY_free (f->public);
  tpm_fixture_assert_empty (&tpm);
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

static const guint8 digest_bytes[48] = { 0x80, 1, 2, 3 };

static GBytes *
sign (Fixture *f, const char *mechanism, gsize size, GError **error)
{
  g_autoptr (GBytes) digest = g_bytes_new_static (digest_bytes, size);
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

static void
assert_signs (Fixture *f, const char *what, const char *mechanism, gsize size)
{
  g_autoptr (GBytes) signature = NULL;
  g_autoptr (GError) error = NULL;
  X509Error wrong = { 0 };
  gint64 begin;

  tpm_fixture_take_count (&tpm);
  begin = g_get_monotonic_time ();
  signature = sign (f, mechanism, size, &error);
  g_assert_no_error (error);
  g_test_message ("FIGURE %s with %s in swtpm: %u TPM commands, %.1f ms",
                  mechanism,
                  what,
                  tpm_fixture_take_count (&tpm),
                  (double) (g_get_monotonic_time () - begin) / 1000);
  if (!x509_signature_check (f->public,
                             mechanism,
                             digest_bytes,
                             size,
                             g_bytes_get_data (signature, NULL),
                             g_bytes_get_size (signature),
                             &wrong))
    g_error ("%s", wrong.text);
}

static const struct
{
  const char *name;
  Key key;
  const char *mechanism;
  gsize size;
} good[] = {
  { "handle-rsa",
    { "handle:0x81008001", "0x81008001.pub", NULL },
    "RSA-PKCS1-SHA256",
    32 },
  { "handle-rsa-pss",
    { "handle:0x81008001", "0x81008001.pub", NULL },
    "RSA-PSS-SHA256",
    32 },
  { "handle-p256-password",
    { "handle:0x81008002", "0x81008002.pub", AUTH "\n" },
    "ECDSA-SHA256",
    32 },
  { "handle-p384-password",
    { "handle:0x81008003", "0x81008003.pub", AUTH },
    "ECDSA-SHA384",
    48 },
  { "wrapped-p256", { "p256.pem", "p256.pub", NULL }, "ECDSA-SHA256", 32 },
  { "wrapped-rsa-password", { "rsa.pem", "rsa.pub", AUTH }, "RSA-PSS-SHA256", 32 },
  { "wrapped-p384-owner", { "p384.pem", "p384.pub", NULL }, "ECDSA-SHA384", 48 },
};

static void
test_signs (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  Fixture f;

  start (&f, &good[i].key);
  description = describe_key (&f, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (description->registration_id, ==, "gateway-1");
  assert_signs (&f, good[i].name, good[i].mechanism, good[i].size);
  assert_signs (&f, good[i].name, good[i].mechanism, good[i].size);
  g_assert_false (tpm_fixture_saw (&tpm, AUTH, strlen (AUTH)));
  stop (&f);
}

static const struct
{
  const char *name;
  Key key;
  DpsError code;
  const char *text;
} bad[] = {
  { "restricted",
    { "handle:0x81008004", "0x81008004.pub", NULL },
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-tpm-key]" },
  { "storage-key",
    { "handle:0x81000001", "0x81000001.pub", NULL },
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-tpm-key]" },
  { "nothing-there",
    { "handle:0x81008009", "0x81008001.pub", NULL },
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-tpm-key]" },
  { "no-handle",
    { "handle:0x80000001", "0x81008001.pub", NULL },
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-tpm-key]" },
  { "long-handle",
    { "handle:0x810080010", "0x81008001.pub", NULL },
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-tpm-key]" },
  { "short-handle",
    { "handle:", "0x81008001.pub", NULL },
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-tpm-key]" },
  { "other-key",
    { "handle:0x81008002", "0x81008001.pub", AUTH },
    DPS_ERROR_INVALID_ARGUMENT,
    "[x509-key-mismatch]" },
};

static void
test_refuses (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  Fixture f;

  start (&f, &bad[i].key);
  description = describe_key (&f, &error);
  g_test_message ("%s", error != NULL ? error->message : "no error");
  g_assert_error (error, DPS_ERROR, (gint) bad[i].code);
  if (strstr (error->message, bad[i].text) == NULL)
    g_assert_cmpstr (error->message, ==, bad[i].text);
  stop (&f);
}

/* One command, one count; the key of the first does not count at all. */
static void
test_wrong_password (void)
{
  static const struct
  {
    Key key;
    const char *mechanism;
    gsize size;
    guint counts;
    DpsError code;
  } rows[] = {
    { { "handle:0x81008002", "0x81008002.pub", "guess" },
      "ECDSA-SHA256",
      32,
      0,
      DPS_ERROR_INVALID_ARGUMENT },
    { { "handle:0x81008003", "0x81008003.pub", "guess" },
      "ECDSA-SHA384",
      48,
      1,
      DPS_ERROR_INVALID_ARGUMENT },
    { { "handle:0x81008003", "0x81008003.pub", NULL },
      "ECDSA-SHA384",
      48,
      1,
      DPS_ERROR_NOT_CONFIGURED },
    { { "rsa.pem", "rsa.pub", "guess" },
      "RSA-PKCS1-SHA256",
      32,
      1,
      DPS_ERROR_INVALID_ARGUMENT },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint before = tpm_fixture_failures (&tpm);
      g_autoptr (GBytes) signature = NULL;
      g_autoptr (GError) error = NULL;
      Fixture f;

      start (&f, &rows[i].key);
      signature = sign (&f, rows[i].mechanism, rows[i].size, &error);
      g_assert_error (error, DPS_ERROR, (gint) rows[i].code);
      if (strstr (error->message, "[x509-passphrase]") == NULL)
        g_assert_cmpstr (error->message, ==, "[x509-passphrase]");
      stop (&f);
      g_assert_cmpuint (tpm_fixture_failures (&tpm) - before, ==, rows[i].counts);
    }
}

/* Its parent is gone, and so is the owner's seed. Comes last. */
static void
test_cleared (void)
{
  static const char *const names[] = { "p256", "p384" };

  tpm_fixture_clear (&tpm);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *pem = g_strconcat (names[i], ".pem", NULL);
      g_autofree char *pub = g_strconcat (names[i], ".pub", NULL);
      g_autoptr (GBytes) signature = NULL;
      g_autoptr (GError) error = NULL;
      Fixture f;

      start (&f, &(Key){ pem, pub, NULL });
      signature = sign (&f, "ECDSA-SHA256", 32, &error);
      g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
      if (strstr (error->message, "[x509-tpm-key]") == NULL)
        g_assert_cmpstr (error->message, ==, "[x509-tpm-key]");
      stop (&f);
    }
}

static void
end_tpm (void)
{
  tpm_fixture_tear_down (&tpm, NULL);
}

static void
add_all (const char *prefix, const char *(*name) (gsize i), gsize n, GTestDataFunc test)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *path = g_strdup_printf ("/x509/tpm/%s/%s", prefix, name (i));

      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test);
    }
}

static const char *
good_name (gsize i)
{
  return good[i].name;
}

static const char *
bad_name (gsize i)
{
  return bad[i].name;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  world_make ();
  install ("../plugins/x509/x509.so", "x509");
  install ("../plugins/symmetric-key/symmetric-key.so", "symmetric-key");
  atexit (world_unmake);
  /* The first call starts the bus library's thread, which stays. */
  dps_plugin_probe_free (probe (&(Case){ "symmetric-key", NULL, "QUJD" }));
  tpm_fixture_set_up (&tpm, NULL);
  atexit (end_tpm);
  make_keys ();
  add_all ("signs", good_name, G_N_ELEMENTS (good), test_signs);
  add_all ("refuses", bad_name, G_N_ELEMENTS (bad), test_refuses);
  g_test_add_func ("/x509/tpm/password/wrong", test_wrong_password);
  g_test_add_func ("/x509/tpm/afterwards/cleared", test_cleared);
  return g_test_run ();
}
