/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-intent.h"

#include "common/dps-error.h"
#include "store/dps-checksum.h"

#include <string.h>

#define MAGIC "DPSINT01"
#define MAGIC_SIZE 8
#define HEADER_SIZE (MAGIC_SIZE + DPS_CHECKSUM_SIZE)

GBytes *
dps_intent_pack (GBytes *record, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (record, &size);
  guint8 *file;

  if (size > DPS_INTENT_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "a record of %" G_GSIZE_FORMAT " bytes where %u are allowed",
                   size,
                   DPS_INTENT_MAX);
      return NULL;
    }
  file = g_malloc (HEADER_SIZE + size);
  memcpy (file, MAGIC, MAGIC_SIZE);
  dps_checksum (data, size, file + MAGIC_SIZE);
  if (size > 0)
    memcpy (file + HEADER_SIZE, data, size);
  return g_bytes_new_take (file, HEADER_SIZE + size);
}

GBytes *
dps_intent_unpack (GBytes *file, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (file, &size);
  guint8 expected[DPS_CHECKSUM_SIZE];

  if (size < HEADER_SIZE || size > DPS_INTENT_FILE_MAX ||
      memcmp (data, MAGIC, MAGIC_SIZE) != 0)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "is not one of ours");
      return NULL;
    }
  dps_checksum (data + HEADER_SIZE, size - HEADER_SIZE, expected);
  if (memcmp (expected, data + MAGIC_SIZE, DPS_CHECKSUM_SIZE) != 0)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "its checksum does not fit");
      return NULL;
    }
  return g_bytes_new_from_bytes (file, HEADER_SIZE, size - HEADER_SIZE);
}
