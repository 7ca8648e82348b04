/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

#include <tss2/tss2_tpm2_types.h>

/* DpsIssuedBlob: a P-384 key that the TPM made, as the store keeps it. Of no use without
 * that TPM. All integers are unsigned and big-endian, the parts after them the TPM's own
 * sized structures (TCG TPM 2.0 Library Part 2):
 *
 *   bytes  what
 *       8  magic, "DPSKEY38"
 *       4  format, 1
 *       4  kind of primary: 1 = persistent at 0x81000001, 2 = transient from
 *          dps_tpm_template_ecc_srk()
 *     2+n  TPM2B_NAME of the primary
 *     2+n  TPM2B_PUBLIC of the key
 *     2+n  TPM2B_PRIVATE of it
 *
 * The store's authentication covers all of it. Pure. */
#define DPS_ISSUED_BLOB_FORMAT 1u
#define DPS_ISSUED_BLOB_MAX 2048u

typedef struct
{
  gboolean persistent; /* the primary */
  TPM2B_NAME primary_name;
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
} DpsIssuedBlob;

/* The caller's; DPS_ERROR_INVALID_ARGUMENT where a part does not marshal. */
DpsSecret *dps_issued_blob_pack (const DpsIssuedBlob *self, GError **error);

/* DPS_ERROR_NOT_SUPPORTED for a newer format, DPS_ERROR_REJECTED for anything else that
 * is wrong. self is set on success only. */
gboolean dps_issued_blob_unpack (DpsIssuedBlob *self,
                                 const DpsSecret *bytes,
                                 GError **error);
