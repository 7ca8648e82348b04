/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "store/dps-generation.h"

#include <string.h>

/* Golden files: made once by another implementation (Python's hmac and hashlib, and the
 * AESGCM of its cryptography package) from the key inputs below, and never changed. What
 * is stored in the field must stay readable.
 *   uuid 00..0f, salt 20..3f, nonce 40..4b, H 80..9f, T c0..df */
static const struct
{
  const char *file;
  guint64 number;
  guint32 protection;
  gboolean with_t;
  const char *payload;
  gsize size;
} golden[] = {
  { "host.gen", 7, 1, FALSE, "{\"device\":\"gateway-7\"}\0\xff", 24 },
  { "tpm2-host.gen",
    G_GUINT64_CONSTANT (0x0102030405060708),
    2,
    TRUE,
    "{\"device\":\"gateway-7\"}\0\xff",
    24 },
  { "empty.gen", 1, 1, FALSE, "", 0 },
};

static void
count_up (guint8 *at, gsize size, guint8 first)
{
  for (gsize i = 0; i < size; i++)
    at[i] = (guint8) (first + i);
}

static DpsSecret *
make_ikm (gboolean with_t)
{
  DpsSecret *ikm = dps_secret_new_empty (with_t ? 64 : 32);
  guint8 *at = dps_secret_edit (ikm);

  if (with_t)
    {
      count_up (at, 32, 0xc0);
      at += 32;
    }
  count_up (at, 32, 0x80);
  return ikm;
}

static DpsGenerationHeader
make_header (guint64 number, guint32 protection)
{
  DpsGenerationHeader header = { .number = number, .protection = protection };

  count_up (header.uuid, sizeof header.uuid, 0);
  count_up (header.salt, sizeof header.salt, 0x20);
  count_up (header.nonce, sizeof header.nonce, 0x40);
  return header;
}

static GBytes *
pack (const char *payload, gsize size)
{
  g_autoptr (DpsSecret) ikm = make_ikm (FALSE);
  g_autoptr (DpsSecret) secret = dps_secret_new (payload, size);
  g_autoptr (GError) error = NULL;
  DpsGenerationHeader header = make_header (3, 1);
  GBytes *file = dps_generation_pack (&header, ikm, secret, &error);

  g_assert_no_error (error);
  return file;
}

static void
assert_header (const DpsGenerationHeader *a, const DpsGenerationHeader *b)
{
  g_assert_cmpmem (a->uuid, sizeof a->uuid, b->uuid, sizeof b->uuid);
  g_assert_cmpuint (a->number, ==, b->number);
  g_assert_cmpuint (a->protection, ==, b->protection);
  g_assert_cmpmem (a->salt, sizeof a->salt, b->salt, sizeof b->salt);
  g_assert_cmpmem (a->nonce, sizeof a->nonce, b->nonce, sizeof b->nonce);
}

static void
test_golden (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autofree char *path =
      g_test_build_filename (G_TEST_DIST, "data", "store", golden[i].file, NULL);
  g_autoptr (DpsSecret) ikm = make_ikm (golden[i].with_t);
  g_autoptr (DpsSecret) payload = dps_secret_new (golden[i].payload, golden[i].size);
  DpsGenerationHeader header = make_header (golden[i].number, golden[i].protection);
  DpsGenerationHeader found;
  g_autoptr (DpsSecret) seen = NULL;
  g_autoptr (GBytes) packed = NULL;
  g_autoptr (GBytes) file = NULL;
  g_autoptr (GError) error = NULL;
  char *contents;
  gsize size;

  g_file_get_contents (path, &contents, &size, &error);
  g_assert_no_error (error);
  file = g_bytes_new_take (contents, size);

  packed = dps_generation_pack (&header, ikm, payload, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (packed, NULL),
                   g_bytes_get_size (packed),
                   contents,
                   size);

  seen = dps_generation_unpack (file, ikm, &found, &error);
  g_assert_no_error (error);
  g_assert_true (dps_secret_equal (seen, payload));
  assert_header (&found, &header);
}

static void
test_sizes (void)
{
  static const gsize sizes[] = { 0, 1, 15, 16, 17, 4096, DPS_GENERATION_PAYLOAD_MAX };
  g_autoptr (DpsSecret) ikm = make_ikm (FALSE);

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_malloc (sizes[i] + 1);
      g_autoptr (DpsSecret) seen = NULL;
      g_autoptr (GBytes) file = NULL;
      g_autoptr (GError) error = NULL;
      DpsGenerationHeader found;

      memset (text, 'x', sizes[i]);
      file = pack (text, sizes[i]);
      g_assert_cmpuint (g_bytes_get_size (file), ==, sizes[i] + 92 + 16 + 32);
      seen = dps_generation_unpack (file, ikm, &found, &error);
      g_assert_no_error (error);
      g_assert_cmpmem (dps_secret_data (seen), dps_secret_size (seen), text, sizes[i]);
    }
}

static void
test_too_big (void)
{
  g_autoptr (DpsSecret) ikm = make_ikm (FALSE);
  g_autoptr (DpsSecret) payload = dps_secret_new_empty (DPS_GENERATION_PAYLOAD_MAX + 1);
  g_autoptr (GError) error = NULL;
  DpsGenerationHeader header = make_header (1, 1);

  g_assert_null (dps_generation_pack (&header, ikm, payload, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
}

/* Fits the checksum anew, as one who changes a file on purpose would. */
static void
sum_again (guint8 *data, gsize size)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize length = 32;

  g_checksum_update (checksum, data, (gssize) (size - 32));
  g_checksum_get_digest (checksum, data + size - 32, &length);
}

/* Unpacks a changed copy, and says what the error is. */
static void
assert_rejected (const guint8 *data, gsize size, const char *text)
{
  g_autoptr (DpsSecret) ikm = make_ikm (FALSE);
  g_autoptr (GBytes) file = g_bytes_new (data, size);
  g_autoptr (GError) error = NULL;
  DpsGenerationHeader found;

  g_assert_null (dps_generation_unpack (file, ikm, &found, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
  if (text != NULL)
    g_assert_nonnull (strstr (error->message, text));
}

static void
test_every_byte (void)
{
  g_autoptr (GBytes) file = pack ("the payload", 11);
  gsize size = g_bytes_get_size (file);
  g_autofree guint8 *data = g_memdup2 (g_bytes_get_data (file, NULL), size);

  for (gsize i = 0; i < size; i++)
    for (guint bit = 0; bit < 8; bit++)
      {
        data[i] ^= (guint8) (1u << bit);
        assert_rejected (data, size, "damaged");
        data[i] ^= (guint8) (1u << bit);
      }
}

/* The same with a fitting checksum: told apart, and caught all the same. */
static void
test_every_byte_on_purpose (void)
{
  g_autoptr (GBytes) file = pack ("the payload", 11);
  gsize size = g_bytes_get_size (file);
  g_autofree guint8 *data = g_memdup2 (g_bytes_get_data (file, NULL), size);

  for (gsize i = 20; i < size - 32; i++)
    {
      data[i] ^= 0x10;
      sum_again (data, size);
      assert_rejected (data, size, "on purpose");
      data[i] ^= 0x10;
    }
}

static void
test_every_length (void)
{
  g_autoptr (GBytes) file = pack ("the payload", 11);
  gsize size = g_bytes_get_size (file);
  g_autofree guint8 *data = g_malloc0 (size + 8);

  for (gsize n = 0; n < size + 8; n++)
    {
      if (n == size)
        continue;
      memset (data, 0, size + 8);
      memcpy (data, g_bytes_get_data (file, NULL), MIN (n, size));
      assert_rejected (data, n, "damaged");
      if (n < 32)
        continue;
      sum_again (data, n);
      assert_rejected (data, n, NULL);
    }
}

static void
test_wrong_key (void)
{
  g_autoptr (GBytes) file = pack ("the payload", 11);
  g_autoptr (DpsSecret) other = make_ikm (TRUE);
  g_autoptr (GError) error = NULL;
  DpsGenerationHeader found;

  g_assert_null (dps_generation_unpack (file, other, &found, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
}

static void
test_newer_format (void)
{
  g_autoptr (GBytes) file = pack ("the payload", 11);
  gsize size = g_bytes_get_size (file);
  g_autofree guint8 *data = g_memdup2 (g_bytes_get_data (file, NULL), size);
  g_autoptr (GBytes) newer = NULL;
  g_autoptr (GError) error = NULL;
  DpsGenerationHeader found;

  data[11] = 2;
  assert_rejected (data, size, "damaged");
  sum_again (data, size);
  newer = g_bytes_new (data, size);
  g_assert_false (dps_generation_peek (newer, &found, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
  data[11] = 0;
  sum_again (data, size);
  assert_rejected (data, size, "format 0");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  for (guint i = 0; i < G_N_ELEMENTS (golden); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/store/generation/golden/%s", golden[i].file);

      g_test_add_data_func (path, GUINT_TO_POINTER (i), test_golden);
    }
  g_test_add_func ("/store/generation/every-size", test_sizes);
  g_test_add_func ("/store/generation/refuses-too-big", test_too_big);
  g_test_add_func ("/store/generation/every-bit-is-damage", test_every_byte);
  g_test_add_func ("/store/generation/every-byte-on-purpose", test_every_byte_on_purpose);
  g_test_add_func ("/store/generation/every-length", test_every_length);
  g_test_add_func ("/store/generation/wrong-key", test_wrong_key);
  g_test_add_func ("/store/generation/newer-format", test_newer_format);
  return g_test_run ();
}
