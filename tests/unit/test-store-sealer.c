/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-durable.h"
#include "store/dps-host-share.h"
#include "test-store-fixture.h"

#include <string.h>

/* A sealer of the higher level, as the interface wants one: T stands in the clear in
 * seal.v1, and it can be made to fail as a TPM does. */
#define TEST_TYPE_SEALER (test_sealer_get_type ())
G_DECLARE_FINAL_TYPE (TestSealer, test_sealer, TEST, SEALER, GObject)

struct _TestSealer
{
  GObject parent_instance;
  gint fails_with; /* a DpsError, -1 = works */
  guint calls;
  guint garbled_call;  /* the call of unseal that gives another T, 0 = none */
  const char *planted; /* a file that appears at the first call, NULL = none */
};

static void test_sealer_iface_init (DpsSealerInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (TestSealer,
                               test_sealer,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (DPS_TYPE_SEALER,
                                                      test_sealer_iface_init))

static DpsProtection
test_sealer_get_protection (DpsSealer *sealer)
{
  return DPS_PROTECTION_TPM2_HOST;
}

static gboolean
test_sealer_seal (DpsSealer *sealer, int dir_fd, guint32 held, GError **error)
{
  g_autoptr (GError) local = NULL;
  guint8 t[32];

  memset (t, 't', sizeof t);
  if (!dps_host_share_ensure (dir_fd, held != 0, error))
    return FALSE;
  if (held & (DPS_PROTECTION_BIT (DPS_PROTECTION_TPM2_HOST) | DPS_PROTECTION_BIT_UNKNOWN))
    return TRUE;
  return dps_durable_create (dir_fd, "seal.v1", t, sizeof t, &local) ||
         g_error_matches (local, G_IO_ERROR, G_IO_ERROR_EXISTS);
}

static DpsSecret *
test_sealer_unseal (DpsSealer *sealer, int dir_fd, guint32 protection, GError **error)
{
  TestSealer *self = TEST_SEALER (sealer);
  g_autoptr (DpsSecret) share = NULL;
  DpsSecret *ikm;

  if (self->fails_with >= 0)
    {
      g_set_error (error, DPS_ERROR, self->fails_with, "the TPM went away");
      return NULL;
    }
  self->calls++;
  if (self->planted != NULL && self->calls == 1)
    dps_durable_create (dir_fd, self->planted, "foreign", 7, NULL);
  share = dps_host_share_load (dir_fd, error);
  if (share == NULL || protection == DPS_PROTECTION_HOST)
    return g_steal_pointer (&share);
  ikm = dps_secret_new_empty (64);
  memset (dps_secret_edit (ikm), self->calls == self->garbled_call ? 'g' : 't', 32);
  memcpy (dps_secret_edit (ikm) + 32, dps_secret_data (share), 32);
  return ikm;
}

static gboolean
test_sealer_forget (DpsSealer *sealer, int dir_fd, GError **error)
{
  return dps_durable_remove (dir_fd, DPS_HOST_SHARE_NAME, error) &&
         dps_durable_remove (dir_fd, "seal.v1", error);
}

static void
test_sealer_iface_init (DpsSealerInterface *iface)
{
  iface->get_protection = test_sealer_get_protection;
  iface->seal = test_sealer_seal;
  iface->unseal = test_sealer_unseal;
  iface->forget = test_sealer_forget;
}

static void
test_sealer_class_init (TestSealerClass *class)
{
}

static void
test_sealer_init (TestSealer *self)
{
  self->fails_with = -1;
}

/* Goes on with another sealer, as after a restart; the one before is the caller's. */
static DpsSealer *
swap_sealer (StoreFixture *f, DpsSealer *sealer)
{
  DpsSealer *before = f->sealer;

  f->sealer = sealer;
  store_fixture_reopen (f);
  return before;
}

static void
test_rises (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host = NULL;

  store_fixture_commit (f, "at host");
  host = swap_sealer (f, g_object_new (TEST_TYPE_SEALER, NULL));
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "tpm2+host");
  store_fixture_assert_load (f, "at host", 1, TRUE);
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "host");
  store_fixture_commit (f, "risen");
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "tpm2+host");
  store_fixture_assert_load (f, "risen", 2, TRUE);
  store_fixture_assert_names (f,
                              ".",
                              "gen-00000001 gen-00000002 host.share lock seal.v1");
}

static void
test_never_falls (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host =
      swap_sealer (f, DPS_SEALER (g_object_new (TEST_TYPE_SEALER, NULL)));
  g_autoptr (DpsSealer) tpm = NULL;

  store_fixture_commit (f, "sealed");
  tpm = swap_sealer (f, g_object_ref (host));
  store_fixture_assert_load_fails (f, DPS_ERROR_NOT_SUPPORTED, "'tpm2+host'");
  store_fixture_assert_commit_fails (f, DPS_ERROR_NOT_SUPPORTED);
  store_fixture_assert_names (f, ".", "gen-00000001 host.share lock seal.v1");
  g_assert_true (dps_store_reset (f->store, NULL));
  store_fixture_assert_names (f, ".", "lock");
  store_fixture_commit (f, "by choice");
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "host");
}

/* A sealer's failure, under whatever code, is no verdict on the files. */
static void
test_failure_moves_nothing (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host =
      swap_sealer (f, DPS_SEALER (g_object_new (TEST_TYPE_SEALER, NULL)));
  TestSealer *sealer = TEST_SEALER (f->sealer);

  store_fixture_commit (f, "one");
  store_fixture_commit (f, "two");
  for (gint code = 0; code < DPS_N_ERRORS; code++)
    {
      DpsError seen = code == DPS_ERROR_REJECTED ? DPS_ERROR_FAILED : (DpsError) code;

      sealer->fails_with = code;
      store_fixture_assert_load_fails (f, seen, "the TPM went away");
      store_fixture_assert_commit_fails (f, seen);
    }
  sealer->fails_with = -1;
  store_fixture_assert_load (f, "two", 2, TRUE);
  store_fixture_assert_names (f,
                              ".",
                              "gen-00000001 gen-00000002 host.share lock seal.v1");
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
}

/* A generation that does not come back as it was written is taken away again. */
static void
test_read_back (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host =
      swap_sealer (f, DPS_SEALER (g_object_new (TEST_TYPE_SEALER, NULL)));
  TestSealer *sealer = TEST_SEALER (f->sealer);

  store_fixture_commit (f, "kept");
  sealer->calls = 0;
  sealer->garbled_call = 3; /* after those that survey and seal */
  store_fixture_assert_commit_fails (f, DPS_ERROR_FAILED);
  g_assert_cmpuint (sealer->calls, ==, 3);
  store_fixture_assert_names (f, ".", "gen-00000001 host.share lock seal.v1");
  store_fixture_assert_load (f, "kept", 1, TRUE);
}

/* A number that is taken at the last moment is left to who took it. */
static void
test_taken_number (StoreFixture *f, gconstpointer data)
{
  g_autoptr (DpsSealer) host =
      swap_sealer (f, DPS_SEALER (g_object_new (TEST_TYPE_SEALER, NULL)));
  g_autoptr (GBytes) foreign = NULL;

  TEST_SEALER (f->sealer)->planted = "gen-00000001";
  store_fixture_commit (f, "next");
  foreign = store_fixture_read (f, "gen-00000001");
  g_assert_cmpmem (g_bytes_get_data (foreign, NULL),
                   g_bytes_get_size (foreign),
                   "foreign",
                   7);
  store_fixture_assert_load (f, "next", 2, TRUE);
  store_fixture_assert_names (f, "quarantine", "gen-00000001");
}

static void
add (const char *path, void (*test) (StoreFixture *, gconstpointer))
{
  g_test_add (path,
              StoreFixture,
              NULL,
              store_fixture_set_up,
              test,
              store_fixture_tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/store/sealer/rises", test_rises);
  add ("/store/sealer/never-falls", test_never_falls);
  add ("/store/sealer/failure-moves-nothing", test_failure_moves_nothing);
  add ("/store/sealer/read-back", test_read_back);
  add ("/store/sealer/taken-number", test_taken_number);
  return g_test_run ();
}
