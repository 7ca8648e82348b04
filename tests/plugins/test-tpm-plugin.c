/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "plugin-fixture.h"
#include "tpm-challenges.h"
#include "tpm/dps-tpm-device.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The tpm plugin as the agent runs it: confined, in a process of its own, with a
 * descriptor on which a raw swtpm answers. */

#define LINGER 60000 /* ms, longer than any test */

typedef struct
{
  TpmFixture tpm;
  GHashTable *settings, *secrets;
  DpsPluginRunner *runner;
  guint fds;
} Fixture;

static int
open_tpm (gpointer data, GError **error)
{
  const Fixture *f = data;

  return dps_tpm_device_open (f->tpm.tcti, error);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  tpm_fixture_set_up (&f->tpm, data);
  f->settings = g_hash_table_new (g_str_hash, g_str_equal);
  f->secrets = g_hash_table_new_full (g_str_hash,
                                      g_str_equal,
                                      NULL,
                                      (GDestroyNotify) dps_secret_unref);
  f->fds = count_fds ();
}

/* What an agent that starts has. */
static void
start (Fixture *f, guint linger)
{
  f->runner = dps_plugin_runner_new (world.host, world.plugins, "tpm");
  dps_plugin_runner_set_tpm (f->runner, open_tpm, f, NULL);
  dps_plugin_runner_set_linger (f->runner, linger);
  tpm_fixture_take_count (&f->tpm);
}

/* What it leaves behind: nothing, in the TPM as well. */
static void
stop (Fixture *f)
{
  g_clear_object (&f->runner);
  wait_processes ();
  assert_fds (f->fds);
  tpm_fixture_assert_empty (&f->tpm);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  if (f->runner != NULL)
    stop (f);
  g_assert_cmpuint (tpm_fixture_failures (&f->tpm), ==, 0);
  tpm_fixture_tear_down (&f->tpm, data);
  g_hash_table_unref (f->settings);
  g_hash_table_unref (f->secrets);
}

static void
set (Fixture *f, const char *key, const char *value)
{
  g_hash_table_insert (f->settings, (char *) key, (char *) value);
}

static void
set_secret (Fixture *f, const char *key, const char *value)
{
  g_hash_table_insert (f->secrets, (char *) key, dps_secret_new (value, strlen (value)));
}

static DpsPluginDescription *
describe_tpm (Fixture *f, GError **error)
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

static DpsSecret *
answer (Fixture *f, DpsSecret *challenge, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_answer_async (f->runner,
                                  f->settings,
                                  f->secrets,
                                  challenge,
                                  NULL,
                                  on_result,
                                  &wait);
  wait_result (&wait);
  result = wait.result;
  return dps_plugin_runner_answer_finish (f->runner, result, error);
}

static GBytes *
sign (Fixture *f,
      const char *slot,
      const char *mechanism,
      DpsSecret *blob,
      GBytes *data,
      GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_sign_async (f->runner,
                                f->settings,
                                f->secrets,
                                slot,
                                mechanism,
                                blob,
                                data,
                                NULL,
                                on_result,
                                &wait);
  wait_result (&wait);
  result = wait.result;
  return dps_plugin_runner_sign_finish (f->runner, result, error);
}

static gboolean
forget (Fixture *f, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_forget_async (f->runner,
                                  f->settings,
                                  f->secrets,
                                  NULL,
                                  on_result,
                                  &wait);
  wait_result (&wait);
  result = wait.result;
  return dps_plugin_runner_forget_finish (f->runner, result, error);
}

static DpsPluginProbe *
probe_tpm (Fixture *f)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  DpsPluginProbe *found;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_probe_async (f->runner,
                                 f->settings,
                                 f->secrets,
                                 NULL,
                                 on_result,
                                 &wait);
  wait_result (&wait);
  result = wait.result;
  found = dps_plugin_runner_probe_finish (f->runner, result, &error);
  g_assert_no_error (error);
  return found;
}

static void
read_material (const DpsPluginDescription *description,
               const char *name,
               EmTpmPublic *public)
{
  const char *text = g_hash_table_lookup (description->material, name);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  guchar *data;
  gsize size;

  g_assert_nonnull (text);
  data = g_base64_decode (text, &size);
  bytes = g_bytes_new_take (data, size);
  g_assert_true (em_tpm_public_parse (bytes, public, &error));
  g_assert_no_error (error);
}

/* As the service does, from what was described. */
static DpsSecret *
challenge_for (const DpsPluginDescription *description, guint8 key[EM_TPM_DIGEST_LEN])
{
  g_auto (EmTpmSecrets) secrets = { 0 };
  g_autoptr (EmTpmBlob) blob = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  EmTpmPublic ek, srk;

  read_material (description, "endorsement-key", &ek);
  read_material (description, "storage-root-key", &srk);
  em_tpm_secrets_make (&secrets, EM_TPM_DIGEST_LEN);
  memcpy (key, secrets.key, EM_TPM_DIGEST_LEN);
  blob = em_tpm_blob_new (&ek, &srk, &secrets, description->registration_id, &error);
  g_assert_no_error (error);
  bytes = em_tpm_blob_join (blob);
  return dps_secret_new (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static void
assert_signs (Fixture *f,
              const char *slot,
              DpsSecret *blob,
              const guint8 key[EM_TPM_DIGEST_LEN])
{
  static const char text[] = "host%2fdevices%2fid\n1795000000";
  g_autoptr (GBytes) data = g_bytes_new_static (text, sizeof text - 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) signature = sign (f, slot, "HMAC-SHA256", blob, data, &error);

  g_assert_no_error (error);
  assert_hmac (key,
               text,
               sizeof text - 1,
               g_bytes_get_data (signature, NULL),
               g_bytes_get_size (signature));
}

/* Both challenges of a registration, as the agent goes through them; the hub's key. */
static DpsSecret *
provision (Fixture *f, guint8 key[EM_TPM_DIGEST_LEN])
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginDescription) description = describe_tpm (f, &error);
  g_autoptr (DpsSecret) first = NULL;
  g_autoptr (DpsSecret) second = NULL;
  g_autoptr (DpsSecret) nonce_blob = NULL;
  guint8 nonce[EM_TPM_DIGEST_LEN];
  DpsSecret *blob;

  g_assert_no_error (error);
  g_assert_cmpstr (description->kind, ==, "tpm");
  first = challenge_for (description, nonce);
  second = challenge_for (description, key);
  nonce_blob = answer (f, first, &error);
  g_assert_no_error (error);
  assert_signs (f, "service", nonce_blob, nonce);
  blob = answer (f, second, &error);
  g_assert_no_error (error);
  assert_signs (f, "hub", blob, key);
  return blob;
}

static void
test_provision (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsSecret) blob = NULL;
  guint8 key[EM_TPM_DIGEST_LEN];
  guint provisioning, token;

  place_keys (&f->tpm);
  start (f, LINGER);
  blob = provision (f, key);
  provisioning = tpm_fixture_take_count (&f->tpm);
  stop (f);
  start (f, 0);
  assert_signs (f, "hub", blob, key);
  token = tpm_fixture_take_count (&f->tpm);
  g_test_message ("FIGURE TPM commands, keys in place: %u to provision with both"
                  " activations and a token, %u for a token of a new process",
                  provisioning,
                  token);
  g_assert_cmpuint (provisioning, ==, 18);
  g_assert_cmpuint (token, ==, 4);
}

/* Nothing in the TPM but what newer systemd puts there, and a process for each verb. */
static void
test_process_each (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsSecret) blob = NULL;
  guint8 key[EM_TPM_DIGEST_LEN];

  place_key (&f->tpm,
             ESYS_TR_RH_OWNER,
             dps_tpm_template_ecc_srk (),
             DPS_TPM_HANDLE_SRK,
             NULL,
             NULL);
  start (f, 0);
  blob = provision (f, key);
}

static void
test_description (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsPluginDescription) standard = NULL;
  g_autoptr (DpsPluginDescription) legacy = NULL;
  g_autoptr (GError) error = NULL;
  const char *other;

  set (f, "persist-ek", "no");
  set (f, "describe-enrollment", "yes");
  start (f, 0);
  standard = describe_tpm (f, &error);
  g_assert_no_error (error);
  set (f, "ek-template", "legacy");
  legacy = describe_tpm (f, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (strlen (standard->registration_id), ==, 52);
  other = g_hash_table_lookup (standard->material, "other-registration-id");
  g_assert_cmpstr (other, ==, legacy->registration_id);
  other = g_hash_table_lookup (legacy->material, "other-registration-id");
  g_assert_cmpstr (other, ==, standard->registration_id);
  g_assert_nonnull (strstr (standard->enrollment, standard->registration_id));
  g_assert_nonnull (strstr (standard->enrollment, legacy->registration_id));
  g_assert_cmpuint (strlen (g_hash_table_lookup (standard->material,
                                                 "storage-root-key-name")),
                    ==,
                    2 * 34);
}

static void
test_probe (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsPluginProbe) now = NULL;
  g_autoptr (DpsPluginProbe) later = NULL;
  g_autoptr (DpsPluginProbe) never = NULL;

  start (f, 0);
  now = probe_tpm (f);
  g_assert_cmpint (now->availability, ==, DPS_PLUGIN_AVAILABLE_NOW);
  g_assert_cmpuint (tpm_fixture_take_count (&f->tpm), ==, 0);
  dps_plugin_runner_set_tpm (f->runner, NULL, NULL, NULL);
  later = probe_tpm (f);
  g_assert_cmpint (later->availability, ==, DPS_PLUGIN_AVAILABLE_LATER);
  g_assert_nonnull (strstr (later->reason, "tcti="));
  set (f, "ek-template", "none");
  never = probe_tpm (f);
  g_assert_cmpint (never->availability, ==, DPS_PLUGIN_AVAILABLE_NEVER);
  g_assert_nonnull (strstr (never->reason, "ek-template="));
}

static void
assert_refused (GError *error, DpsError code, const char *text)
{
  g_assert_error (error, DPS_ERROR, (gint) code);
  if (strstr (error->message, text) == NULL)
    g_assert_cmpstr (error->message, ==, text);
  g_error_free (error);
}

/* The agent finds code and remedy by the word in brackets. */
static void
test_causes (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (DpsSecret) challenge = NULL;
  g_autoptr (DpsSecret) cut = NULL;
  guint8 key[EM_TPM_DIGEST_LEN];
  GError *error = NULL;

  place_keys (&f->tpm);
  tpm_fixture_set_passwords (&f->tpm, NULL, "secret");
  start (f, LINGER);
  description = describe_tpm (f, &error);
  g_assert_no_error (error);
  challenge = challenge_for (description, key);
  g_assert_null (answer (f, challenge, &error));
  assert_refused (g_steal_pointer (&error),
                  DPS_ERROR_INVALID_ARGUMENT,
                  "[tpm-endorsement-auth]");
  set_secret (f, "endorsement-auth", "guess");
  g_assert_null (answer (f, challenge, &error));
  assert_refused (g_steal_pointer (&error),
                  DPS_ERROR_INVALID_ARGUMENT,
                  "[tpm-endorsement-auth]");
  cut = dps_secret_new (dps_secret_data (challenge), 700);
  g_assert_null (answer (f, cut, &error));
  assert_refused (g_steal_pointer (&error),
                  DPS_ERROR_REJECTED,
                  "[tpm-challenge-malformed]");
  dps_plugin_runner_set_tpm (f->runner, NULL, NULL, NULL);
  g_assert_null (describe_tpm (f, &error));
  assert_refused (g_steal_pointer (&error), DPS_ERROR_FAILED, "[tpm-no-device]");
}

static void
test_refuses (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) text = g_bytes_new_static ("a", 1);
  g_autoptr (DpsSecret) blob = dps_secret_new ("\1", 1);
  GError *error = NULL;

  start (f, 0);
  g_assert_null (sign (f, "hub", "ECDSA-SHA256", blob, text, &error));
  assert_refused (g_steal_pointer (&error), DPS_ERROR_NOT_SUPPORTED, "HMAC-SHA256");
  g_assert_null (sign (f, "hub", "HMAC-SHA256", NULL, text, &error));
  assert_refused (g_steal_pointer (&error),
                  DPS_ERROR_INVALID_ARGUMENT,
                  "there is no key");
  g_assert_null (sign (f, "hub", "HMAC-SHA256", blob, text, &error));
  assert_refused (g_steal_pointer (&error), DPS_ERROR_FAILED, "the stored key has");
  g_assert_cmpuint (tpm_fixture_take_count (&f->tpm), ==, 0);
  set (f, "persist-handle", "0x81000001");
  g_assert_null (describe_tpm (f, &error));
  assert_refused (g_steal_pointer (&error),
                  DPS_ERROR_INVALID_ARGUMENT,
                  "persist-handle= in [plugin tpm]");
}

/* The key of the first challenge is for this registration alone. */
static void
test_service_key (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (DpsSecret) challenge = NULL;
  g_autoptr (DpsSecret) blob = NULL;
  g_autoptr (GError) error = NULL;
  guint8 key[EM_TPM_DIGEST_LEN];
  TPM2B_NAME name;

  place_keys (&f->tpm);
  set (f, "persist-handle", "0x81000100");
  start (f, 0);
  description = describe_tpm (f, &error);
  g_assert_no_error (error);
  challenge = challenge_for (description, key);
  blob = answer (f, challenge, &error);
  g_assert_no_error (error);
  assert_signs (f, "service", blob, key);
  g_assert_false (read_name (&f->tpm, 0x81000100, &name));
  assert_signs (f, "hub", blob, key);
  g_assert_true (read_name (&f->tpm, 0x81000100, &name));
}

/* A TPM that stops is an error by its deadline, one command's, and the next process
 * finds it well again. */
static void
test_stopped (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsPluginDescription) description = NULL;
  gint64 begin, took;
  GError *error = NULL;

  place_keys (&f->tpm);
  start (f, LINGER);
  kill (f->tpm.pid, SIGSTOP);
  begin = g_get_monotonic_time ();
  g_assert_null (describe_tpm (f, &error));
  took = (g_get_monotonic_time () - begin) / 1000;
  kill (f->tpm.pid, SIGCONT);
  assert_refused (g_steal_pointer (&error), DPS_ERROR_FAILED, "[tpm-timed-out]");
  g_assert_cmpint (took, >=, DPS_TPM_DEADLINE);
  g_assert_cmpint (took, <, 5 * DPS_TPM_DEADLINE);
  description = describe_tpm (f, &error);
  g_assert_no_error (error);
}

static void
test_forget (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsSecret) blob = NULL;
  g_autoptr (GError) error = NULL;
  guint8 key[EM_TPM_DIGEST_LEN];
  TPM2B_NAME name;

  place_keys (&f->tpm);
  start (f, 0);
  g_assert_true (forget (f, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (tpm_fixture_take_count (&f->tpm), ==, 0);
  set (f, "persist-handle", "0x81000100");
  blob = provision (f, key);
  g_assert_true (read_name (&f->tpm, 0x81000100, &name));
  g_assert_true (forget (f, &error));
  g_assert_no_error (error);
  g_assert_false (read_name (&f->tpm, 0x81000100, &name));
  g_assert_true (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &name));
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  world_make ();
  install ("../plugins/tpm/tpm.so", "tpm");
  install ("../plugins/symmetric-key/symmetric-key.so", "symmetric-key");
  /* Listing the tests leaves from within the test library. */
  atexit (world_unmake);
  /* The first call starts the bus library's thread, which stays. */
  dps_plugin_probe_free (probe (&(Case){ "symmetric-key", NULL, "QUJD" }));
  ADD ("/tpm/plugin/provision", test_provision);
  ADD ("/tpm/plugin/process-for-each-verb", test_process_each);
  ADD ("/tpm/plugin/description", test_description);
  ADD ("/tpm/plugin/probe", test_probe);
  ADD ("/tpm/plugin/causes", test_causes);
  ADD ("/tpm/plugin/refuses", test_refuses);
  ADD ("/tpm/plugin/service-key", test_service_key);
  ADD ("/tpm/plugin/stopped-tpm", test_stopped);
  ADD ("/tpm/plugin/forget", test_forget);
  return g_test_run ();
}
