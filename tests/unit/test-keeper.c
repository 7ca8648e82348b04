/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-keeper.h"
#include "store/dps-host-sealer.h"
#include "test-store-fixture.h"

#include <string.h>

static void
on_done (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static gboolean
put (DpsKeeper *keeper, GError **error)
{
  g_autoptr (DpsIdentity) identity = dps_identity_new ();
  g_autoptr (GAsyncResult) result = NULL;

  identity->hub = g_strdup ("contoso-hub.azure-devices.net");
  identity->device_id = g_strdup ("edge-host-0001");
  identity->registration_id = g_strdup ("edge-host-0001");
  identity->attestation = g_strdup ("symmetric-key");
  identity->config_digest = g_strdup ("digest");
  identity->shape = DPS_SHAPE_KEY;
  identity->key = dps_secret_new ("0123456789abcdef", 16);
  dps_keeper_put_identity_async (keeper, identity, on_done, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return dps_keeper_finish (keeper, result, error);
}

static void
test_round_trip (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsKeeper) keeper = dps_keeper_new (f->path, f->sealer);
  g_autoptr (DpsKeeper) again = NULL;
  g_autoptr (GError) error = NULL;

  store_fixture_close (f);
  dps_keeper_load (keeper);
  g_assert_null (dps_keeper_get_failure (keeper));
  g_assert_null (dps_keeper_get_identity (keeper));
  g_assert_true (put (keeper, &error));
  g_assert_no_error (error);

  g_clear_object (&keeper);
  again = dps_keeper_new (f->path, f->sealer);
  dps_keeper_load (again);
  /* The worker lets go of the first, and so of its lock, a moment after its task is done.
   */
  while (!dps_keeper_is_readable (again, NULL))
    g_usleep (1000);
  g_assert_cmpstr (dps_keeper_get_identity (again)->device_id, ==, "edge-host-0001");
}

/* It authenticates, and its content is none that this version knows: what a newer one may
 * have written, which the store alone cannot tell. */
static void
test_unreadable (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsKeeper) keeper = dps_keeper_new (f->path, f->sealer);
  g_autoptr (GError) error = NULL;

  store_fixture_commit (f, "of another kind");
  store_fixture_close (f);
  dps_keeper_load (keeper);
  g_assert_nonnull (dps_keeper_get_failure (keeper));
  g_assert_false (put (keeper, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  g_assert_false (dps_keeper_is_busy (keeper));
  g_clear_object (&keeper);
  store_fixture_open (f);
  store_fixture_assert_load (f, "of another kind", 1, TRUE);
}

#define ADD(path, test)                                                                  \
  g_test_add (path,                                                                      \
              StoreFixture,                                                              \
              NULL,                                                                      \
              store_fixture_set_up,                                                      \
              test,                                                                      \
              store_fixture_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  ADD ("/keeper/round-trip", test_round_trip);
  ADD ("/keeper/unreadable-is-not-overwritten", test_unreadable);
  return g_test_run ();
}
