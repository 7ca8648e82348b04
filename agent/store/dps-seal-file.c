/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-seal-file.h"

#include "common/dps-error.h"
#include "store/dps-checksum.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#define MAGIC "DPSSEAL1"
#define MAGIC_SIZE 8u
#define HEADER_SIZE (MAGIC_SIZE + 4u)
#define NAME_SIZE_MIN 22u /* hash algorithm and SHA-1 */

GBytes *
dps_seal_pack (const DpsSeal *seal, GError **error)
{
  guint8 file[DPS_SEAL_FILE_MAX];
  gsize max = sizeof file - DPS_CHECKSUM_SIZE;
  gsize offset = MAGIC_SIZE;

  memcpy (file, MAGIC, MAGIC_SIZE);
  if (Tss2_MU_UINT32_Marshal (DPS_SEAL_FORMAT, file, max, &offset) != TSS2_RC_SUCCESS ||
      Tss2_MU_UINT32_Marshal (seal->primary, file, max, &offset) != TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_NAME_Marshal (&seal->primary_name, file, max, &offset) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_NAME_Marshal (&seal->ek_name, file, max, &offset) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PUBLIC_Marshal (&seal->public, file, max, &offset) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PRIVATE_Marshal (&seal->private, file, max, &offset) !=
          TSS2_RC_SUCCESS)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "what the TPM gave does not fit into '%s'",
                   DPS_SEAL_NAME);
      return NULL;
    }
  dps_checksum (file, offset, file + offset);
  return g_bytes_new (file, offset + DPS_CHECKSUM_SIZE);
}

static gboolean
reject (GError **error, const char *what)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "'%s' %s", DPS_SEAL_NAME, what);
  return FALSE;
}

static gboolean
check_frame (const guint8 *data, gsize size, GError **error)
{
  guint8 expected[DPS_CHECKSUM_SIZE];

  if (size < HEADER_SIZE + DPS_CHECKSUM_SIZE || size > DPS_SEAL_FILE_MAX ||
      memcmp (data, MAGIC, MAGIC_SIZE) != 0)
    return reject (error, "is no seal");
  dps_checksum (data, size - DPS_CHECKSUM_SIZE, expected);
  if (memcmp (data + size - DPS_CHECKSUM_SIZE, expected, DPS_CHECKSUM_SIZE) != 0)
    return reject (error, "is damaged, its checksum does not fit");
  return TRUE;
}

static gboolean
read_parts (const guint8 *data, gsize size, gsize offset, DpsSeal *seal)
{
  guint32 primary = 0;

  if (Tss2_MU_UINT32_Unmarshal (data, size, &offset, &primary) != TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_NAME_Unmarshal (data, size, &offset, &seal->primary_name) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_NAME_Unmarshal (data, size, &offset, &seal->ek_name) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PUBLIC_Unmarshal (data, size, &offset, &seal->public) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PRIVATE_Unmarshal (data, size, &offset, &seal->private) !=
          TSS2_RC_SUCCESS ||
      offset != size)
    return FALSE;
  seal->primary = (DpsSealPrimary) primary;
  return (primary == DPS_SEAL_PRIMARY_SRK || primary == DPS_SEAL_PRIMARY_ECC) &&
         seal->primary_name.size >= NAME_SIZE_MIN &&
         (seal->ek_name.size == 0 || seal->ek_name.size >= NAME_SIZE_MIN) &&
         seal->public.publicArea.type == TPM2_ALG_KEYEDHASH && seal->private.size > 0;
}

/* Sizes within sizes: what the TPM is sent is what stands in the file. */
static gboolean
is_canonical (GBytes *file, const DpsSeal *seal)
{
  g_autoptr (GBytes) again = dps_seal_pack (seal, NULL);

  return again != NULL && g_bytes_equal (again, file);
}

gboolean
dps_seal_unpack (GBytes *file, DpsSeal *seal, GError **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (file, &size);
  gsize offset = MAGIC_SIZE;
  guint32 format = 0;
  DpsSeal found = { 0 };

  if (!check_frame (data, size, error))
    return FALSE;
  size -= DPS_CHECKSUM_SIZE;
  if (Tss2_MU_UINT32_Unmarshal (data, size, &offset, &format) != TSS2_RC_SUCCESS ||
      format == 0)
    return reject (error, "is no seal");
  if (format > DPS_SEAL_FORMAT)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_SUPPORTED,
                   "'%s' has format %u, a newer one than this agent knows (%u)",
                   DPS_SEAL_NAME,
                   format,
                   DPS_SEAL_FORMAT);
      return FALSE;
    }
  if (!read_parts (data, size, offset, &found) || !is_canonical (file, &found))
    return reject (error, "has a part that cannot be");
  *seal = found;
  return TRUE;
}
