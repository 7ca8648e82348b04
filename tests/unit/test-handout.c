/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-credential.h"
#include "core/dps-handout.h"
#include "test-store-fixture.h"

#include <string.h>

/* A token is of the identity in force when it comes, however long signing took. Here it
 * begins at the last moment of the identity before: its successor is on disk. */

static DpsSealer *current;

static DpsSealer *
make_current (const char *tcti, DpsSecret *owner_auth, DpsSecret *srk_auth)
{
  return g_object_ref (current);
}

static DpsIdentity *
make_identity (const char *device_id)
{
  DpsIdentity *identity = dps_identity_new ();

  identity->hub = g_strdup ("contoso-hub.azure-devices.net");
  identity->device_id = g_strdup (device_id);
  identity->registration_id = g_strdup (device_id);
  identity->attestation = g_strdup ("symmetric-key");
  identity->config_digest = g_strdup ("digest");
  identity->shape = DPS_SHAPE_KEY;
  identity->key = dps_secret_new ("0123456789abcdef", 16);
  return identity;
}

static void
on_done (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static GAsyncResult *
await (GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return *result;
}

typedef struct
{
  StoreFixture store; /* first: its set_up and tear_down take it */
  DpsSettings *settings;
  DpsReport *report;
  DpsSigner *signer;
  DpsKeeper *keeper;
} Fixture;

static void
put (Fixture *f, const char *device_id)
{
  g_autoptr (DpsIdentity) identity = make_identity (device_id);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  dps_keeper_put_identity_async (f->keeper, identity, on_done, &result);
  g_assert_true (dps_keeper_finish (f->keeper, await (&result), &error));
  g_assert_no_error (error);
}

static char *
finish_token (GAsyncResult **result, GError **error)
{
  guint64 expires = 0;
  char *token = dps_handout_token_finish (await (result), &expires, error);

  g_clear_object (result);
  g_assert_cmpint (expires != 0, ==, token != NULL);
  return token;
}

static void
ask (Fixture *f, GAsyncResult **result)
{
  dps_handout_token_async (f->keeper,
                           f->report,
                           f->signer,
                           "device",
                           600,
                           on_done,
                           result);
}

static void
assert_token_of (char *token, const char *device_id)
{
  g_autofree char *part = g_strdup_printf ("%%2Fdevices%%2F%s&", device_id);

  g_assert_nonnull (strstr (token, part));
  dps_credential_free_token (token);
}

/* One that begins while the keeper's change is on disk and not yet in force. */
static char *
ask_during (Fixture *f, GAsyncResult *change, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) local = NULL;

  ask (f, &result);
  g_assert_true (dps_keeper_finish (f->keeper, change, &local));
  g_assert_no_error (local);
  g_assert_null (result);
  return finish_token (&result, error);
}

static void
test_reset (Fixture *f, gconstpointer data)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  put (f, "gw-1");
  ask (f, &result);
  assert_token_of (finish_token (&result, &error), "gw-1");
  dps_keeper_reset_async (f->keeper, on_done, &result);
  g_assert_null (ask_during (f, await (&result), &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED);
}

/* The same for signatures: the answer is about what is in force when it comes. */
static void
test_reset_signature (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) digest = g_bytes_new_static ("0123456789abcdef0123456789abcdef", 32);
  g_autoptr (GAsyncResult) change = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  put (f, "gw-1");
  dps_keeper_reset_async (f->keeper, on_done, &change);
  await (&change);
  dps_handout_signature_async (f->keeper,
                               f->report,
                               f->signer,
                               "ECDSA-SHA256",
                               digest,
                               on_done,
                               &result);
  g_assert_true (dps_keeper_finish (f->keeper, change, &error));
  g_assert_null (result);
  g_assert_null (dps_handout_signature_finish (await (&result), &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED);
}

static void
test_successor (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsIdentity) second = make_identity ("gw-2");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  put (f, "gw-1");
  dps_keeper_put_identity_async (f->keeper, second, on_done, &result);
  assert_token_of (ask_during (f, await (&result), &error), "gw-2");
  g_assert_no_error (error);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  const DpsConfigPaths paths = { .config_dir = "/no/configuration" };

  store_fixture_set_up (&f->store, data);
  f->settings = dps_settings_new (&paths, "/no/host", "/no/plugins");
  f->report = dps_report_new ();
  f->signer = dps_signer_new (f->settings);
  current = f->store.sealer;
  store_fixture_close (&f->store);
  f->keeper = dps_keeper_new (f->store.path, make_current, NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  gpointer weak = f->keeper;

  g_object_add_weak_pointer (G_OBJECT (f->keeper), &weak);
  g_object_unref (f->keeper);
  while (g_atomic_pointer_get (&weak) != NULL)
    g_usleep (1000);
  g_object_unref (f->signer);
  g_object_unref (f->report);
  g_object_unref (f->settings);
  store_fixture_tear_down (&f->store, data);
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  ADD ("/handout/not-of-what-a-reset-ended", test_reset);
  ADD ("/handout/no-signature-of-what-a-reset-ended", test_reset_signature);
  ADD ("/handout/of-the-successor", test_successor);
  return g_test_run ();
}
