/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <tss2/tss2_tpm2_types.h>

/* The file seal.v1: T of design §9 as the TPM sealed it, and what it was sealed under.
 * Nothing in it is secret. All integers are unsigned and big-endian, all parts but the
 * first three are the TPM's own sized structures (TCG TPM 2.0 Library Part 2):
 *
 *   bytes  what
 *       8  magic, "DPSSEAL1"
 *       4  format, 1
 *       4  kind of primary (DpsSealPrimary)
 *     2+n  TPM2B_NAME of the primary
 *     2+n  TPM2B_NAME of the endorsement key at 0x81010001, n = 0 where there was none
 *     2+n  TPM2B_PUBLIC of the sealed object
 *     2+n  TPM2B_PRIVATE of it
 *      32  SHA-256 over all before
 *
 * What every later format keeps: magic and format, at most DPS_SEAL_FILE_MAX bytes, and
 * the checksum at the end. */
#define DPS_SEAL_NAME "seal.v1"
#define DPS_SEAL_FORMAT 1u
#define DPS_SEAL_FILE_MAX 4096u

/* For ever. */
typedef enum
{
  DPS_SEAL_PRIMARY_SRK = 1, /* the persistent one at 0x81000001 */
  DPS_SEAL_PRIMARY_ECC = 2, /* transient, dps_tpm_template_ecc_srk() */
} DpsSealPrimary;

typedef struct
{
  DpsSealPrimary primary;
  TPM2B_NAME primary_name;
  TPM2B_NAME ek_name; /* size 0 = none */
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
} DpsSeal;

/* The bytes of the file, the caller's. DPS_ERROR_INVALID_ARGUMENT where a part does not
 * marshal. */
GBytes *dps_seal_pack (const DpsSeal *seal, GError **error);

/* DPS_ERROR_NOT_SUPPORTED for an intact file of a newer format, DPS_ERROR_REJECTED for
 * anything else that is wrong. seal is set on success only. */
gboolean dps_seal_unpack (GBytes *file, DpsSeal *seal, GError **error);
