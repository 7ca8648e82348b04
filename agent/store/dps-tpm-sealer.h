/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dps-sealer.h"

/* DpsTpmSealer: the level "tpm2+host". T, 32 random bytes, is sealed by the TPM in
 * seal.v1 (dps-seal-file.h), under the storage root key at 0x81000001 where there is one
 * of any storage type that dictionary-attack protection does not cover, else under a
 * transient ECC P-256 primary. ikm = T || H.
 *
 * Each operation opens the TPM, uses it and closes it; T is kept in memory after the
 * first one, so that later ones need no TPM. Levels below need none either.
 *
 * Errors about the TPM are DPS_TPM_ERROR; CLEARED and REPLACED where the primary that T
 * was sealed under is not there any more: REPLACED also where nothing tells which of the
 * two it is. Those about seal.v1 are DPS_ERROR. A TPM that is not there is an error,
 * never a lower level. */
#define DPS_TYPE_TPM_SEALER (dps_tpm_sealer_get_type ())
G_DECLARE_FINAL_TYPE (DpsTpmSealer, dps_tpm_sealer, DPS, TPM_SEALER, GObject)

/* tcti as in dps-tpm-device.h, which need not be there now. The passwords of the owner
 * hierarchy and of the storage root key may be NULL; a reference is taken. */
DpsSealer *dps_tpm_sealer_new (const char *tcti,
                               DpsSecret *owner_auth,
                               DpsSecret *srk_auth);

/* Whether the TPM can be opened now, with the error of dps_tpm_device_open(). No command
 * is sent. */
gboolean dps_tpm_sealer_is_there (DpsTpmSealer *self, GError **error);
