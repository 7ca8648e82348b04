/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* make-golden-store DIRECTORY: makes the state directories of tests/data/store/v1 anew in
 * DIRECTORY, which must be empty. No test runs it, and what is there is never replaced:
 * see the README there. A later format gets a v2 beside it, made by what this has become.
 */

#include "common/dps-io.h"
#include "core/dps-vault.h"
#include "store/dps-generation.h"
#include "store/dps-host-sealer.h"
#include "store/dps-store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define IMPORTED "Z29sZGVuIGltcG9ydGVkIGtleSwgNDggYnl0ZXMgb2YgcGxhaW4gdGV4dCwgb2s="

static void
check (gboolean done, GError *error)
{
  if (done)
    return;
  fprintf (stderr, "%s\n", error != NULL ? error->message : g_strerror (errno));
  exit (1);
}

static void
put (const char *dir, const char *name, const void *data, gsize size)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  GError *error = NULL;

  check (g_file_set_contents (path, data, (gssize) size, &error), error);
}

static DpsStore *
begin (const char *root, const char *name, char **dir)
{
  guint8 share[32];
  DpsStore *store;
  GError *error = NULL;
  g_autoptr (DpsSealer) sealer = dps_host_sealer_new ();

  *dir = g_build_filename (root, name, NULL);
  check (mkdir (*dir, 0700) == 0, NULL);
  for (guint i = 0; i < sizeof share; i++)
    share[i] = (guint8) (0xa0 + i);
  put (*dir, "host.share", share, sizeof share);
  store = dps_store_open (*dir, sealer, &error);
  check (store != NULL, error);
  return store;
}

static void
commit (DpsStore *store, const char *hub, gboolean imported)
{
  g_autoptr (DpsVault) vault = dps_vault_new ();
  g_autoptr (DpsSecret) bytes = NULL;
  DpsIdentity *identity = dps_identity_new ();
  guint8 key[32];
  GError *error = NULL;

  for (guint i = 0; i < sizeof key; i++)
    key[i] = (guint8) (i + 1);
  identity->hub = g_strdup (hub);
  identity->device_id = g_strdup ("Edge-Host-0001");
  identity->registration_id = g_strdup ("edge-host-0001");
  identity->attestation = g_strdup ("symmetric-key");
  identity->config_digest = g_strdup ("sha256:0123456789abcdef");
  identity->payload = g_strdup ("{\"site\":\"n\xc3\xb6rd\",\"hw\":[\"r2\",7]}");
  identity->shape = DPS_SHAPE_KEY;
  identity->key = dps_secret_new (key, sizeof key);
  identity->verified = TRUE;
  identity->assigned_at = G_GUINT64_CONSTANT (1767225600123456);
  vault->identity = identity;
  if (imported)
    {
      g_autoptr (DpsSecret) text = dps_secret_new (IMPORTED, strlen (IMPORTED));

      vault->imported_key = dps_imported_key_new (text, NULL, NULL);
    }
  bytes = dps_vault_pack (vault, &error);
  check (bytes != NULL && dps_store_commit (store, bytes, &error), error);
}

/* Format 2 as format 1 with another number, which is all that this version may see. */
static void
make_newer (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *data = NULL;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize length = 32;
  gsize size;
  GError *error = NULL;

  check (g_file_get_contents (path, &data, &size, &error), error);
  data[11] = 2;
  g_checksum_update (sum, (guint8 *) data, (gssize) (size - 32));
  g_checksum_get_digest (sum, (guint8 *) data + size - 32, &length);
  put (dir, name, data, size);
}

static void
make (const char *root, const char *name, guint commits)
{
  g_autofree char *dir = NULL;
  g_autoptr (DpsStore) store = begin (root, name, &dir);
  g_autoptr (GBytes) record = g_bytes_new_static ("{\"failures\":3}", 14);
  g_autoptr (DpsSecret) loaded = NULL;
  GError *error = NULL;

  commit (store, "old-hub.azure-devices.net", FALSE);
  if (commits > 1)
    commit (store, "new-hub.azure-devices.net", TRUE);
  if (g_str_equal (name, "intent"))
    check (dps_store_write_intent (store, record, &error), error);
  if (g_str_equal (name, "newer"))
    make_newer (dir, "gen-00000002");
  if (g_str_equal (name, "quarantined"))
    {
      put (dir, "gen-00000003", "DPSSTORE, and then the disk was full", 36);
      loaded = dps_store_load (store, NULL, NULL, &error);
      check (loaded != NULL, error);
    }
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    return 2;
  dps_secret_init ();
  make (argv[1], "one", 1);
  make (argv[1], "two", 2);
  make (argv[1], "intent", 1);
  make (argv[1], "quarantined", 2);
  make (argv[1], "newer", 2);
  return 0;
}
