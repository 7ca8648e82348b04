/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-vault.h"
#include "store/dps-checksum.h"
#include "store/dps-generation.h"
#include "store/dps-intent.h"
#include "store/dps-seal-file.h"
#include "target.h"

#include <string.h>

/* First byte: g a generation as it is, s one whose checksum is put right first (or no
 * input would get past it), v a vault as it is inside one, i an intent, t a TPM's seal
 * whose checksum is put right first. What is read, packed again, is the same bytes. */

static DpsSecret *
make_ikm (void)
{
  DpsSecret *ikm = dps_secret_new_empty (32);
  guint8 *at = dps_secret_edit (ikm);

  for (guint8 i = 0; i < 32; i++)
    at[i] = (guint8) (0x80 + i);
  return ikm;
}

static void
assert_bytes (GBytes *bytes, const void *data, gsize size)
{
  g_assert_nonnull (bytes);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), data, size);
}

static void
try_generation (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) file = g_bytes_new (data, size);
  g_autoptr (DpsSecret) ikm = make_ikm ();
  g_autoptr (DpsSecret) payload = NULL;
  DpsGenerationHeader header, found;

  payload = dps_generation_unpack (file, ikm, &found, NULL);
  if (dps_generation_peek (file, &header, NULL))
    g_assert_cmpuint (size, <=, DPS_GENERATION_FILE_MAX);
  else
    g_assert_null (payload);
  if (payload != NULL)
    {
      g_autoptr (GBytes) again = dps_generation_pack (&found, ikm, payload, NULL);

      assert_bytes (again, data, size);
    }
}

static void
try_seal (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) file = g_bytes_new (data, size);
  DpsSeal seal;

  if (dps_seal_unpack (file, &seal, NULL))
    {
      g_autoptr (GBytes) again = dps_seal_pack (&seal, NULL);

      assert_bytes (again, data, size);
    }
}

/* Both end in a SHA-256 over all before. */
static void
try_summed (const guint8 *data, gsize size, void (*try_file) (const guint8 *, gsize))
{
  g_autofree guint8 *copy = g_memdup2 (data, size);

  if (size < DPS_CHECKSUM_SIZE)
    return;
  dps_checksum (copy, size - DPS_CHECKSUM_SIZE, copy + size - DPS_CHECKSUM_SIZE);
  try_file (copy, size);
}

static void
try_vault (const guint8 *data, gsize size)
{
  g_autoptr (DpsSecret) bytes = dps_secret_new (data, size);
  g_autoptr (DpsVault) vault = dps_vault_unpack (bytes, NULL);
  g_autoptr (DpsSecret) packed = NULL;
  g_autoptr (DpsVault) again = NULL;
  g_autoptr (DpsSecret) twice = NULL;

  if (vault == NULL)
    return;
  packed = dps_vault_pack (vault, NULL);
  if (packed == NULL)
    return;
  /* Only members that may be left out come on top. */
  g_assert_cmpuint (dps_secret_size (packed), >=, size);
  if (dps_secret_size (packed) == size)
    g_assert_true (dps_secret_equal (packed, bytes));
  again = dps_vault_unpack (packed, NULL);
  g_assert_nonnull (again);
  twice = dps_vault_pack (again, NULL);
  g_assert_true (dps_secret_equal (packed, twice));
}

static void
try_intent (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) file = g_bytes_new (data, size);
  g_autoptr (GBytes) record = dps_intent_unpack (file, NULL);

  if (record != NULL)
    {
      g_autoptr (GBytes) again = dps_intent_pack (record, NULL);

      assert_bytes (again, data, size);
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize size)
{
  if (size == 0)
    return 0;
  switch (bytes[0])
    {
    case 'g':
      try_generation (bytes + 1, size - 1);
      break;
    case 's':
      try_summed (bytes + 1, size - 1, try_generation);
      break;
    case 't':
      try_summed (bytes + 1, size - 1, try_seal);
      break;
    case 'v':
      try_vault (bytes + 1, size - 1);
      break;
    default:
      try_intent (bytes + 1, size - 1);
    }
  return 0;
}
