/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-plugin-setup.h"
#include "plugin-fixture.h"
#include "test-pki.h"

#include <glib/gstdio.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

/* The x509 plugin as the agent runs it: its files by the configuration, and the plugin
 * confined, in a process of its own. */

#define PASSPHRASE "correct horse"

static const char *const kinds[] = { "RSA-2048", "P-256", "P-384" };
static EVP_PKEY *keys[G_N_ELEMENTS (kinds)];
static EVP_PKEY *other_key;

typedef struct
{
  char *config_dir;
  char *certificate, *key, *passphrase, *conf; /* paths */
  DpsSettings *settings;
  guint fds;
} Fixture;

static void
write_file (const char *path, const void *data, gsize size, guint mode)
{
  g_assert_true (g_file_set_contents (path, data, (gssize) size, NULL));
  g_assert_cmpint (g_chmod (path, (int) mode), ==, 0);
}

static void
write_text (const char *path, const char *text, guint mode)
{
  write_file (path, text, strlen (text), mode);
}

/* [plugin x509] with these lines. */
static void
configure (Fixture *f, const char *lines)
{
  g_autofree char *text =
      g_strdup_printf ("[provisioning]\nendpoint=dps.azure-devices-provisioning.net\n"
                       "id-scope=0ne00ABCDEF\nattestation=x509\n[plugin x509]\n"
                       "certificate=%s\n%s",
                       f->certificate,
                       lines);
  g_autoptr (GError) error = NULL;

  write_text (f->conf, text, 0644);
  dps_settings_reload (f->settings, &error);
  g_assert_no_error (error);
}

static void
configure_files (Fixture *f, gboolean with_passphrase)
{
  g_autofree char *lines = g_strdup_printf ("key=%s\n%s%s\n",
                                            f->key,
                                            with_passphrase ? "passphrase-file=" : "",
                                            with_passphrase ? f->passphrase : "");

  configure (f, lines);
}

static void
write_certificate (Fixture *f, EVP_PKEY *key, const char *name)
{
  TestPkiRequest request = { .name = name, .key = key };
  X509 *certificate = test_pki_certificate (&request);
  g_autofree char *pem = test_pki_pem (certificate);

  write_text (f->certificate, pem, 0644);
  X509_free (certificate);
}

/* How a private key's file is written. */
typedef enum
{
  PKCS8_PEM,
  PKCS8_DER,
  TRADITIONAL_PEM,
  TRADITIONAL_DER,
  PKCS8_PEM_LOCKED,
  PKCS8_DER_LOCKED,
  TRADITIONAL_PEM_LOCKED,
  N_FORMS
} Form;

static GBytes *
key_file (EVP_PKEY *key, Form form)
{
  static const char pass[] = PASSPHRASE;
  const EVP_CIPHER *aes = EVP_aes_256_cbc ();
  BIO *bio = BIO_new (BIO_s_mem ());
  GBytes *bytes;
  char *data;
  long size;
  int done = 0;

  switch (form)
    {
    case PKCS8_PEM:
      done = PEM_write_bio_PKCS8PrivateKey (bio, key, NULL, NULL, 0, NULL, NULL);
      break;
    case PKCS8_DER:
      done = i2d_PKCS8PrivateKey_bio (bio, key, NULL, NULL, 0, NULL, NULL);
      break;
    case TRADITIONAL_PEM:
      done = PEM_write_bio_PrivateKey_traditional (bio, key, NULL, NULL, 0, NULL, NULL);
      break;
    case TRADITIONAL_DER:
      done = i2d_PrivateKey_bio (bio, key);
      break;
    case PKCS8_PEM_LOCKED:
      done = PEM_write_bio_PKCS8PrivateKey (bio,
                                            key,
                                            aes,
                                            pass,
                                            sizeof pass - 1,
                                            NULL,
                                            NULL);
      break;
    case PKCS8_DER_LOCKED:
      done = i2d_PKCS8PrivateKey_bio (bio, key, aes, pass, sizeof pass - 1, NULL, NULL);
      break;
    case TRADITIONAL_PEM_LOCKED:
    case N_FORMS:
    default:
      done = PEM_write_bio_PrivateKey_traditional (bio,
                                                   key,
                                                   aes,
                                                   (const guchar *) pass,
                                                   sizeof pass - 1,
                                                   NULL,
                                                   NULL);
    }
  g_assert_cmpint (done, ==, 1);
  size = BIO_get_mem_data (bio, &data);
  bytes = g_bytes_new (data, (gsize) size);
  BIO_free (bio);
  return bytes;
}

static gboolean
is_locked (Form form)
{
  return form >= PKCS8_PEM_LOCKED;
}

static void
write_key (Fixture *f, EVP_PKEY *key, Form form)
{
  g_autoptr (GBytes) bytes = key_file (key, form);

  write_file (f->key, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), 0600);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  DpsConfigPaths paths = { NULL };

  f->config_dir = g_build_filename (world.root, "etc", NULL);
  g_assert_cmpint (g_mkdir (f->config_dir, 0755), ==, 0);
  f->conf = g_build_filename (f->config_dir, "agent.conf", NULL);
  f->certificate = g_build_filename (f->config_dir, "device.crt", NULL);
  f->key = g_build_filename (f->config_dir, "device.key", NULL);
  f->passphrase = g_build_filename (f->config_dir, "passphrase", NULL);
  paths.config_dir = f->config_dir;
  paths.plugin_dir = world.plugins;
  f->settings = dps_settings_new (&paths, world.host, world.plugins);
  write_text (f->passphrase, PASSPHRASE "\n", 0600);
  write_certificate (f, keys[1], "gw-1");
  write_key (f, keys[1], PKCS8_PEM);
  configure_files (f, FALSE);
  f->fds = count_fds ();
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  const char *const files[] = { f->conf, f->certificate, f->key, f->passphrase };

  wait_gone ();
  assert_fds (f->fds);
  g_object_unref (f->settings);
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    g_remove (files[i]);
  g_rmdir (f->config_dir);
  g_free (f->config_dir);
  g_free (f->conf);
  g_free (f->certificate);
  g_free (f->key);
  g_free (f->passphrase);
}

static DpsPluginSetup *
read_setup (Fixture *f, DpsFailure **failure)
{
  return dps_plugin_setup_read (f->settings,
                                dps_settings_get_config (f->settings),
                                "x509",
                                NULL,
                                failure);
}

static DpsPluginDescription *
describe_by (DpsPluginSetup *setup, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_describe_async (setup->runner,
                                    setup->settings,
                                    setup->secrets,
                                    NULL,
                                    on_result,
                                    &wait);
  wait_result (&wait);
  result = wait.result;
  return dps_plugin_runner_describe_finish (setup->runner, result, error);
}

static GBytes *
sign_by (DpsPluginSetup *setup,
         const char *slot,
         const char *mechanism,
         const void *digest,
         gsize size,
         GError **error)
{
  g_autoptr (GBytes) data = g_bytes_new (digest, size);
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_sign_async (setup->runner,
                                setup->settings,
                                setup->secrets,
                                slot,
                                mechanism,
                                NULL,
                                data,
                                NULL,
                                on_result,
                                &wait);
  wait_result (&wait);
  result = wait.result;
  return dps_plugin_runner_sign_finish (setup->runner, result, error);
}

/* What an attempt that describes this host ends with: a row, and the text behind it. */
static void
assert_failure (Fixture *f, const char *code, const char *text)
{
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (DpsPluginSetup) setup = read_setup (f, &failure);
  g_autofree char *says = NULL;

  if (setup != NULL)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsPluginDescription) description = describe_by (setup, &error);

      g_assert_null (description);
      failure = dps_failure_new_from_error (dps_plugin_cause_kind (error), error);
    }
  says = dps_failure_describe (failure);
  g_test_message ("%s %s", dps_failure_row (failure->kind)->code, says);
  g_assert_cmpstr (dps_failure_row (failure->kind)->code, ==, code);
  if (strstr (says, text) == NULL)
    g_assert_cmpstr (says, ==, text);
  g_assert_null (strstr (says, PASSPHRASE));
}

static void
assert_good (Fixture *f, const char *id)
{
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (DpsPluginSetup) setup = read_setup (f, &failure);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (setup);
  description = describe_by (setup, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (description->registration_id, ==, id);
}

/* Nothing that is said has the private number, or what its file has of it. */
static void
assert_no_trace (const char *text, EVP_PKEY *key)
{
  static const Form texts[] = { PKCS8_PEM, TRADITIONAL_PEM };
  g_autofree char *lower = g_ascii_strdown (text, -1), *hex = NULL;
  BIGNUM *number = NULL;
  char *upper;

  g_assert_cmpint (EVP_PKEY_get_bn_param (key, OSSL_PKEY_PARAM_PRIV_KEY, &number), ==, 1);
  upper = BN_bn2hex (number);
  hex = g_ascii_strdown (upper, 24);
  g_assert_null (strstr (lower, hex));
  OPENSSL_free (upper);
  BN_clear_free (number);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GBytes) file = key_file (key, texts[i]);
      g_autofree char *copy =
          g_strndup (g_bytes_get_data (file, NULL), g_bytes_get_size (file));
      g_auto (GStrv) lines = g_strsplit (copy, "\n", 3);

      g_assert_null (strstr (text, lines[1]));
    }
}

static void
test_describe (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (DpsPluginSetup) setup = read_setup (f, &failure);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *pem = NULL;
  const char *thumbprint;
  gpointer name, value;
  GHashTableIter iter;

  g_assert_nonnull (setup);
  description = describe_by (setup, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (description->kind, ==, "x509");
  g_assert_cmpstr (description->registration_id, ==, "gw-1");
  g_assert_null (description->key);
  g_assert_true (g_file_get_contents (f->certificate, &pem, NULL, NULL));
  g_assert_cmpstr (g_hash_table_lookup (description->material, "certificate"), ==, pem);
  thumbprint = g_hash_table_lookup (description->material, "thumbprint");
  g_assert_true (g_regex_match_simple ("^[0-9A-F]{64}$", thumbprint, 0, 0));
  g_assert_nonnull (strstr (description->enrollment, thumbprint));
  assert_no_trace (description->enrollment, keys[1]);
  g_hash_table_iter_init (&iter, description->material);
  while (g_hash_table_iter_next (&iter, &name, &value))
    assert_no_trace (value, keys[1]);
}

/* Every form of file, for every kind of key. */
static void
test_forms (Fixture *f, gconstpointer data)
{
  guint n = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      write_certificate (f, keys[i], "gw-1");
      for (Form form = 0; form < N_FORMS; form++, n++)
        {
          write_key (f, keys[i], form);
          configure_files (f, is_locked (form));
          assert_good (f, "gw-1");
        }
    }
  g_test_message ("FIGURE %u forms of key files", n);
}

typedef struct
{
  const char *mechanism;
  int type;
  gsize size;
  int padding;
} Mechanism;

static const Mechanism mechanisms[] = {
  { "ECDSA-SHA256", EVP_PKEY_EC, 32, 0 },
  { "ECDSA-SHA384", EVP_PKEY_EC, 48, 0 },
  { "RSA-PSS-SHA256", EVP_PKEY_RSA, 32, RSA_PKCS1_PSS_PADDING },
  { "RSA-PKCS1-SHA256", EVP_PKEY_RSA, 32, RSA_PKCS1_PADDING },
};

static void
assert_verifies (EVP_PKEY *key,
                 const Mechanism *mechanism,
                 const guint8 *digest,
                 GBytes *signature)
{
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new (key, NULL);
  const EVP_MD *md = mechanism->size == 48 ? EVP_sha384 () : EVP_sha256 ();

  g_assert_cmpint (EVP_PKEY_verify_init (context), >, 0);
  if (mechanism->padding != 0)
    g_assert_cmpint (EVP_PKEY_CTX_set_rsa_padding (context, mechanism->padding), >, 0);
  g_assert_cmpint (EVP_PKEY_CTX_set_signature_md (context, md), >, 0);
  if (mechanism->padding == RSA_PKCS1_PSS_PADDING)
    g_assert_cmpint (EVP_PKEY_CTX_set_rsa_pss_saltlen (context, 32), >, 0);
  g_assert_cmpint (EVP_PKEY_verify (context,
                                    g_bytes_get_data (signature, NULL),
                                    g_bytes_get_size (signature),
                                    digest,
                                    mechanism->size),
                   ==,
                   1);
  EVP_PKEY_CTX_free (context);
}

static void
try_mechanism (DpsPluginSetup *setup, EVP_PKEY *key, const Mechanism *mechanism, guint *n)
{
  static const guint8 digest[64] = { 0xd1, 0x6e, 0x57 };
  const char *const slots[] = { "service", "hub" };

  for (gsize i = 0; i < G_N_ELEMENTS (slots); i++)
    {
      g_autoptr (GError) error = NULL, wrong = NULL;
      g_autoptr (GBytes) signature = sign_by (setup,
                                              slots[i],
                                              mechanism->mechanism,
                                              digest,
                                              mechanism->size,
                                              &error);

      if (EVP_PKEY_get_id (key) != mechanism->type)
        {
          g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
          continue;
        }
      g_assert_no_error (error);
      assert_verifies (key, mechanism, digest, signature);
      g_assert_null (sign_by (setup, slots[i], mechanism->mechanism, digest, 20, &wrong));
      g_assert_error (wrong, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      g_assert_nonnull (strstr (wrong->message, "20 were passed"));
      (*n)++;
    }
}

static void
test_sign (Fixture *f, gconstpointer data)
{
  guint n = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (DpsFailure) failure = NULL;
      g_autoptr (DpsPluginSetup) setup = NULL;
      g_autoptr (GError) error = NULL;

      write_key (f, keys[i], PKCS8_PEM);
      setup = read_setup (f, &failure);
      for (gsize j = 0; j < G_N_ELEMENTS (mechanisms); j++)
        try_mechanism (setup, keys[i], &mechanisms[j], &n);
      g_assert_null (sign_by (setup, "hub", "HMAC-SHA256", "x", 1, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
    }
  g_test_message ("FIGURE %u signatures verified by OpenSSL", n);
  g_assert_cmpuint (n, ==, 2 * 2 * G_N_ELEMENTS (kinds));
}

static void
test_passphrase (Fixture *f, gconstpointer data)
{
  for (Form form = PKCS8_PEM_LOCKED; form < N_FORMS; form++)
    {
      write_key (f, keys[1], form);
      configure_files (f, FALSE);
      assert_failure (f, "DPS-E241", "is encrypted; put its passphrase into a file");
      configure_files (f, TRUE);
      write_text (f->passphrase, "another\n", 0600);
      assert_failure (f, "DPS-E241", "does not open");
      write_text (f->passphrase, PASSPHRASE "\r\n", 0600);
      assert_good (f, "gw-1");
      write_text (f->passphrase, PASSPHRASE, 0600);
      assert_good (f, "gw-1");
    }
}

static void
write_draft (Fixture *f, const char *name, long from, long to)
{
  TestPkiRequest request = { .name = name, .key = keys[1] };
  X509 *certificate = test_pki_draft (&request);
  g_autofree char *pem = NULL;

  X509_gmtime_adj (X509_getm_notBefore (certificate), from);
  X509_gmtime_adj (X509_getm_notAfter (certificate), to);
  test_pki_sign (certificate, &request);
  pem = test_pki_pem (certificate);
  write_text (f->certificate, pem, 0644);
  X509_free (certificate);
}

/* What is wrong with the certificate is seen before a key is opened: chains themselves
 * are in test-x509-chain.c. */
static void
test_certificates (Fixture *f, gconstpointer data)
{
  write_draft (f, "gw-1", -7200, -3600);
  assert_failure (f, "DPS-E234", "has expired at");
  write_draft (f, "gw-1", 3600, 7200);
  assert_failure (f, "DPS-E235", "is valid from");
  write_draft (f, "gw 1", -60, 60);
  assert_failure (f, "DPS-E238", "no registration id");
  write_certificate (f, other_key, "gw-1");
  assert_failure (f, "DPS-E236", "is not for the private key");
  write_text (f->certificate, "hello", 0644);
  assert_failure (f, "DPS-E231", "no X.509 certificate at place 1");
  write_text (f->certificate, "", 0644);
  assert_failure (f, "DPS-E231", "0 bytes");
  g_remove (f->certificate);
  assert_failure (f, "DPS-E231", "does not exist");
  write_certificate (f, keys[1], "gw-1");
  g_assert_cmpint (g_chmod (f->certificate, 0666), ==, 0);
  assert_failure (f, "DPS-E231", "not trusted");
}

/* A new file at the same path counts at once. */
static void
test_renewed (Fixture *f, gconstpointer data)
{
  assert_good (f, "gw-1");
  write_certificate (f, keys[1], "gw-2");
  assert_good (f, "gw-2");
}

static void
test_key_file (Fixture *f, gconstpointer data)
{
  g_autofree char *mend =
      g_strdup_printf ("chown root:dps-agent '%s' && chmod 0640 '%s'", f->key, f->key);
  EVP_PKEY *weak = test_pki_key ("RSA-1024");

  g_assert_cmpint (g_chmod (f->key, 0644), ==, 0);
  assert_failure (f, "DPS-E240", mend);
  g_assert_cmpint (g_chmod (f->key, 0620), ==, 0);
  assert_failure (f, "DPS-E240", mend);
  g_assert_cmpint (chown (f->key, 65534, 0), ==, 0);
  g_assert_cmpint (g_chmod (f->key, 0600), ==, 0);
  assert_failure (f, "DPS-E240", mend);
  g_remove (f->key);
  assert_failure (f, "DPS-E232", "does not exist");
  write_key (f, weak, PKCS8_PEM);
  assert_failure (f, "DPS-E232", "RSA of 1024 bits");
  write_text (f->key, "hello", 0600);
  assert_failure (f, "DPS-E232", "no private key in PKCS#8, PKCS#1 or SEC1");
  write_text (f->key, "-----BEGIN PRIVATE KEY-----\nAAAA\n", 0600);
  assert_failure (f, "DPS-E232", "no whole PEM block");
  EVP_PKEY_free (weak);
}

/* A key in the TPM has the agent open one, for the plugin to speak to; no other does. */
static void
test_tpm (Fixture *f, gconstpointer data)
{
  g_autofree char *by_file =
      g_strdup_printf ("key=%s\n[tpm]\ntcti=unix:%s/none\n", f->key, world.root);
  g_autofree char *by_handle =
      g_strdup_printf ("key=handle:0x81000010\n[tpm]\ntcti=unix:%s/none\n", world.root);

  configure (f, by_file);
  assert_good (f, "gw-1");
  write_text (f->key,
              "-----BEGIN TSS2 PRIVATE KEY-----\nMAA=\n"
              "-----END TSS2 PRIVATE KEY-----\n",
              0600);
  assert_failure (f, "DPS-E211", "/none");
  configure (f, by_handle);
  assert_failure (f, "DPS-E211", "/none");
}

static void
fill (guint8 *file, gsize size, const guint8 *unit, gsize length)
{
  for (gsize at = 0; at < size; at++)
    file[at] = unit[at % length];
}

/* Files as large as they may be, of what no tool writes: an error within the deadline,
 * from a process that lives. */
static void
test_hostile (Fixture *f, gconstpointer data)
{
  static const guint8 units[][4] = { { 0x30, 0x80, 0x30, 0x80 },
                                     { 0x30, 0x82, 0x3f, 0xfc },
                                     { 0x24, 0x80, 0x24, 0x80 },
                                     { 0xff, 0x00, 0x7f, 0x2d },
                                     { '-', '-', '-', '-' } };
  g_autofree guint8 *file = g_malloc (DPS_CONFIG_SECRET_MAX);
  g_autoptr (GString) nine = g_string_new (NULL);
  g_autofree char *pem = NULL;

  g_assert_true (g_file_get_contents (f->certificate, &pem, NULL, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (units); i++)
    {
      fill (file, DPS_CONFIG_SECRET_MAX, units[i], 4);
      write_text (f->certificate, pem, 0644);
      write_file (f->key, file, DPS_CONFIG_SECRET_MAX, 0600);
      assert_failure (f, "DPS-E232", "key=");
      write_key (f, keys[1], PKCS8_PEM);
      write_file (f->certificate, file, DPS_CONFIG_SECRET_MAX, 0644);
      assert_failure (f, "DPS-E231", "certificate=");
    }
  for (guint i = 0; i < 9; i++)
    g_string_append (nine, pem);
  write_text (f->certificate, nine->str, 0644);
  assert_failure (f, "DPS-E231", "more than 8");
  write_file (f->certificate, file, 10, 0644);
  assert_failure (f, "DPS-E231", "certificate=");
}

static void
test_probe (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *certificate;
    DpsPluginAvailability availability;
    const char *reason;
  } rows[] = {
    { NULL, DPS_PLUGIN_AVAILABLE_NOW, "" },
    { "hello", DPS_PLUGIN_AVAILABLE_NEVER, "certificate=" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsFailure) failure = NULL;
      g_autoptr (DpsPluginSetup) setup = NULL;
      g_autoptr (DpsPluginProbe) found = NULL;
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GError) error = NULL;
      Wait wait;

      if (rows[i].certificate != NULL)
        write_text (f->certificate, rows[i].certificate, 0644);
      setup = read_setup (f, &failure);
      wait_start (&wait);
      dps_plugin_runner_probe_async (setup->runner,
                                     setup->settings,
                                     setup->secrets,
                                     NULL,
                                     on_result,
                                     &wait);
      wait_result (&wait);
      result = wait.result;
      found = dps_plugin_runner_probe_finish (setup->runner, result, &error);
      g_assert_no_error (error);
      g_assert_cmpint (found->availability, ==, rows[i].availability);
      g_assert_nonnull (strstr (found->reason, rows[i].reason));
    }
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  world_make ();
  install ("../plugins/x509/x509.so", "x509");
  install ("../plugins/symmetric-key/symmetric-key.so", "symmetric-key");
  /* Listing the tests leaves from within the test library. */
  atexit (world_unmake);
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    keys[i] = test_pki_key (kinds[i]);
  other_key = test_pki_key ("P-256");
  /* The first call starts the bus library's thread, which stays. */
  dps_plugin_probe_free (probe (&(Case){ "symmetric-key", NULL, "QUJD" }));
  ADD ("/x509/plugin/describe", test_describe);
  ADD ("/x509/plugin/forms", test_forms);
  ADD ("/x509/plugin/sign", test_sign);
  ADD ("/x509/plugin/passphrase", test_passphrase);
  ADD ("/x509/plugin/certificates", test_certificates);
  ADD ("/x509/plugin/renewed", test_renewed);
  ADD ("/x509/plugin/key-file", test_key_file);
  ADD ("/x509/plugin/tpm", test_tpm);
  ADD ("/x509/plugin/hostile", test_hostile);
  ADD ("/x509/plugin/probe", test_probe);
  status = g_test_run ();
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    EVP_PKEY_free (keys[i]);
  EVP_PKEY_free (other_key);
  return status;
}
