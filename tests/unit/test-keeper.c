/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-keeper.h"
#include "test-sealer.h"
#include "test-store-fixture.h"
#include "tpm/dps-tpm-error.h"

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

static DpsSealer *current;

static DpsSealer *
make_current (const char *tcti, DpsSecret *owner_auth, DpsSecret *srk_auth)
{
  g_assert_cmpstr (tcti, ==, "device:/dev/tpmrm0");
  g_assert_null (owner_auth);
  g_assert_null (srk_auth);
  return g_object_ref (current);
}

/* A keeper of the fixture's store on that machine, whose TPM is behind sealer. */
static DpsKeeper *
open_keeper (StoreFixture *f, DpsSealer *sealer, const char *machine)
{
  current = sealer;
  return dps_keeper_new (f->path, make_current, machine);
}

static void
await_load (DpsKeeper *keeper, GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (dps_keeper_load_finish (keeper, *result),
                   ==,
                   dps_keeper_get_failure (keeper) == NULL);
  g_assert_false (dps_keeper_is_loading (keeper));
}

static void
load (DpsKeeper *keeper)
{
  g_autoptr (GAsyncResult) result = NULL;

  dps_keeper_load_async (keeper, DPS_OPENING_READ, on_done, &result);
  await_load (keeper, &result);
}

/* The worker lets go of a keeper, and so of its lock, a moment after its task is done. */
static void
drop (DpsKeeper *keeper)
{
  gpointer weak = keeper;

  g_object_add_weak_pointer (G_OBJECT (keeper), &weak);
  g_object_unref (keeper);
  while (g_atomic_pointer_get (&weak) != NULL)
    g_usleep (1000);
}

static void
test_round_trip (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsKeeper) keeper = open_keeper (f, f->sealer, NULL);
  g_autoptr (DpsKeeper) again = NULL;
  g_autoptr (GError) error = NULL;

  store_fixture_close (f);
  load (keeper);
  g_assert_null (dps_keeper_get_failure (keeper));
  g_assert_null (dps_keeper_get_identity (keeper));
  g_assert_true (put (keeper, &error));
  g_assert_no_error (error);

  drop (g_steal_pointer (&keeper));
  again = open_keeper (f, f->sealer, NULL);
  load (again);
  g_assert_true (dps_keeper_is_readable (again, &error));
  g_assert_cmpstr (dps_keeper_get_identity (again)->device_id, ==, "edge-host-0001");
}

/* What a token has refused outlives the agent, and a change of what is beside it. */
static void
test_refusal (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsKeeper) keeper = open_keeper (f, f->sealer, NULL);
  g_autoptr (DpsKeeper) again = NULL;
  g_autoptr (DpsSecret) refusal = dps_secret_new ("refused", 7);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  store_fixture_close (f);
  load (keeper);
  g_assert_null (dps_keeper_get_refusal (keeper));
  dps_keeper_put_refusal_async (keeper, refusal, on_done, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (dps_keeper_finish (keeper, result, &error));
  g_assert_no_error (error);
  g_clear_object (&result);
  g_assert_true (put (keeper, &error));

  drop (g_steal_pointer (&keeper));
  again = open_keeper (f, f->sealer, NULL);
  load (again);
  g_assert_true (dps_secret_equal (dps_keeper_get_refusal (again), refusal));
  g_assert_nonnull (dps_keeper_get_identity (again));
}

/* It authenticates, and its content is none that this version knows: what a newer one may
 * have written, which the store alone cannot tell. */
static void
test_unreadable (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsKeeper) keeper = open_keeper (f, f->sealer, NULL);
  g_autoptr (GError) error = NULL;

  store_fixture_commit (f, "of another kind");
  store_fixture_close (f);
  load (keeper);
  g_assert_nonnull (dps_keeper_get_failure (keeper));
  g_assert_false (put (keeper, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  g_assert_false (dps_keeper_is_busy (keeper));
  drop (g_steal_pointer (&keeper));
  store_fixture_open (f);
  store_fixture_assert_load (f, "of another kind", 1, TRUE);
}

static gboolean
count_turn (gpointer data)
{
  ++*(guint *) data;
  return G_SOURCE_CONTINUE;
}

/* What seals the store does not respond: the main loop turns on, what needs the store is
 * refused at once, and all goes on when it responds after all. */
static void
test_stuck (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) sealer = test_sealer_new ();
  g_autoptr (GAsyncQueue) gate = g_async_queue_new ();
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  DpsKeeper *keeper = open_keeper (f, sealer, NULL);
  guint turns = 0, source;

  store_fixture_close (f);
  load (keeper);
  g_assert_true (put (keeper, &error));
  drop (keeper);

  TEST_SEALER (sealer)->gate = gate;
  keeper = open_keeper (f, sealer, NULL);
  dps_keeper_load_async (keeper, DPS_OPENING_READ, on_done, &result);
  source = g_idle_add (count_turn, &turns);
  while (turns < 1000)
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);
  g_assert_null (result);
  g_assert_true (dps_keeper_is_loading (keeper));
  g_assert_false (dps_keeper_is_loaded (keeper));
  g_assert_null (dps_keeper_get_identity (keeper));
  g_assert_cmpstr (dps_keeper_get_protection (keeper), ==, "none");
  g_assert_false (put (keeper, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_BUSY);

  g_async_queue_push (gate, gate);
  await_load (keeper, &result);
  g_assert_cmpstr (dps_keeper_get_identity (keeper)->device_id, ==, "edge-host-0001");
  g_assert_cmpstr (dps_keeper_get_protection (keeper), ==, "tpm2+host");
  g_clear_object (&result);
  drop (keeper);
}

/* What stands in for machines: their ids as dps_machine_dup_id() gives them. */
#define THIS "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

/* A keeper of its own on that machine; whether it serves what is stored. */
static gboolean
serves_on (StoreFixture *f, const char *machine, DpsFailureKind *kind)
{
  DpsKeeper *keeper = open_keeper (f, f->sealer, machine);
  gboolean serves;

  load (keeper);
  serves = dps_keeper_get_identity (keeper) != NULL;
  *kind = dps_keeper_get_failure (keeper) ? dps_keeper_get_failure (keeper)->kind
                                          : DPS_FAILURE_NONE;
  g_assert_true (serves == dps_keeper_is_readable (keeper, NULL));
  drop (keeper);
  return serves;
}

static void
put_on (StoreFixture *f, const char *machine)
{
  DpsKeeper *keeper = open_keeper (f, f->sealer, machine);
  g_autoptr (GError) error = NULL;

  load (keeper);
  g_assert_true (put (keeper, &error));
  drop (keeper);
}

static void
test_clone (StoreFixture *f, gconstpointer data)
{
  DpsKeeper *clone;
  DpsFailureKind kind;
  g_autoptr (GError) error = NULL;

  store_fixture_close (f);
  put_on (f, NULL);
  /* Of a version before: whoever has it, it is theirs, and the next change says so. */
  g_assert_true (serves_on (f, THIS, &kind));
  g_assert_true (serves_on (f, OTHER, &kind));
  put_on (f, THIS);
  g_assert_true (serves_on (f, THIS, &kind));
  g_assert_false (serves_on (f, OTHER, &kind));
  g_assert_cmpint (kind, ==, DPS_FAILURE_STORE_CLONE);
  /* Nobody can tell there. */
  g_assert_true (serves_on (f, NULL, &kind));

  clone = open_keeper (f, f->sealer, OTHER);
  load (clone);
  g_assert_false (put (clone, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  drop (clone);
  g_assert_true (serves_on (f, THIS, &kind));
}

/* A TPM ties the store to its machine better than an id does. */
static void
test_sealed_elsewhere (StoreFixture *f, gconstpointer data)
{
  DpsFailureKind kind;

  store_fixture_close (f);
  g_clear_object (&f->sealer);
  f->sealer = test_sealer_new ();
  put_on (f, THIS);
  g_assert_true (serves_on (f, OTHER, &kind));
}

/* --- levels ------------------------------------------------------------------------- */

typedef struct
{
  TestSealer *tpm;
  DpsKeeper *keeper;
} Levels;

static void
levels_open (Levels *l, StoreFixture *f, int tpm_fails_with)
{
  if (l->tpm == NULL)
    {
      store_fixture_close (f);
      l->tpm = TEST_SEALER (test_sealer_new ());
    }
  l->tpm->tpm_fails_with = tpm_fails_with;
  l->keeper = open_keeper (f, DPS_SEALER (l->tpm), THIS);
  load (l->keeper);
}

static void
levels_close (Levels *l)
{
  drop (g_steal_pointer (&l->keeper));
}

static void
levels_clear (Levels *l)
{
  levels_close (l);
  g_object_unref (l->tpm);
}

static void
assert_serves (Levels *l, const char *protection)
{
  g_assert_null (dps_keeper_get_failure (l->keeper));
  g_assert_nonnull (dps_keeper_get_identity (l->keeper));
  g_assert_cmpstr (dps_keeper_get_protection (l->keeper), ==, protection);
}

static void
assert_fails (Levels *l, DpsFailureKind kind, const char *text)
{
  DpsFailure *failure = dps_keeper_get_failure (l->keeper);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (failure);
  g_assert_cmpint (failure->kind, ==, kind);
  g_assert_nonnull (strstr (failure->detail, text));
  g_assert_null (dps_keeper_get_identity (l->keeper));
  g_assert_false (put (l->keeper, &error));
}

static void
test_level_rises (StoreFixture *f, gconstpointer data)
{
  Levels l = { 0 };
  g_autoptr (GError) error = NULL;

  levels_open (&l, f, DPS_TPM_ERROR_NO_DEVICE);
  g_assert_true (put (l.keeper, &error));
  g_assert_true (put (l.keeper, &error));
  assert_serves (&l, "host");
  store_fixture_assert_names (f, NULL, "gen-00000001 gen-00000002 host.share lock");
  levels_close (&l);

  /* The TPM appears: what was stored is sealed, and is nowhere without it any more. */
  levels_open (&l, f, -1);
  assert_serves (&l, "tpm2+host");
  store_fixture_assert_names (f, NULL, "gen-00000003 host.share lock seal.v1");
  levels_clear (&l);
}

static void
test_level_rises_while_running (StoreFixture *f, gconstpointer data)
{
  Levels l = { 0 };
  g_autoptr (GError) error = NULL;

  levels_open (&l, f, DPS_TPM_ERROR_NO_DEVICE);
  g_assert_true (put (l.keeper, &error));
  g_assert_true (dps_keeper_may_rise (l.keeper));
  l.tpm->tpm_fails_with = -1;
  load (l.keeper);
  assert_serves (&l, "tpm2+host");
  g_assert_false (dps_keeper_may_rise (l.keeper));
  levels_clear (&l);
}

static void
test_level_does_not_sink (StoreFixture *f, gconstpointer data)
{
  Levels l = { 0 };
  g_autoptr (GError) error = NULL;

  levels_open (&l, f, -1);
  g_assert_true (put (l.keeper, &error));
  l.tpm->tpm_fails_with = DPS_TPM_ERROR_LOST;
  g_assert_false (put (l.keeper, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  g_assert_true (g_str_has_prefix (error->message, "DPS-E605 "));
  g_assert_nonnull (strstr (error->message, "what the TPM says"));
  assert_serves (&l, "tpm2+host");
  levels_close (&l);

  levels_open (&l, f, DPS_TPM_ERROR_NO_DEVICE);
  assert_fails (&l, DPS_FAILURE_STORE_SEALED, "what the TPM says");
  store_fixture_assert_names (f, NULL, "gen-00000001 host.share lock seal.v1");
  l.tpm->tpm_fails_with = -1;
  load (l.keeper);
  assert_serves (&l, "tpm2+host");
  levels_clear (&l);
}

/* Neither is a copy of a disk: whoever reads this has to be told of both. */
static void
test_other_tpm (StoreFixture *f, gconstpointer data)
{
  static const int codes[] = { DPS_TPM_ERROR_CLEARED, DPS_TPM_ERROR_REPLACED };
  Levels l = { 0 };
  g_autoptr (GError) error = NULL;

  levels_open (&l, f, -1);
  g_assert_true (put (l.keeper, &error));
  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      levels_close (&l);
      levels_open (&l, f, codes[i]);
      assert_fails (&l, DPS_FAILURE_STORE_CLONE, "TPM was cleared or its board replaced");
      g_assert_false (dps_keeper_take_started_over (l.keeper));
      store_fixture_assert_names (f, NULL, "gen-00000001 host.share lock seal.v1");
    }
  levels_clear (&l);
}

/* A TPM that is there and cannot seal is none, as long as it has sealed nothing. */
static void
test_useless_tpm (StoreFixture *f, gconstpointer data)
{
  Levels l = { 0 };
  g_autoptr (GError) error = NULL;

  levels_open (&l, f, DPS_TPM_ERROR_OWNER_AUTH);
  g_assert_true (put (l.keeper, &error));
  assert_serves (&l, "host");
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 1);
  g_assert_true (put (l.keeper, &error));
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
  levels_clear (&l);
}

static void
on_reset (GObject *source, GAsyncResult *result, gpointer data)
{
  g_assert_true (dps_keeper_finish (DPS_KEEPER (source), result, NULL));
  *(gboolean *) data = TRUE;
}

static void
test_clone_is_reset (StoreFixture *f, gconstpointer data)
{
  DpsKeeper *clone;
  DpsFailureKind kind;
  gboolean done = FALSE;
  g_autoptr (GError) error = NULL;

  store_fixture_close (f);
  put_on (f, THIS);
  clone = open_keeper (f, f->sealer, OTHER);
  load (clone);
  g_assert_nonnull (dps_keeper_get_failure (clone));
  dps_keeper_reset_async (clone, on_reset, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (dps_keeper_get_failure (clone));
  g_assert_true (put (clone, &error));
  drop (clone);
  g_assert_true (serves_on (f, OTHER, &kind));
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
  ADD ("/keeper/refusal", test_refusal);
  ADD ("/keeper/stuck-sealer-leaves-the-main-loop-alone", test_stuck);
  ADD ("/keeper/copy-on-another-machine-is-not-served", test_clone);
  ADD ("/keeper/copy-is-this-machine-s-after-a-reset", test_clone_is_reset);
  ADD ("/keeper/machine-id-does-not-count-where-a-tpm-seals", test_sealed_elsewhere);
  ADD ("/keeper/level/rises-when-a-tpm-appears", test_level_rises);
  ADD ("/keeper/level/rises-while-running", test_level_rises_while_running);
  ADD ("/keeper/level/does-not-sink", test_level_does_not_sink);
  ADD ("/keeper/level/of-another-tpm", test_other_tpm);
  ADD ("/keeper/level/tpm-that-cannot-seal", test_useless_tpm);
  ADD ("/keeper/unreadable-is-not-overwritten", test_unreadable);
  return g_test_run ();
}
