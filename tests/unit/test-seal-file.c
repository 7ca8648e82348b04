/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "store/dps-checksum.h"
#include "store/dps-seal-file.h"

#include <string.h>

#define NAME                                                                             \
  "000b"                                                                                 \
  "0101010101010101010101010101010101010101010101010101010101010101"
#define EK_NAME                                                                          \
  "000b"                                                                                 \
  "0202020202020202020202020202020202020202020202020202020202020202"
#define AREA                                                                             \
  "0008"                                                                                 \
  "000b"                                                                                 \
  "00000452"                                                                             \
  "0000"                                                                                 \
  "0010"                                                                                 \
  "0020"                                                                                 \
  "0303030303030303030303030303030303030303030303030303030303030303"
#define PUBLIC "002e" AREA
#define PRIVATE                                                                          \
  "0004"                                                                                 \
  "04040404"

#define SIZE (16 + 2 + 34 + 2 + 34 + 2 + 46 + 2 + 4 + 32)

static GByteArray *
from_hex (const char *hex)
{
  GByteArray *bytes = g_byte_array_new ();

  for (; *hex != '\0'; hex += 2)
    {
      guint8 byte =
          (guint8) (g_ascii_xdigit_value (hex[0]) << 4 | g_ascii_xdigit_value (hex[1]));

      g_byte_array_append (bytes, &byte, 1);
    }
  return bytes;
}

/* With the checksum at its end. */
static GBytes *
make_file (const char *hex)
{
  g_autoptr (GByteArray) bytes = from_hex (hex);
  guint8 sum[DPS_CHECKSUM_SIZE];

  dps_checksum (bytes->data, bytes->len, sum);
  g_byte_array_append (bytes, sum, sizeof sum);
  return g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
}

#define HEADER                                                                           \
  "4450535345414c31"                                                                     \
  "00000001"
#define WHOLE                                                                            \
  HEADER "00000001"                                                                      \
         "0022" NAME "0022" EK_NAME PUBLIC PRIVATE

static void
test_format (void)
{
  g_autoptr (GBytes) file = make_file (WHOLE);
  g_autoptr (GBytes) again = NULL;
  g_autoptr (GError) error = NULL;
  DpsSeal seal;

  g_assert_cmpuint (g_bytes_get_size (file), ==, SIZE);
  dps_seal_unpack (file, &seal, &error);
  g_assert_no_error (error);
  g_assert_cmpint (seal.primary, ==, DPS_SEAL_PRIMARY_SRK);
  g_assert_cmpuint (seal.primary_name.size, ==, 34);
  g_assert_cmpuint (seal.primary_name.name[33], ==, 1);
  g_assert_cmpuint (seal.ek_name.name[33], ==, 2);
  g_assert_cmphex (seal.public.publicArea.objectAttributes, ==, 0x452);
  g_assert_cmpuint (seal.private.size, ==, 4);
  again = dps_seal_pack (&seal, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (file, again));
}

static void
test_rows (void)
{
  static const struct
  {
    const char *hex;
    gint code; /* -1 = good */
  } rows[] = {
    { WHOLE, -1 },
    { HEADER "00000002"
             "0022" NAME "0000" PUBLIC PRIVATE,
      -1 },
    { "4450535345414c31"
      "00000002"
      "00",
      DPS_ERROR_NOT_SUPPORTED },
    { "4450535345414c31"
      "ffffffff"
      "00000001"
      "0022" NAME "0000" PUBLIC PRIVATE,
      DPS_ERROR_NOT_SUPPORTED },
    { "4450535345414c31"
      "00000000"
      "00000001"
      "0022" NAME "0000" PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { "4450535345414c32"
      "00000001"
      "00000001"
      "0022" NAME "0000" PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000000"
             "0022" NAME "0022" EK_NAME PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000003"
             "0022" NAME "0022" EK_NAME PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0000"
             "0022" EK_NAME PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0004"
             "00000001"
             "0000" PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0022" NAME "0002"
             "0000" PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "ffff" NAME "0000" PUBLIC PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0022" NAME "0000" PUBLIC "0000",
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0022" NAME "0000" PUBLIC "0005"
             "04040404",
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0022" NAME "0000" PUBLIC "0003"
             "04040404",
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0022" NAME "0000"
             "0000" PRIVATE,
      DPS_ERROR_REJECTED },
    /* a public area that is larger, or smaller, than its size says */
    { HEADER "00000001"
             "0022" NAME "0000"
             "002d" AREA PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0022" NAME "0000"
             "002f" AREA "00" PRIVATE,
      DPS_ERROR_REJECTED },
    { HEADER "00000001"
             "0022" NAME "0000"
             "ffff" AREA PRIVATE,
      DPS_ERROR_REJECTED },
    /* of another type */
    { HEADER "00000001"
             "0022" NAME "0000"
             "0032"
             "0023"
             "000b"
             "00000452"
             "0000"
             "0010"
             "0010"
             "0003"
             "0010"
             "0010"
             "01010101010101010101010101010101"
             "0008"
             "0202020202020202"
             "00000000" PRIVATE,
      DPS_ERROR_REJECTED },
    { WHOLE "00", DPS_ERROR_REJECTED },
    { HEADER "00000001", DPS_ERROR_REJECTED },
    { "445053534541", DPS_ERROR_REJECTED },
    { "", DPS_ERROR_REJECTED },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GBytes) file = make_file (rows[i].hex);
      g_autoptr (GError) error = NULL;
      DpsSeal seal;
      gboolean good = dps_seal_unpack (file, &seal, &error);

      if (good != (rows[i].code < 0) ||
          (!good && !g_error_matches (error, DPS_ERROR, rows[i].code)))
        g_error ("row %u: %s", i, error != NULL ? error->message : "accepted");
    }
}

/* Each length, once as it is and once with a checksum that fits. */
static void
test_cut (void)
{
  g_autoptr (GBytes) file = make_file (WHOLE);

  for (gsize size = 0; size < SIZE; size++)
    {
      g_autoptr (GBytes) cut = g_bytes_new_from_bytes (file, 0, size);
      g_autofree guint8 *copy = g_memdup2 (g_bytes_get_data (file, NULL), SIZE);
      g_autoptr (GBytes) summed = NULL;
      DpsSeal seal;

      g_assert_false (dps_seal_unpack (cut, &seal, NULL));
      if (size >= SIZE - DPS_CHECKSUM_SIZE)
        continue;
      dps_checksum (copy, size, copy + size);
      summed = g_bytes_new (copy, size + DPS_CHECKSUM_SIZE);
      g_assert_false (dps_seal_unpack (summed, &seal, NULL));
    }
}

static void
test_flipped (void)
{
  g_autoptr (GBytes) file = make_file (WHOLE);

  for (gsize bit = 0; bit < SIZE * 8; bit++)
    {
      guint8 *copy = g_memdup2 (g_bytes_get_data (file, NULL), SIZE);
      g_autoptr (GBytes) flipped = g_bytes_new_take (copy, SIZE);
      g_autoptr (GError) error = NULL;
      DpsSeal seal;

      copy[bit / 8] ^= (guint8) (1 << bit % 8);
      g_assert_false (dps_seal_unpack (flipped, &seal, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
    }
}

static void
test_too_large (void)
{
  g_autofree guint8 *data = g_malloc0 (DPS_SEAL_FILE_MAX + 1);
  g_autoptr (GBytes) file = NULL;
  g_autoptr (GError) error = NULL;
  DpsSeal seal;

  memcpy (data, "DPSSEAL1\0\0\0\x01", 12);
  dps_checksum (data,
                DPS_SEAL_FILE_MAX + 1 - DPS_CHECKSUM_SIZE,
                data + DPS_SEAL_FILE_MAX + 1 - DPS_CHECKSUM_SIZE);
  file = g_bytes_new (data, DPS_SEAL_FILE_MAX + 1);
  g_assert_false (dps_seal_unpack (file, &seal, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
}

static void
test_not_packed (void)
{
  g_autoptr (GBytes) whole = make_file (WHOLE);
  g_autoptr (GError) error = NULL;
  DpsSeal seal;

  g_assert_true (dps_seal_unpack (whole, &seal, NULL));
  seal.private.size = G_MAXUINT16;
  g_assert_null (dps_seal_pack (&seal, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/seal-file/format", test_format);
  g_test_add_func ("/store/seal-file/rows", test_rows);
  g_test_add_func ("/store/seal-file/cut", test_cut);
  g_test_add_func ("/store/seal-file/flipped", test_flipped);
  g_test_add_func ("/store/seal-file/too-large", test_too_large);
  g_test_add_func ("/store/seal-file/not-packed", test_not_packed);
  return g_test_run ();
}
