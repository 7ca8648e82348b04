/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-issued-blob.h"

#include "common/dps-error.h"
#include "tpm/dps-tpm-sign.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#define MAGIC "DPSKEY38"
#define MAGIC_SIZE 8u
#define NAME_SIZE_MIN 22u /* hash algorithm and SHA-1 */
#define PRIMARY_PERSISTENT 1u
#define PRIMARY_TRANSIENT 2u

DpsSecret *
dps_issued_blob_pack (const DpsIssuedBlob *self, GError **error)
{
  guint8 bytes[DPS_ISSUED_BLOB_MAX] = MAGIC;
  const guint32 primary = self->persistent ? PRIMARY_PERSISTENT : PRIMARY_TRANSIENT;
  gsize max = sizeof bytes;
  gsize offset = MAGIC_SIZE;

  if (Tss2_MU_UINT32_Marshal (DPS_ISSUED_BLOB_FORMAT, bytes, max, &offset) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_UINT32_Marshal (primary, bytes, max, &offset) != TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_NAME_Marshal (&self->primary_name, bytes, max, &offset) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PUBLIC_Marshal (&self->public, bytes, max, &offset) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PRIVATE_Marshal (&self->private, bytes, max, &offset) !=
          TSS2_RC_SUCCESS)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "the key that the TPM made does not fit into %u bytes",
                   DPS_ISSUED_BLOB_MAX);
      return NULL;
    }
  return dps_secret_new (bytes, offset);
}

static gboolean
reject (GError **error, const char *what)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "the stored key of the certificate %s",
               what);
  return FALSE;
}

static gboolean
read_parts (const DpsSecret *bytes, gsize offset, DpsIssuedBlob *found)
{
  const guint8 *data = dps_secret_data (bytes);
  gsize size = dps_secret_size (bytes);
  guint32 primary = 0;

  if (Tss2_MU_UINT32_Unmarshal (data, size, &offset, &primary) != TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_NAME_Unmarshal (data, size, &offset, &found->primary_name) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PUBLIC_Unmarshal (data, size, &offset, &found->public) !=
          TSS2_RC_SUCCESS ||
      Tss2_MU_TPM2B_PRIVATE_Unmarshal (data, size, &offset, &found->private) !=
          TSS2_RC_SUCCESS ||
      offset != size)
    return FALSE;
  found->persistent = primary == PRIMARY_PERSISTENT;
  return (primary == PRIMARY_PERSISTENT || primary == PRIMARY_TRANSIENT) &&
         found->primary_name.size >= NAME_SIZE_MIN && dps_tpm_is_p384 (&found->public) &&
         found->private.size > 0;
}

/* Sizes within sizes: what the TPM is sent is what stands there. */
static gboolean
is_canonical (const DpsSecret *bytes, const DpsIssuedBlob *found)
{
  g_autoptr (DpsSecret) again = dps_issued_blob_pack (found, NULL);

  return again != NULL && dps_secret_size (again) == dps_secret_size (bytes) &&
         dps_secret_equal (again, bytes);
}

gboolean
dps_issued_blob_unpack (DpsIssuedBlob *self, const DpsSecret *bytes, GError **error)
{
  const guint8 *data = dps_secret_data (bytes);
  gsize size = dps_secret_size (bytes);
  gsize offset = MAGIC_SIZE;
  guint32 format = 0;
  DpsIssuedBlob found = { 0 };

  if (size <= MAGIC_SIZE || size > DPS_ISSUED_BLOB_MAX ||
      memcmp (data, MAGIC, MAGIC_SIZE) != 0 ||
      Tss2_MU_UINT32_Unmarshal (data, size, &offset, &format) != TSS2_RC_SUCCESS ||
      format == 0)
    return reject (error, "is none");
  if (format > DPS_ISSUED_BLOB_FORMAT)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_SUPPORTED,
                   "the stored key of the certificate has format %u, a newer one than "
                   "this agent knows (%u)",
                   format,
                   DPS_ISSUED_BLOB_FORMAT);
      return FALSE;
    }
  if (!read_parts (bytes, offset, &found) || !is_canonical (bytes, &found))
    return reject (error, "has a part that cannot be");
  *self = found;
  return TRUE;
}
