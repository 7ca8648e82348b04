/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-vault.h"
#include "test-store-fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Stores as each released format wrote them, loaded by today's code. The files are for
 * ever: tests/data/store/v1/README.md. */

#define ROOT "data/store/v1"
#define OLD_HUB "old-hub.azure-devices.net"
#define NEW_HUB "new-hub.azure-devices.net"
#define IMPORTED "Z29sZGVuIGltcG9ydGVkIGtleSwgNDggYnl0ZXMgb2YgcGxhaW4gdGV4dCwgb2s="

static const struct
{
  const char *name;
  const char *sha256;
} files[] = {
  { "intent/gen-00000001",
    "7aad2aed5f27f5854626263479dd1034e78070b2e54090a16ad3d48415e73c3a" },
  { "intent/host.share",
    "00e988677eecf94c0bb9233371c7c0d6f4db8ebdcdecb7c5ebaa666f17249227" },
  { "intent/intent", "14da3137d387bda4a741732d359dd3818d545760e3fc00419f7d3b2249025e1f" },
  { "intent/lock", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
  { "newer/gen-00000001",
    "08021dfcdde4573ca087662ea9bcffd1132d9221814b6b0e347ebb2076d08d82" },
  { "newer/gen-00000002",
    "c7d70da86eb2a2a9264a67ed666389fd11ae6959f84b82e1c6bd400a478aeebc" },
  { "newer/host.share",
    "00e988677eecf94c0bb9233371c7c0d6f4db8ebdcdecb7c5ebaa666f17249227" },
  { "newer/lock", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
  { "one/gen-00000001",
    "79f629acc6b3e01745bfb5a74d41398ab982704c5c05995b5eb02546918f18a6" },
  { "one/host.share",
    "00e988677eecf94c0bb9233371c7c0d6f4db8ebdcdecb7c5ebaa666f17249227" },
  { "one/lock", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
  { "quarantined/gen-00000001",
    "1734dfa0283cab48a477b04f48945ee7b86aa675a3bee92844368e29da47e9ae" },
  { "quarantined/gen-00000002",
    "e79b069a7ef4428b74e66888cf343c610ed3ab7c88daaa5e23cc069c2e058590" },
  { "quarantined/host.share",
    "00e988677eecf94c0bb9233371c7c0d6f4db8ebdcdecb7c5ebaa666f17249227" },
  { "quarantined/lock",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
  { "quarantined/quarantine/gen-00000003",
    "87ea15e7b168a04cba27d80a864cf5c3e63bf663826db13a0e270c9e5411c3aa" },
  { "two/gen-00000001",
    "ee43f2f0c5c2db271d50364b1c107f9c7942d0497146ad351280ab393cd2e3cd" },
  { "two/gen-00000002",
    "c53f690beca660edc231b691413845e799c2cf79df65151819d4c8c5c1fb5e31" },
  { "two/host.share",
    "00e988677eecf94c0bb9233371c7c0d6f4db8ebdcdecb7c5ebaa666f17249227" },
  { "two/lock", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
};

static char *
path_of (const char *name)
{
  return g_test_build_filename (G_TEST_DIST, ROOT, name, NULL);
}

static void
test_unchanged (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = path_of (files[i].name);
      g_autofree char *data = NULL;
      g_autofree char *sum = NULL;
      gsize size;

      g_assert_true (g_file_get_contents (path, &data, &size, NULL));
      sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (guint8 *) data, size);
      if (!g_str_equal (sum, files[i].sha256))
        g_error ("%s has changed; golden files never do, take it back", path);
    }
}

/* The store name, as if it had been there since that release. */
static void
put_in_place (StoreFixture *f, const char *name)
{
  g_autofree char *path = path_of (name);

  store_fixture_close (f);
  store_fixture_remove_tree (f->path);
  store_fixture_copy_tree (path, f->path);
  g_assert_cmpint (chmod (f->path, 0700), ==, 0);
  close (f->dir_fd);
  f->dir_fd = open (f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  store_fixture_open (f);
}

static void
assert_identity (const DpsIdentity *identity, const char *hub)
{
  guint8 key[32];

  for (guint i = 0; i < sizeof key; i++)
    key[i] = (guint8) (i + 1);
  g_assert_nonnull (identity);
  g_assert_cmpstr (identity->hub, ==, hub);
  g_assert_cmpstr (identity->device_id, ==, "Edge-Host-0001");
  g_assert_cmpstr (identity->registration_id, ==, "edge-host-0001");
  g_assert_cmpstr (identity->attestation, ==, "symmetric-key");
  g_assert_cmpstr (identity->config_digest, ==, "sha256:0123456789abcdef");
  g_assert_cmpstr (identity->payload, ==, "{\"site\":\"n\xc3\xb6rd\",\"hw\":[\"r2\",7]}");
  g_assert_cmpint (identity->shape, ==, DPS_SHAPE_KEY);
  g_assert_cmpmem (dps_secret_data (identity->key),
                   dps_secret_size (identity->key),
                   key,
                   sizeof key);
  g_assert_true (identity->verified);
  g_assert_cmpuint (identity->assigned_at, ==, G_GUINT64_CONSTANT (1767225600123456));
}

static void
assert_vault (StoreFixture *f,
              guint64 generation,
              gboolean is_newest,
              const char *hub,
              const char *imported)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) bytes = NULL;
  g_autoptr (DpsVault) vault = NULL;
  guint64 number = 0;
  gboolean newest = !is_newest;

  bytes = dps_store_load (f->store, &number, &newest, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (number, ==, generation);
  g_assert_cmpint (newest, ==, is_newest);
  vault = dps_vault_unpack (bytes, &error);
  g_assert_no_error (error);
  assert_identity (vault->identity, hub);
  if (imported == NULL)
    g_assert_null (vault->imported_key);
  else
    g_assert_cmpmem (dps_secret_data (vault->imported_key->text),
                     dps_secret_size (vault->imported_key->text),
                     imported,
                     strlen (imported));
}

/* Goes on with it as with one of its own. */
static void
assert_goes_on (StoreFixture *f, guint64 next, const char *names)
{
  store_fixture_commit (f, "today's");
  store_fixture_assert_load (f, "today's", next, TRUE);
  store_fixture_assert_names (f, ".", names);
}

static void
test_one (StoreFixture *f, gconstpointer data)
{
  put_in_place (f, "one");
  assert_vault (f, 1, TRUE, OLD_HUB, NULL);
  g_assert_cmpstr (dps_store_get_protection (f->store), ==, "host");
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
  assert_goes_on (f, 2, "gen-00000001 gen-00000002 host.share lock");
}

static void
test_two (StoreFixture *f, gconstpointer data)
{
  put_in_place (f, "two");
  assert_vault (f, 2, TRUE, NEW_HUB, IMPORTED);
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
  /* The older of the two is whole as well. */
  g_assert_cmpint (unlinkat (f->dir_fd, "gen-00000002", 0), ==, 0);
  assert_vault (f, 1, TRUE, OLD_HUB, NULL);
  assert_goes_on (f, 2, "gen-00000001 gen-00000002 host.share lock");
}

static void
test_intent (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) record = NULL;

  put_in_place (f, "intent");
  record = dps_store_read_intent (f->store, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (record, NULL),
                   g_bytes_get_size (record),
                   "{\"failures\":3}",
                   14);
  assert_vault (f, 1, TRUE, OLD_HUB, NULL);
  g_assert_cmpuint (store_fixture_take_warnings (), ==, 0);
  assert_goes_on (f, 2, "gen-00000001 gen-00000002 host.share intent lock");
}

static void
test_quarantined (StoreFixture *f, gconstpointer data)
{
  put_in_place (f, "quarantined");
  assert_vault (f, 2, FALSE, NEW_HUB, IMPORTED);
  store_fixture_assert_names (f, "quarantine", "gen-00000003");
  assert_goes_on (f, 4, "gen-00000002 gen-00000004 host.share lock quarantine");
}

/* Nothing is touched until an operator resets it. */
static void
test_newer (StoreFixture *f, gconstpointer data)
{
  g_autoptr (GBytes) before = NULL;
  g_autoptr (GBytes) after = NULL;

  put_in_place (f, "newer");
  before = store_fixture_read (f, "gen-00000002");
  for (guint i = 0; i < 2; i++)
    {
      store_fixture_assert_load_fails (f, DPS_ERROR_NOT_SUPPORTED, "format 2");
      store_fixture_assert_load_fails (f, DPS_ERROR_NOT_SUPPORTED, "dpsctl reset --yes");
      store_fixture_assert_commit_fails (f, DPS_ERROR_NOT_SUPPORTED);
      store_fixture_reopen (f);
    }
  after = store_fixture_read (f, "gen-00000002");
  g_assert_true (g_bytes_equal (before, after));
  store_fixture_assert_names (f, ".", "gen-00000001 gen-00000002 host.share lock");
  g_assert_true (dps_store_reset (f->store, NULL));
  assert_goes_on (f, 1, "gen-00000001 host.share lock");
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
  g_test_add_func ("/store/golden/v1/unchanged", test_unchanged);
  add ("/store/golden/v1/one", test_one);
  add ("/store/golden/v1/two", test_two);
  add ("/store/golden/v1/intent", test_intent);
  add ("/store/golden/v1/quarantined", test_quarantined);
  add ("/store/golden/v1/newer", test_newer);
  return g_test_run ();
}
