/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm-activation.h"
#include "tpm-challenges.h"
#include "tpm-shared-handle.h"
#include "tpm-signing.h"

#include "common/dps-io.h"
#include "tpm/dps-tpm-error.h"

#include <string.h>

/* What the tpm plugin does in a TPM, on a raw swtpm: no resource manager tidies up. Each
 * test ends with a look for sessions and objects that were left behind, and at the
 * counter of wrong passwords. */

typedef struct
{
  TpmFixture tpm;
  GHashTable *settings, *secrets;
  GString *log;
  DpsHost host;
  TpmKeys keys; /* of one process */
  int fd;
} Fixture;

static const char *
get_setting (const DpsHost *host, const char *key)
{
  const Fixture *f = host->priv;

  return g_hash_table_lookup (f->settings, key);
}

static gboolean
get_secret (const DpsHost *host, const char *key, DpsPluginView *secret)
{
  const Fixture *f = host->priv;
  const char *value = g_hash_table_lookup (f->secrets, key);

  *secret = (DpsPluginView){ (const guint8 *) value, value ? strlen (value) : 0 };
  return value != NULL;
}

static int
tpm_fd (const DpsHost *host)
{
  const Fixture *f = host->priv;

  return f->fd;
}

static void
add_line (const DpsHost *host, DpsPluginLogLevel level, const char *text)
{
  const Fixture *f = host->priv;

  g_string_append_printf (f->log, "%d %s\n", (int) level, text);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  tpm_fixture_set_up (&f->tpm, data);
  f->settings = g_hash_table_new (g_str_hash, g_str_equal);
  f->secrets = g_hash_table_new (g_str_hash, g_str_equal);
  f->log = g_string_new (NULL);
  f->fd = -1;
  f->host = (DpsHost){ .size = sizeof f->host,
                       .priv = f,
                       .get_setting = get_setting,
                       .get_secret = get_secret,
                       .tpm_fd = tpm_fd,
                       .log = add_line };
}

/* The process ends. Nothing of it is in the TPM by then, which no test tidies up. */
static void
leave (Fixture *f)
{
  if (f->keys.tpm == NULL)
    return;
  tpm_fixture_assert_empty_through (f->keys.tpm);
  tpm_keys_close (&f->keys);
  dps_close_fd (&f->fd);
}

/* A new process, with what is set by now. */
static TpmKeys *
enter (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  TpmSettings settings;

  leave (f);
  f->fd = tpm_fixture_connect (&f->tpm);
  g_assert_null (tpm_settings_read (&f->host, &settings));
  g_assert_true (tpm_keys_open (&f->keys, &f->host, &settings, &error));
  g_assert_no_error (error);
  tpm_fixture_take_count (&f->tpm);
  return &f->keys;
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  leave (f);
  g_assert_cmpuint (tpm_fixture_failures (&f->tpm), ==, 0);
  tpm_fixture_tear_down (&f->tpm, data);
  g_hash_table_unref (f->settings);
  g_hash_table_unref (f->secrets);
  g_string_free (f->log, TRUE);
}

static void
set (GHashTable *table, const char *key, const char *value)
{
  g_hash_table_insert (table, (char *) key, (char *) value);
}

static void
find_keys (Fixture *f)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tpm_keys_find_ek (&f->keys, &error));
  g_assert_no_error (error);
  g_assert_true (tpm_keys_find_srk (&f->keys, &error));
  g_assert_no_error (error);
}

/* One challenge for the keys that were found, parsed. */
static void
challenge_for (Fixture *f, guint8 key[EM_TPM_DIGEST_LEN], TpmChallenge *challenge)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EmTpmBlob) blob =
      make_challenge (&f->keys.ek.key.public, &f->keys.srk.key.public, key);
  g_autoptr (GBytes) bytes = em_tpm_blob_join (blob);
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  g_assert_true (tpm_challenge_parse (data, size, challenge, &error));
  g_assert_no_error (error);
}

/* Answers a challenge. The stored key goes through its bytes, as in the store. */
static void
answer (Fixture *f, guint8 key[EM_TPM_DIGEST_LEN], TpmKeyBlob *stored)
{
  g_autofree guint8 *data = NULL;
  g_autoptr (GError) error = NULL;
  TpmChallenge challenge;
  TpmKeyBlob blob;
  gsize size;

  find_keys (f);
  challenge_for (f, key, &challenge);
  g_assert_true (tpm_activate (&f->keys, &challenge, &blob, &error));
  g_assert_no_error (error);
  data = tpm_key_blob_write (&blob, &size);
  g_assert_true (tpm_key_blob_parse (data, size, stored, &error));
  g_assert_no_error (error);
}

static void
sign_data (Fixture *f,
           const guint8 key[EM_TPM_DIGEST_LEN],
           const TpmKeyBlob *stored,
           const void *data,
           gsize size)
{
  guint8 signature[TPM_SIGNATURE_SIZE] = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (tpm_sign (&f->keys,
                           stored,
                           data,
                           size,
                           f->keys.settings.persist_handle != 0,
                           signature,
                           &error));
  g_assert_no_error (error);
  assert_hmac (key, data, size, signature, sizeof signature);
}

static void
sign (Fixture *f, const guint8 key[EM_TPM_DIGEST_LEN], const TpmKeyBlob *stored)
{
  static const char text[] = "host%2fregistrations%2fid\n1795000000";

  sign_data (f, key, stored, text, sizeof text - 1);
}

/* A whole life: describe, answer, sign; and a sign of another process. */
static void
provision (Fixture *f)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  TpmKeyBlob stored;

  enter (f);
  answer (f, key, &stored);
  tpm_fixture_assert_empty_through (f->keys.tpm);
  sign (f, key, &stored);
  enter (f);
  sign (f, key, &stored);
  leave (f);
}

static void
assert_fails (Fixture *f, DpsTpmError code, const char *text)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  g_autoptr (GError) error = NULL;
  TpmChallenge challenge;
  TpmKeyBlob stored;

  enter (f);
  if (tpm_keys_find_ek (&f->keys, &error) && tpm_keys_find_srk (&f->keys, &error))
    {
      challenge_for (f, key, &challenge);
      g_assert_false (tpm_activate (&f->keys, &challenge, &stored, &error));
    }
  g_assert_error (error, DPS_TPM_ERROR, (gint) code);
  g_assert_nonnull (strstr (error->message, text));
  leave (f);
  g_assert_cmpuint (tpm_fixture_failures (&f->tpm), ==, 0);
}

static void
test_in_place (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  guint describing, answering, warm, cold;
  TpmKeyBlob stored;

  place_keys (&f->tpm);
  enter (f);
  find_keys (f);
  describing = tpm_fixture_take_count (&f->tpm);
  answer (f, key, &stored);
  answering = tpm_fixture_take_count (&f->tpm);
  sign (f, key, &stored);
  warm = tpm_fixture_take_count (&f->tpm);
  enter (f);
  sign (f, key, &stored);
  cold = tpm_fixture_take_count (&f->tpm);
  g_test_message ("FIGURE TPM commands: describe %u, answer %u, sign %u, sign by a new "
                  "process %u",
                  describing,
                  answering,
                  warm,
                  cold);
  g_assert_cmpuint (describing, ==, 2);
  g_assert_cmpuint (answering, ==, 5);
  g_assert_cmpuint (warm, ==, 3);
  g_assert_cmpuint (cold, ==, 4);
  g_assert_cmpint (stored.parent, ==, TPM_PARENT_PERSISTENT);
  g_assert_cmpstr (f->log->str, ==, "");
}

/* The endorsement key is made and kept, the storage root key is not. */
static void
test_empty (Fixture *f, gconstpointer data)
{
  TPM2B_NAME name, again;

  provision (f);
  g_assert_true (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &name));
  g_assert_false (read_name (&f->tpm, DPS_TPM_HANDLE_SRK, &again));
  g_assert_cmpstr (f->log->str,
                   ==,
                   "6 the TPM keeps the endorsement key at 0x81010001\n");
  provision (f);
  g_assert_true (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &again));
  g_assert_true (tpm_name_equal (&name, &again));
}

static void
test_nothing_kept (Fixture *f, gconstpointer data)
{
  TPM2B_NAME name;

  set (f->settings, "persist-ek", "no");
  provision (f);
  g_assert_false (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &name));
  g_assert_cmpstr (f->log->str, ==, "");
}

static void
test_legacy (Fixture *f, gconstpointer data)
{
  TPM2B_NAME legacy;

  set (f->settings, "ek-template", "legacy");
  provision (f);
  place_key (&f->tpm,
             ESYS_TR_RH_ENDORSEMENT,
             dps_tpm_template_ek (TRUE),
             0x81010002,
             NULL,
             &legacy);
  /* What is in place counts, whatever the setting. */
  set (f->settings, "ek-template", "standard");
  enter (f);
  find_keys (f);
  g_assert_true (tpm_name_equal (&f->keys.ek.key.name, &legacy));
}

static void
test_other_ek (Fixture *f, gconstpointer data)
{
  const char *const templates[] = { "standard", "legacy" };
  TPM2B_NAME name, wanted;
  TPM2B_PUBLIC public;

  place_keys (&f->tpm);
  place_key (&f->tpm,
             ESYS_TR_RH_ENDORSEMENT,
             dps_tpm_template_ek (TRUE),
             0x81010002,
             NULL,
             &wanted);
  for (gsize i = 0; i < G_N_ELEMENTS (templates); i++)
    {
      set (f->settings, "ek-template", templates[i]);
      enter (f);
      find_keys (f);
      g_assert_true (tpm_keys_make_other_ek (&f->keys, &public, &name, NULL));
      g_assert_true (tpm_name_equal (&name, &wanted));
    }
}

/* What newer systemd puts there. */
static void
test_ecc_srk (Fixture *f, gconstpointer data)
{
  TPM2B_NAME before, after;

  place_key (&f->tpm,
             ESYS_TR_RH_OWNER,
             dps_tpm_template_ecc_srk (),
             DPS_TPM_HANDLE_SRK,
             NULL,
             &before);
  provision (f);
  g_assert_true (read_name (&f->tpm, DPS_TPM_HANDLE_SRK, &after));
  g_assert_true (tpm_name_equal (&before, &after));
}

static void
test_foreign_ek (Fixture *f, gconstpointer data)
{
  TPM2B_NAME before, after;

  place_key (&f->tpm,
             ESYS_TR_RH_ENDORSEMENT,
             dps_tpm_template_ecc_srk (),
             DPS_TPM_HANDLE_EK,
             NULL,
             &before);
  provision (f);
  g_assert_true (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &after));
  g_assert_true (tpm_name_equal (&before, &after));
}

/* An SRK of tpm2_createprimary, which counts wrong passwords: with one and without, and
 * with the right one, a wrong one and none configured. */
static const struct
{
  const char *password, *configured;
} counting[] = {
  { NULL, NULL },        { NULL, "guess" },      { "secret", NULL },
  { "secret", "guess" }, { "secret", "secret" },
};

static void
test_counting_srk (Fixture *f, gconstpointer data)
{
  static const UINT16 sizes[] = { 0, 256, 5 };

  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (counting); j++)
      {
        TPM2B_PUBLIC template = *dps_tpm_template_rsa_srk ();
        TPM2B_NAME before, after;

        if (i > 0 && j != 3)
          continue;
        tpm_fixture_replace (&f->tpm);
        template.publicArea.objectAttributes &= ~TPMA_OBJECT_NODA;
        template.publicArea.unique.rsa.size = sizes[i];
        place_key (&f->tpm,
                   ESYS_TR_RH_OWNER,
                   &template,
                   DPS_TPM_HANDLE_SRK,
                   counting[j].password,
                   &before);
        g_hash_table_remove_all (f->secrets);
        if (counting[j].configured != NULL)
          set (f->secrets, "srk-auth", counting[j].configured);
        enter (f);
        find_keys (f);
        /* That very key, but for one whose template nobody can guess. */
        g_assert_cmpint (tpm_name_equal (&f->keys.srk.key.name, &before),
                         ==,
                         sizes[i] != 5);
        provision (f);
        g_assert_true (read_name (&f->tpm, DPS_TPM_HANDLE_SRK, &after));
        g_assert_true (tpm_name_equal (&before, &after));
        g_assert_cmpuint (tpm_fixture_failures (&f->tpm), ==, 0);
      }
}

/* The password of an SRK that counts none. */
static void
test_srk_auth (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  TpmKeyBlob stored;

  place_key (&f->tpm,
             ESYS_TR_RH_OWNER,
             dps_tpm_template_rsa_srk (),
             DPS_TPM_HANDLE_SRK,
             "secret",
             NULL);
  assert_fails (f, DPS_TPM_ERROR_SRK_AUTH, "the storage root key wants another password");
  set (f->secrets, "srk-auth", "guess");
  assert_fails (f, DPS_TPM_ERROR_SRK_AUTH, "the storage root key wants another password");
  set (f->secrets, "srk-auth", "secret\n");
  enter (f);
  answer (f, key, &stored);
  tpm_fixture_take_count (&f->tpm);
  sign (f, key, &stored);
  /* One more: the session. */
  g_assert_cmpuint (tpm_fixture_take_count (&f->tpm), ==, 4);
}

static void
test_owner_auth (Fixture *f, gconstpointer data)
{
  TPM2B_NAME name;

  tpm_fixture_set_passwords (&f->tpm, "secret", NULL);
  set (f->secrets, "owner-auth", "guess");
  assert_fails (f, DPS_TPM_ERROR_OWNER_AUTH, "keeping a key at its handle");
  g_hash_table_remove_all (f->secrets);
  /* Not for the endorsement key, but there is no storage root key. */
  assert_fails (f, DPS_TPM_ERROR_OWNER_AUTH, "making a primary key");
  g_assert_nonnull (strstr (f->log->str, "4 the endorsement key can not be kept"));
  g_assert_false (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &name));
  set (f->secrets, "owner-auth", "secret");
  provision (f);
  g_assert_true (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &name));
}

/* With a storage root key in place, a host gets along without the owner's password. */
static void
test_owner_auth_not_needed (Fixture *f, gconstpointer data)
{
  TPM2B_NAME name;

  place_key (&f->tpm,
             ESYS_TR_RH_OWNER,
             dps_tpm_template_rsa_srk (),
             DPS_TPM_HANDLE_SRK,
             NULL,
             NULL);
  tpm_fixture_set_passwords (&f->tpm, "secret", NULL);
  provision (f);
  g_assert_false (read_name (&f->tpm, DPS_TPM_HANDLE_EK, &name));
  g_assert_true (g_str_has_prefix (f->log->str, "4 the endorsement key can not be kept"));
}

static void
test_endorsement_password (Fixture *f, gconstpointer data)
{
  place_keys (&f->tpm);
  tpm_fixture_set_passwords (&f->tpm, NULL, "secret");
  assert_fails (f, DPS_TPM_ERROR_ENDORSEMENT_AUTH, "authorising the endorsement key");
  set (f->secrets, "endorsement-auth", "guess");
  assert_fails (f, DPS_TPM_ERROR_ENDORSEMENT_AUTH, "authorising the endorsement key");
  set (f->secrets, "endorsement-auth", "secret");
  provision (f);
  /* Nothing in place, and both hierarchies have one. */
  tpm_fixture_replace (&f->tpm);
  tpm_fixture_set_passwords (&f->tpm, "other", "secret");
  set (f->secrets, "owner-auth", "other");
  provision (f);
}

/* Where no attempt is allowed, a TPM is always locked out. */
static void
lock_out (Fixture *f)
{
  int fd;
  DpsTpm *tpm = tpm_fixture_open (&f->tpm, &fd);

  g_assert_cmphex (Esys_DictionaryAttackParameters (dps_tpm_get_esys (tpm),
                                                    ESYS_TR_RH_LOCKOUT,
                                                    ESYS_TR_PASSWORD,
                                                    ESYS_TR_NONE,
                                                    ESYS_TR_NONE,
                                                    0,
                                                    1000,
                                                    1000),
                   ==,
                   TSS2_RC_SUCCESS);
  tpm_fixture_close (tpm, &fd);
}

static void
test_lockout (Fixture *f, gconstpointer data)
{
  TPM2B_PUBLIC template = *dps_tpm_template_rsa_srk ();

  template.publicArea.objectAttributes &= ~TPMA_OBJECT_NODA;
  place_key (&f->tpm, ESYS_TR_RH_OWNER, &template, DPS_TPM_HANDLE_SRK, NULL, NULL);
  lock_out (f);
  assert_fails (f, DPS_TPM_ERROR_LOCKOUT, "in dictionary-attack lockout");
}

/* A lockout is no matter to keys that count no passwords. */
static void
test_lockout_aside (Fixture *f, gconstpointer data)
{
  place_keys (&f->tpm);
  lock_out (f);
  provision (f);
}

/* A challenge with one key exchanged for another's, or one bit of a part changed. */
static const struct
{
  const char *name;
  gboolean other_ek, other_srk;
  int part; /* from 1; 0 = none */
  guint at; /* from its size on */
  DpsTpmError code;
  const char *text;
} wrong[] = {
  { "other-ek", TRUE, FALSE, 0, 0, DPS_TPM_ERROR_OTHER_EK, "another endorsement key" },
  { "other-srk", FALSE, TRUE, 0, 0, DPS_TPM_ERROR_OTHER_SRK, "another storage root key" },
  { "other-both", TRUE, TRUE, 0, 0, DPS_TPM_ERROR_OTHER_EK, "another endorsement key" },
  { "hmac", FALSE, FALSE, 1, 10, DPS_TPM_ERROR_CHALLENGE_DAMAGED, "does not fit" },
  { "identity", FALSE, FALSE, 1, 40, DPS_TPM_ERROR_CHALLENGE_DAMAGED, "does not fit" },
  { "secret", FALSE, FALSE, 2, 200, DPS_TPM_ERROR_OTHER_EK, "another endorsement key" },
  { "outer-hmac", FALSE, FALSE, 3, 10, DPS_TPM_ERROR_CHALLENGE_DAMAGED, "importing" },
  { "wrapped", FALSE, FALSE, 3, 100, DPS_TPM_ERROR_CHALLENGE_DAMAGED, "importing" },
  { "seed", FALSE, FALSE, 4, 200, DPS_TPM_ERROR_CHALLENGE_DAMAGED, "importing" },
  { "policy", FALSE, FALSE, 5, 20, DPS_TPM_ERROR_CHALLENGE_DAMAGED, "importing" },
  { "unique", FALSE, FALSE, 5, 70, DPS_TPM_ERROR_CHALLENGE_DAMAGED, "importing" },
};

static void
test_wrong_challenge (Fixture *f, gconstpointer data)
{
  TPM2B_PUBLIC other_ek, other_srk;
  TPM2B_NAME name;

  place_keys (&f->tpm);
  enter (f);
  find_keys (f);
  g_assert_true (tpm_keys_make_other_ek (&f->keys, &other_ek, &name, NULL));
  other_srk = f->keys.ek.key.public; /* any storage key but the right one */
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      guint8 key[EM_TPM_DIGEST_LEN];
      g_autoptr (EmTpmBlob) blob =
          make_challenge (wrong[i].other_ek ? &other_ek : &f->keys.ek.key.public,
                          wrong[i].other_srk ? &other_srk : &f->keys.srk.key.public,
                          key);
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) error = NULL;
      TpmChallenge challenge;
      TpmKeyBlob stored;

      if (wrong[i].part > 0)
        blob->parts[wrong[i].part - 1]->data[wrong[i].at] ^= 1;
      bytes = em_tpm_blob_join (blob);
      g_assert_true (tpm_challenge_parse (g_bytes_get_data (bytes, NULL),
                                          g_bytes_get_size (bytes),
                                          &challenge,
                                          &error));
      g_assert_false (tpm_activate (&f->keys, &challenge, &stored, &error));
      g_test_message ("%s: %s", wrong[i].name, error->message);
      g_assert_error (error, DPS_TPM_ERROR, (gint) wrong[i].code);
      g_assert_nonnull (strstr (error->message, wrong[i].text));
      tpm_fixture_assert_empty_through (f->keys.tpm);
    }
}

static void
assert_signing_fails (Fixture *f, const TpmKeyBlob *stored, DpsTpmError code)
{
  guint8 signature[TPM_SIGNATURE_SIZE];
  g_autoptr (GError) error = NULL;

  enter (f);
  g_assert_false (tpm_sign (&f->keys, stored, NULL, 0, FALSE, signature, &error));
  g_assert_error (error, DPS_TPM_ERROR, (gint) code);
  leave (f);
}

static void
test_cleared (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  TpmKeyBlob stored, legacy;

  place_keys (&f->tpm);
  enter (f);
  answer (f, key, &stored);
  leave (f);
  tpm_fixture_clear (&f->tpm);
  assert_signing_fails (f, &stored, DPS_TPM_ERROR_CLEARED);
  /* Of a host whose endorsement key has another template than the setting says. */
  set (f->settings, "ek-template", "legacy");
  enter (f);
  answer (f, key, &legacy);
  leave (f);
  tpm_fixture_clear (&f->tpm);
  set (f->settings, "ek-template", "standard");
  assert_signing_fails (f, &legacy, DPS_TPM_ERROR_CLEARED);
  assert_signing_fails (f, &stored, DPS_TPM_ERROR_CLEARED);
  /* And it goes on with new keys. */
  provision (f);
}

static void
test_replaced (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  TpmKeyBlob stored;

  enter (f);
  answer (f, key, &stored);
  leave (f);
  tpm_fixture_replace (&f->tpm);
  assert_signing_fails (f, &stored, DPS_TPM_ERROR_REPLACED);
  place_keys (&f->tpm);
  assert_signing_fails (f, &stored, DPS_TPM_ERROR_REPLACED);
}

/* The storage root key went from its handle, or came there. */
static void
test_srk_moves (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  g_autoptr (GError) error = NULL;
  TpmKeyBlob stored;

  enter (f);
  answer (f, key, &stored);
  g_assert_cmpint (stored.parent, ==, TPM_PARENT_TEMPLATE);
  leave (f);
  place_key (&f->tpm,
             ESYS_TR_RH_OWNER,
             dps_tpm_template_rsa_srk (),
             DPS_TPM_HANDLE_SRK,
             NULL,
             NULL);
  enter (f);
  sign (f, key, &stored);
  g_assert_cmpuint (tpm_fixture_take_count (&f->tpm), ==, 4);
}

static void
test_long (Fixture *f, gconstpointer data)
{
  static const gsize sizes[] = { 0, 1, 512, 513, 1024, 1025, 2048, 5000, 16384 };
  g_autofree guint8 *bytes = g_malloc (16384);
  guint8 key[EM_TPM_DIGEST_LEN];
  TpmKeyBlob stored;

  for (gsize i = 0; i < 16384; i++)
    bytes[i] = (guint8) (i * 7);
  place_keys (&f->tpm);
  enter (f);
  answer (f, key, &stored);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      sign_data (f, key, &stored, bytes, sizes[i]);
      tpm_fixture_assert_empty_through (f->keys.tpm);
    }
}

#define SHARED 0x81000100

static void
test_shared_handle (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN], other[EM_TPM_DIGEST_LEN];
  TPM2B_NAME first, second, third;
  g_autoptr (GError) error = NULL;
  TpmKeyBlob stored, newer;

  place_keys (&f->tpm);
  set (f->settings, "persist-handle", "0x81000100");
  enter (f);
  answer (f, key, &stored);
  answer (f, other, &newer);
  leave (f);
  g_assert_false (read_name (&f->tpm, SHARED, &first));
  enter (f);
  sign_data (f, key, &stored, "a", 1);
  leave (f);
  g_assert_true (read_name (&f->tpm, SHARED, &first));
  enter (f);
  sign_data (f, key, &stored, "a", 1);
  /* It is there: one command to see that. */
  g_assert_cmpuint (tpm_fixture_take_count (&f->tpm), ==, 5);
  sign_data (f, other, &newer, "a", 1);
  leave (f);
  g_assert_true (read_name (&f->tpm, SHARED, &second));
  g_assert_false (tpm_name_equal (&first, &second));
  enter (f);
  g_assert_true (tpm_shared_handle_clear (&f->keys, &error));
  g_assert_true (tpm_shared_handle_clear (&f->keys, &error));
  g_assert_no_error (error);
  leave (f);
  g_assert_false (read_name (&f->tpm, SHARED, &third));
}

/* Neither another's key there nor a missing password keeps the agent from signing. */
static void
test_shared_handle_refused (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN];
  g_autoptr (GError) error = NULL;
  TPM2B_NAME before, after;
  TpmKeyBlob stored;

  place_keys (&f->tpm);
  place_key (&f->tpm,
             ESYS_TR_RH_OWNER,
             dps_tpm_template_ecc_srk (),
             SHARED,
             NULL,
             &before);
  set (f->settings, "persist-handle", "0x81000100");
  enter (f);
  answer (f, key, &stored);
  sign (f, key, &stored);
  g_assert_nonnull (strstr (f->log->str, "is no HMAC key and stays there"));
  g_assert_true (tpm_shared_handle_clear (&f->keys, &error));
  leave (f);
  g_assert_true (read_name (&f->tpm, SHARED, &after));
  g_assert_true (tpm_name_equal (&before, &after));
  set (f->settings, "persist-handle", "0x81000101");
  tpm_fixture_set_passwords (&f->tpm, "secret", NULL);
  enter (f);
  sign (f, key, &stored);
  g_assert_nonnull (strstr (f->log->str, "the owner hierarchy wants another password"));
  set (f->secrets, "owner-auth", "secret");
  enter (f);
  sign (f, key, &stored);
  leave (f);
  g_assert_true (read_name (&f->tpm, 0x81000101, &after));
}

/* Objects of somebody else, until no more fit. */
static void
test_memory (Fixture *f, gconstpointer data)
{
  guint8 key[EM_TPM_DIGEST_LEN], signature[TPM_SIGNATURE_SIZE];
  DpsTpmKey others[8] = { { 0 } };
  g_autoptr (GError) full = NULL;
  g_autoptr (GError) error = NULL;
  TpmKeyBlob stored;
  gsize n = 0;

  place_keys (&f->tpm);
  enter (f);
  answer (f, key, &stored);
  while (dps_tpm_create_primary (f->keys.tpm,
                                 ESYS_TR_RH_NULL,
                                 dps_tpm_template_ecc_srk (),
                                 &others[n],
                                 &full))
    g_assert_cmpuint (++n, <, G_N_ELEMENTS (others));
  g_assert_false (tpm_sign (&f->keys, &stored, NULL, 0, FALSE, signature, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_MEMORY);
  while (n > 0)
    dps_tpm_drop_key (f->keys.tpm, &others[--n]);
  sign (f, key, &stored);
}

static void
test_nv_full (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) full = NULL;
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };
  TPM2_HANDLE handle = 0x81000200;

  enter (f);
  g_assert_true (dps_tpm_create_primary (f->keys.tpm,
                                         ESYS_TR_RH_OWNER,
                                         dps_tpm_template_rsa_srk (),
                                         &key,
                                         &error));
  while (dps_tpm_persist (f->keys.tpm, &key, handle++, &full))
    g_assert_cmphex (handle, <, 0x81000300);
  g_assert_error (full, DPS_TPM_ERROR, DPS_TPM_ERROR_NV_FULL);
  dps_tpm_drop_key (f->keys.tpm, &key);
  leave (f);
  /* The endorsement key is made again each time, then. */
  provision (f);
}

/* The power goes at every command of an activation: the next process answers. */
static void
test_lost (Fixture *f, gconstpointer data)
{
  place_keys (&f->tpm);
  for (guint n = 1; n <= 5; n++)
    {
      guint8 key[EM_TPM_DIGEST_LEN];
      g_autoptr (GError) error = NULL;
      TpmChallenge challenge;
      TpmKeyBlob stored;

      enter (f);
      find_keys (f);
      challenge_for (f, key, &challenge);
      tpm_fixture_kill_at (&f->tpm, n, FALSE);
      g_assert_false (tpm_activate (&f->keys, &challenge, &stored, &error));
      g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_LOST);
      tpm_keys_close (&f->keys);
      dps_close_fd (&f->fd);
      tpm_fixture_restart (&f->tpm);
    }
  provision (f);
}

/* Nothing of the inner key stays in the process, whether or not it lives on. */
static void
test_inner_key (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  TpmChallenge challenge;
  TpmKeyBlob stored;
  Masked inner_key;

  enter (f);
  find_keys (f);
  bytes =
      make_challenge_apart (&f->keys.ek.key.public, &f->keys.srk.key.public, &inner_key);
  g_assert_true (tpm_challenge_parse (g_bytes_get_data (bytes, NULL),
                                      g_bytes_get_size (bytes),
                                      &challenge,
                                      &error));
  g_assert_no_error (error);
  g_assert_cmpuint (masked_count (&inner_key), ==, 0);
  g_assert_true (tpm_activate (&f->keys, &challenge, &stored, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (masked_count (&inner_key), ==, 0);
  leave (f);
  g_assert_cmpuint (masked_count (&inner_key), ==, 0);
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/tpm/attest/keys-in-place", test_in_place);
  ADD ("/tpm/attest/empty-tpm", test_empty);
  ADD ("/tpm/attest/nothing-kept", test_nothing_kept);
  ADD ("/tpm/attest/legacy-template", test_legacy);
  ADD ("/tpm/attest/other-template", test_other_ek);
  ADD ("/tpm/attest/ecc-srk", test_ecc_srk);
  ADD ("/tpm/attest/foreign-ek", test_foreign_ek);
  ADD ("/tpm/attest/srk-that-counts", test_counting_srk);
  ADD ("/tpm/attest/srk-auth", test_srk_auth);
  ADD ("/tpm/attest/owner-auth", test_owner_auth);
  ADD ("/tpm/attest/owner-auth-not-needed", test_owner_auth_not_needed);
  ADD ("/tpm/attest/endorsement-auth", test_endorsement_password);
  ADD ("/tpm/attest/lockout", test_lockout);
  ADD ("/tpm/attest/lockout-aside", test_lockout_aside);
  ADD ("/tpm/attest/wrong-challenge", test_wrong_challenge);
  ADD ("/tpm/attest/cleared", test_cleared);
  ADD ("/tpm/attest/replaced", test_replaced);
  ADD ("/tpm/attest/srk-moves", test_srk_moves);
  ADD ("/tpm/attest/long-data", test_long);
  ADD ("/tpm/attest/shared-handle", test_shared_handle);
  ADD ("/tpm/attest/shared-handle-refused", test_shared_handle_refused);
  ADD ("/tpm/attest/memory", test_memory);
  ADD ("/tpm/attest/nv-full", test_nv_full);
  ADD ("/tpm/attest/lost", test_lost);
  ADD ("/tpm/attest/inner-key-is-wiped", test_inner_key);
  return g_test_run ();
}
