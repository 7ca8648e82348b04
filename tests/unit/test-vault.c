/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-vault.h"
#include "common/dps-error.h"
#include "test-pki.h"

#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509, X509_free)

static DpsVault *
full_vault (void)
{
  DpsVault *vault = dps_vault_new ();
  DpsIdentity *identity = vault->identity = dps_identity_new ();
  g_autoptr (DpsSecret) text = dps_secret_new ("QUJD", 4);

  vault->imported_key = dps_imported_key_new (text, "reg-01", "credential:group");
  vault->used_file = g_strdup ("file:1:/used");
  vault->overruled_file = g_strdup ("file:2:/overruled");
  vault->machine = g_strdup ("0123456789abcdef0123456789abcdef");
  vault->refusal = dps_secret_new ("refused", 7);
  identity->hub = g_strdup ("myhub.azure-devices.net");
  identity->device_id = g_strdup ("dev-01");
  identity->registration_id = g_strdup ("reg-01");
  identity->attestation = g_strdup ("symmetric-key");
  identity->config_digest = g_strdup ("digest");
  identity->payload = g_strdup ("{\"a\":1}");
  identity->shape = DPS_SHAPE_KEY;
  identity->key = dps_secret_new ("0123456789abcdef", 16);
  identity->verified = TRUE;
  identity->assigned_at = 1234567890;
  return vault;
}

static void
test_round_trip (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsVault) vault = full_vault ();
  g_autoptr (DpsSecret) bytes = dps_vault_pack (vault, &error);
  g_autoptr (DpsVault) back = NULL;
  DpsIdentity *a = vault->identity, *b;

  g_assert_no_error (error);
  back = dps_vault_unpack (bytes, &error);
  g_assert_no_error (error);
  b = back->identity;
  g_assert_true (dps_secret_equal (vault->imported_key->text, back->imported_key->text));
  g_assert_cmpstr (back->imported_key->registration_id, ==, "reg-01");
  g_assert_cmpstr (back->imported_key->origin, ==, "credential:group");
  g_assert_cmpstr (back->used_file, ==, "file:1:/used");
  g_assert_cmpstr (back->overruled_file, ==, "file:2:/overruled");
  g_assert_cmpstr (back->machine, ==, vault->machine);
  g_assert_true (dps_secret_equal (back->refusal, vault->refusal));
  g_assert_cmpstr (a->hub, ==, b->hub);
  g_assert_cmpstr (a->device_id, ==, b->device_id);
  g_assert_cmpstr (a->registration_id, ==, b->registration_id);
  g_assert_cmpstr (a->attestation, ==, b->attestation);
  g_assert_cmpstr (a->config_digest, ==, b->config_digest);
  g_assert_cmpstr (a->payload, ==, b->payload);
  g_assert_cmpint (a->shape, ==, b->shape);
  g_assert_true (dps_secret_equal (a->key, b->key));
  g_assert_true (b->verified);
  g_assert_cmpuint (a->assigned_at, ==, b->assigned_at);
}

/* An identity of a plugin's, with what the plugin signs with. */
static DpsVault *
plugin_vault (void)
{
  DpsVault *vault = full_vault ();

  vault->identity->shape = DPS_SHAPE_PLUGIN;
  g_clear_pointer (&vault->identity->key, dps_secret_unref);
  vault->identity->blob = dps_secret_new ("\0blob\xff", 6);
  return vault;
}

static void
test_plugin_round_trip (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsVault) vault = plugin_vault ();
  g_autoptr (DpsIdentity) copy = dps_identity_copy (vault->identity);
  g_autoptr (DpsSecret) bytes = dps_vault_pack (vault, &error);
  g_autoptr (DpsVault) back = dps_vault_unpack (bytes, &error);
  DpsIdentity *const both[] = { copy, back->identity };

  g_assert_no_error (error);
  for (gsize i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_assert_cmpint (both[i]->shape, ==, DPS_SHAPE_PLUGIN);
      g_assert_null (both[i]->key);
      g_assert_true (dps_secret_equal (both[i]->blob, vault->identity->blob));
      g_assert_cmpstr (both[i]->payload, ==, "{\"a\":1}");
      g_assert_true (both[i]->verified);
      g_assert_cmpuint (both[i]->assigned_at, ==, 1234567890);
    }
}

/* A leaf and its authority, as PEM. */
static char *
make_chain (void)
{
  g_autoptr (EVP_PKEY) key = test_pki_key ("P-256");
  TestPkiRequest ca = { .name = "site", .key = key, .ca = TRUE };
  g_autoptr (X509) issuer = test_pki_certificate (&ca);
  TestPkiRequest leaf = { .name = "reg-01",
                          .key = key,
                          .issuer = issuer,
                          .issuer_key = key };
  g_autoptr (X509) certificate = test_pki_certificate (&leaf);
  g_autofree char *first = test_pki_pem (certificate);
  g_autofree char *second = test_pki_pem (issuer);

  return g_strconcat (first, second, NULL);
}

static DpsVault *
certificate_vault (void)
{
  DpsVault *vault = full_vault ();

  vault->identity->shape = DPS_SHAPE_CERTIFICATE;
  g_clear_pointer (&vault->identity->key, dps_secret_unref);
  vault->identity->chain = make_chain ();
  return vault;
}

static void
test_certificate_round_trip (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsVault) vault = certificate_vault ();
  g_autoptr (DpsIdentity) copy = dps_identity_copy (vault->identity);
  g_autoptr (DpsSecret) bytes = dps_vault_pack (vault, &error);
  g_autoptr (DpsVault) back = dps_vault_unpack (bytes, &error);
  DpsIdentity *both[] = { copy, NULL };

  g_assert_no_error (error);
  both[1] = back->identity;
  for (gsize i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_assert_cmpint (both[i]->shape, ==, DPS_SHAPE_CERTIFICATE);
      g_assert_cmpstr (both[i]->chain, ==, vault->identity->chain);
      g_assert_null (both[i]->key);
      g_assert_null (both[i]->blob);
    }
}

/* Each shape with its own secret, that alone, and of a size it can have. */
static void
test_secret_of_the_shape (void)
{
  static const struct
  {
    DpsShape shape;
    gsize key; /* bytes; 0 = none */
    gsize blob;
    gboolean chain;
    gboolean good;
  } rows[] = {
    { DPS_SHAPE_KEY, 16, 0, FALSE, TRUE },
    { DPS_SHAPE_KEY, 0, 0, FALSE, FALSE },
    { DPS_SHAPE_KEY, 0, 16, FALSE, FALSE },
    { DPS_SHAPE_KEY, 16, 16, FALSE, FALSE },
    { DPS_SHAPE_KEY, 16, 0, TRUE, FALSE },
    { DPS_SHAPE_PLUGIN, 0, 1, FALSE, TRUE },
    { DPS_SHAPE_PLUGIN, 0, 16 * 1024, FALSE, TRUE },
    { DPS_SHAPE_PLUGIN, 0, 16 * 1024 + 1, FALSE, FALSE },
    { DPS_SHAPE_PLUGIN, 0, 0, FALSE, FALSE },
    { DPS_SHAPE_PLUGIN, 16, 0, FALSE, FALSE },
    { DPS_SHAPE_PLUGIN, 16, 16, FALSE, FALSE },
    { DPS_SHAPE_PLUGIN, 0, 1, TRUE, FALSE },
    { DPS_SHAPE_CERTIFICATE, 16, 0, FALSE, FALSE },
    { DPS_SHAPE_CERTIFICATE, 0, 16, FALSE, FALSE },
    { DPS_SHAPE_CERTIFICATE, 0, 0, FALSE, FALSE },
    { DPS_SHAPE_CERTIFICATE, 0, 0, TRUE, TRUE },
    { DPS_SHAPE_CERTIFICATE, 185, 0, TRUE, TRUE },
    { DPS_SHAPE_CERTIFICATE, 8 * 1024 + 1, 0, TRUE, FALSE },
    { DPS_SHAPE_CERTIFICATE, 0, 16, TRUE, TRUE },
    { DPS_SHAPE_CERTIFICATE, 185, 16, TRUE, FALSE },
  };
  g_autofree char *chain = make_chain ();

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsVault) vault = full_vault ();
      g_autoptr (DpsVault) back = NULL;
      g_autoptr (DpsSecret) bytes = NULL;
      DpsIdentity *identity = vault->identity;

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      identity->shape = rows[i].shape;
      g_clear_pointer (&identity->key, dps_secret_unref);
      identity->key = rows[i].key ? dps_secret_new_empty (rows[i].key) : NULL;
      identity->blob = rows[i].blob ? dps_secret_new_empty (rows[i].blob) : NULL;
      identity->chain = rows[i].chain ? g_strdup (chain) : NULL;
      bytes = dps_vault_pack (vault, &error);
      g_assert_no_error (error);
      back = dps_vault_unpack (bytes, &error);
      g_assert_cmpint (back != NULL, ==, rows[i].good);
      if (!rows[i].good)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
    }
}

static void
test_chain_is_checked (void)
{
  g_autofree char *good = make_chain ();
  g_autofree char *long_text = g_strnfill (16 * 1024, '\n');
  g_autofree char *damaged = g_strdup (good);
  g_autofree char *too_long = g_strconcat (good, long_text, NULL);
  g_autofree char *with_key =
      g_strconcat (good,
                   "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                   NULL);
  const char *const rows[] = { "", "x", damaged, too_long, with_key };

  damaged[strlen (damaged) / 2] = '!';
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsVault) vault = certificate_vault ();
      g_autoptr (DpsSecret) bytes = NULL;

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_free (vault->identity->chain);
      vault->identity->chain = g_strdup (rows[i]);
      bytes = dps_vault_pack (vault, &error);
      g_assert_no_error (error);
      g_assert_null (dps_vault_unpack (bytes, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
    }
}

static void
test_parts (void)
{
  g_autoptr (DpsVault) empty = dps_vault_new ();
  g_autoptr (DpsSecret) bytes = dps_vault_pack (empty, NULL);
  g_autoptr (DpsVault) back = dps_vault_unpack (bytes, NULL);
  g_autoptr (DpsSecret) text = NULL;

  g_assert_nonnull (back);
  g_assert_null (back->identity);
  g_assert_null (back->imported_key);
  text = dps_secret_new ("x", 1);
  empty->imported_key = dps_imported_key_new (text, NULL, NULL);
  g_clear_pointer (&bytes, dps_secret_unref);
  g_clear_pointer (&back, dps_vault_free);
  bytes = dps_vault_pack (empty, NULL);
  back = dps_vault_unpack (bytes, NULL);
  g_assert_nonnull (back->imported_key);
  g_assert_null (back->imported_key->registration_id);
  g_assert_null (back->identity);
}

static void
test_every_cut_is_refused (void)
{
  g_autoptr (DpsVault) vault = full_vault ();
  g_autoptr (DpsSecret) bytes = dps_vault_pack (vault, NULL);
  guint refused = 0;

  for (gsize size = 0; size < dps_secret_size (bytes); size++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsSecret) cut = dps_secret_new (dps_secret_data (bytes), size);
      g_autoptr (DpsVault) back = dps_vault_unpack (cut, &error);

      /* at the end of a field the rest may be missing, but never a part of an identity */
      if (back == NULL)
        refused++;
      else if (back->identity != NULL)
        g_assert_nonnull (back->identity->key);
      g_assert_cmpint (back == NULL, ==, error != NULL);
    }
  g_assert_cmpuint (refused, >, dps_secret_size (bytes) - 11);
}

static void
test_refuses (void)
{
  static const struct
  {
    const char *bytes;
    gsize size;
  } table[] = {
    { "", 0 },
    { "vault2", 6 },
    { "vault1\0\x63\0\0\0\0", 12 },                     /* unknown tag */
    { "vault1\0\x01\0\0\0\x01x\0\x01\0\0\0\x01x", 20 }, /* twice */
    { "vault1\0\x02\0\0\0\x01x", 13 },                  /* an id without its key */
    { "vault1\0\x01\0\0\0\x01x\0\x02\0\0\0\x01.", 20 }, /* no id */
    { "vault1\0\x01\xff\xff\xff\xff", 12 },             /* beyond the end */
    { "vault1\0\x0b\0\0\0\x01x\0\x0a\0\0\0\x01x", 20 }, /* out of order */
    { "vault1\0\x0a\0\0\0\x01\xff", 13 },               /* not UTF-8 */
    { "vault1\0\x10\0\0\0\x01\x01", 13 },               /* short number */
    { "vault1\0\x10\0\0\0\x08\0\0\0\0\0\0\0\x09", 20 }, /* unknown shape */
    { "vault1\0\x14\0\0\0\0", 12 },                     /* empty blob */
    { "vault1\0\x15\0\0\0\x01x", 13 },                  /* no chain */
    { "vault1\0\x16\0\0\0\x01x", 13 },                  /* the tag after it */
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsSecret) bytes = dps_secret_new (table[i].bytes, table[i].size);
      DpsVault *vault = dps_vault_unpack (bytes, &error);

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_null (vault);
      g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
    }
}

/* As whoever holds the store's key could have written it. */
static void
test_refuses_names (void)
{
  static const char *const rows[][2] = {
    { "contoso-hub.azure-devices.net/x", "edge-host-0001" },
    { "contoso-hub.azure-devices.net:443", "edge-host-0001" },
    { "10.0.0.4", "edge-host-0001" },
    { "contoso-hub.azure-devices.net", "edge/0001" },
    { "contoso-hub.azure-devices.net", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsVault) vault = full_vault ();
      g_autoptr (DpsSecret) bytes = NULL;

      g_free (vault->identity->hub);
      vault->identity->hub = g_strdup (rows[i][0]);
      g_free (vault->identity->device_id);
      vault->identity->device_id = g_strdup (rows[i][1]);
      bytes = dps_vault_pack (vault, &error);
      g_assert_no_error (error);
      g_assert_null (dps_vault_unpack (bytes, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
    }
}

static void
test_too_large (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsVault) vault = full_vault ();
  DpsSecret *bytes;

  g_free (vault->identity->payload);
  vault->identity->payload = g_strnfill (97 * 1024, 'x');
  bytes = dps_vault_pack (vault, &error);
  g_assert_null (bytes);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  g_test_add_func ("/vault/round-trip", test_round_trip);
  g_test_add_func ("/vault/round-trip-of-a-plugin", test_plugin_round_trip);
  g_test_add_func ("/vault/round-trip-of-a-certificate", test_certificate_round_trip);
  g_test_add_func ("/vault/checks-the-chain", test_chain_is_checked);
  g_test_add_func ("/vault/secret-of-the-shape", test_secret_of_the_shape);
  g_test_add_func ("/vault/parts-are-optional", test_parts);
  g_test_add_func ("/vault/refuses-every-cut", test_every_cut_is_refused);
  g_test_add_func ("/vault/refuses-what-it-does-not-know", test_refuses);
  g_test_add_func ("/vault/refuses-names-that-are-none", test_refuses_names);
  g_test_add_func ("/vault/refuses-what-is-too-large", test_too_large);
  return g_test_run ();
}
