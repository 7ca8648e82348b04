/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-tls-signer.h"
#include "plugin-fixture.h"
#include "test-pki.h"

#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

/* The promise: a worker's TLS is signed for by a plugin on the main loop, which never
 * waits; whatever becomes of plugin, main loop and caller, the worker comes back. */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509, X509_free)

#define SECOND G_USEC_PER_SEC
#define MESSAGE "what TLS signs"

/* A key, its certificate, and a plugin with its secrets. */
typedef struct
{
  EVP_PKEY *key;
  DpsCertificateChain *chain;
  char *pem;
  DpsPluginSetup *setup;
  GCancellable *cancellable;
  DpsTlsIdentity *identity; /* the worker's, once it works */
  GMainLoop *loop;
  guint ticks;
  GError *error; /* of the worker */
  gboolean good; /* its signature verifies */
  gint finished;
} Fixture;

static DpsSecret *
key_as_pem (EVP_PKEY *key)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  DpsSecret *secret;
  char *data;
  long size;

  g_assert_cmpint (PEM_write_bio_PKCS8PrivateKey (bio, key, NULL, NULL, 0, NULL, NULL),
                   ==,
                   1);
  size = BIO_get_mem_data (bio, &data);
  secret = dps_secret_new (data, (gsize) size);
  BIO_free (bio);
  return secret;
}

static DpsPluginSetup *
make_setup (Fixture *f, const Case *c)
{
  DpsPluginSetup *setup = g_new0 (DpsPluginSetup, 1);

  g_atomic_ref_count_init (&setup->refs);
  setup->runner = runner_of (c);
  dps_plugin_runner_set_linger (setup->runner, 10000);
  setup->settings = settings_of (c);
  setup->secrets = secrets_of (c);
  if (g_str_equal (c->plugin, "x509"))
    {
      g_hash_table_remove_all (setup->settings);
      g_hash_table_insert (setup->settings, (char *) "key", (char *) "/run/device.key");
      g_hash_table_insert (setup->secrets, (char *) "key", key_as_pem (f->key));
      g_hash_table_insert (setup->secrets,
                           (char *) "certificate",
                           dps_secret_new (f->pem, strlen (f->pem)));
    }
  return setup;
}

static void
begin (Fixture *f, const Case *c)
{
  TestPkiRequest request = { .name = "edge-01" };
  g_autoptr (X509) certificate = NULL;
  g_autoptr (GError) error = NULL;

  *f = (Fixture){ .key = test_pki_key ("P-256") };
  request.key = f->key;
  certificate = test_pki_certificate (&request);
  f->pem = test_pki_pem (certificate);
  f->chain = dps_certificate_chain_new_from_pem (f->pem, strlen (f->pem), &error);
  g_assert_no_error (error);
  f->setup = make_setup (f, c);
  f->cancellable = g_cancellable_new ();
  f->loop = g_main_loop_new (NULL, FALSE);
}

static void
end (Fixture *f)
{
  if (f->setup != NULL)
    dps_plugin_setup_unref (f->setup);
  wait_gone ();
  g_clear_error (&f->error);
  g_object_unref (f->cancellable);
  g_main_loop_unref (f->loop);
  dps_certificate_chain_unref (f->chain);
  EVP_PKEY_free (f->key);
  g_free (f->pem);
}

static gboolean
quit (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

static gboolean
on_tick (gpointer data)
{
  ((Fixture *) data)->ticks++;
  return G_SOURCE_CONTINUE;
}

static gboolean
verifies (Fixture *f, const guint8 *signature, gsize size)
{
  EVP_MD_CTX *context = EVP_MD_CTX_new ();
  gboolean good =
      EVP_DigestVerifyInit (context, NULL, EVP_sha256 (), NULL, f->key) == 1 &&
      EVP_DigestVerify (context,
                        signature,
                        size,
                        (const guint8 *) MESSAGE,
                        strlen (MESSAGE)) == 1;

  EVP_MD_CTX_free (context);
  return good;
}

/* As libcurl's thread does it in a handshake; lets go of the identity there, too. */
static gpointer
work (gpointer data)
{
  Fixture *f = data;
  EVP_MD_CTX *context = EVP_MD_CTX_new ();
  EVP_PKEY *key = dps_tls_identity_get_key (f->identity);
  guint8 signature[512];
  gsize size = sizeof signature;

  if (EVP_DigestSignInit_ex (context, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
      EVP_DigestSign (context,
                      signature,
                      &size,
                      (const guint8 *) MESSAGE,
                      strlen (MESSAGE)) == 1)
    f->good = verifies (f, signature, size);
  else
    f->error = dps_tls_key_take_error ();
  EVP_MD_CTX_free (context);
  g_clear_pointer (&f->identity, dps_tls_identity_unref);
  g_atomic_int_set (&f->finished, 1);
  g_idle_add (quit, f->loop);
  return NULL;
}

/* Runs the main loop until the worker has signed or failed. */
static void
run (Fixture *f)
{
  guint tick = g_timeout_add (1, on_tick, f);
  GThread *thread = g_thread_new ("tls", work, f);

  g_main_loop_run (f->loop);
  g_thread_join (thread);
  g_source_remove (tick);
}

static DpsTlsIdentity *
for_service (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  DpsTlsIdentity *identity =
      dps_tls_signer_new (f->setup, f->chain, f->cancellable, &error);

  g_assert_no_error (error);
  return identity;
}

static void
test_service (void)
{
  Fixture f;

  begin (&f, &(Case){ .plugin = "x509" });
  f.identity = for_service (&f);
  run (&f);
  g_assert_no_error (f.error);
  g_assert_true (f.good);
  g_assert_cmpuint (f.ticks, >=, MIN_TICKS);
  end (&f);
}

static void
on_runner_gone (gpointer data, GObject *runner)
{
  *(GThread **) data = g_thread_self ();
}

/* TLS lets go of its key last, in its own thread; the plugin's process ends in this one.
 */
static void
test_released_by_the_worker (void)
{
  Fixture f;
  GThread *released_in = NULL;

  begin (&f, &(Case){ .plugin = "x509" });
  f.identity = for_service (&f);
  g_object_weak_ref (G_OBJECT (f.setup->runner), on_runner_gone, &released_in);
  g_clear_pointer (&f.setup, dps_plugin_setup_unref);
  run (&f);
  g_assert_true (f.good);
  while (released_in == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (released_in == g_thread_self ());
  end (&f);
}

/* Toward the hub, by the identity in force. */
static void
test_hub (void)
{
  Fixture f;
  DpsConfigPaths nowhere = { .config_dir = "/nonexistent" };
  g_autoptr (DpsSettings) settings = dps_settings_new (&nowhere, world.host, NULL);
  g_autoptr (DpsSigner) signer = dps_signer_new (settings);
  g_autoptr (DpsIdentity) identity = dps_identity_new ();
  g_autoptr (GError) error = NULL;

  begin (&f, &(Case){ .plugin = "x509" });
  identity->shape = DPS_SHAPE_CERTIFICATE;
  identity->attestation = g_strdup ("x509");
  identity->chain = g_strdup (f.pem);
  dps_signer_adopt (signer, f.setup);
  f.identity = dps_tls_signer_new_for_identity (signer, identity, f.cancellable, &error);
  g_assert_no_error (error);
  run (&f);
  g_assert_no_error (f.error);
  g_assert_true (f.good);
  dps_signer_drop (signer);
  end (&f);
}

/* A plugin that signs with another key than the chain's: the server never sees it. */
static void
test_other_key (void)
{
  Fixture f;
  g_autoptr (EVP_PKEY) mine = NULL;

  begin (&f, &(Case){ .plugin = "x509" });
  mine = g_steal_pointer (&f.key);
  f.key = test_pki_key ("P-256");
  dps_plugin_setup_unref (f.setup);
  f.setup = make_setup (&f, &(Case){ .plugin = "x509" });
  f.identity = for_service (&f);
  run (&f);
  g_assert_false (f.good);
  g_assert_nonnull (f.error);
  end (&f);
}

static void
test_plugin_fails (void)
{
  Fixture f;

  begin (&f, &(Case){ .plugin = "hostile", .behave = "slow", .verb_deadline = HUNG });
  f.identity = for_service (&f);
  run (&f);
  g_assert_error (f.error, DPS_ERROR, DPS_ERROR_TIMED_OUT);
  assert_message (f.error->message, "plugin hostile: *");
  /* Deadlines are the main loop's, which went on. */
  g_assert_cmpuint (f.ticks, >=, MIN_TICKS);
  end (&f);
}

static gboolean
cancel_once_it_signs (gpointer data)
{
  Fixture *f = data;

  if (dps_plugin_runner_count_processes () == 0)
    return G_SOURCE_CONTINUE;
  g_cancellable_cancel (f->cancellable);
  return G_SOURCE_REMOVE;
}

/* As an operator's cancel does it while the plugin takes its time. */
static void
test_cancelled (void)
{
  Fixture f;
  gint64 start = g_get_monotonic_time ();

  begin (&f, &(Case){ .plugin = "hostile", .behave = "slow" });
  f.identity = for_service (&f);
  g_timeout_add (1, cancel_once_it_signs, &f);
  run (&f);
  g_assert_error (f.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  /* The plugin would sleep for six seconds. */
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * SECOND);
  end (&f);
}

/* As the daemon leaves: nobody runs the main loop any more, only the cancel comes. */
static void
test_nobody_is_there (void)
{
  Fixture f;
  GThread *thread;

  begin (&f, &(Case){ .plugin = "x509" });
  f.identity = for_service (&f);
  thread = g_thread_new ("tls", work, &f);
  /* Its call has come to the main loop. */
  while (!g_main_context_pending (NULL))
    g_usleep (100);
  g_assert_cmpint (g_atomic_int_get (&f.finished), ==, 0);
  g_cancellable_cancel (f.cancellable);
  g_thread_join (thread);
  g_assert_error (f.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  end (&f);
}

static void
test_cancelled_before (void)
{
  Fixture f;

  begin (&f, &(Case){ .plugin = "x509" });
  g_cancellable_cancel (f.cancellable);
  f.identity = for_service (&f);
  run (&f);
  g_assert_error (f.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  end (&f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  dps_secret_init ();
  world_make ();
  install ("plugins/hostile.so", "hostile");
  install ("../plugins/x509/x509.so", "x509");
  atexit (world_unmake);
  g_test_add_func ("/tls-signer/for-the-service", test_service);
  g_test_add_func ("/tls-signer/for-the-hub", test_hub);
  g_test_add_func ("/tls-signer/released-by-the-worker", test_released_by_the_worker);
  g_test_add_func ("/tls-signer/another-key-is-not-shown", test_other_key);
  g_test_add_func ("/tls-signer/the-plugin-fails", test_plugin_fails);
  g_test_add_func ("/tls-signer/cancelled-while-it-signs", test_cancelled);
  g_test_add_func ("/tls-signer/nobody-runs-the-main-loop", test_nobody_is_there);
  g_test_add_func ("/tls-signer/cancelled-before", test_cancelled_before);
  return g_test_run ();
}
