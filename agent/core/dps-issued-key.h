/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "tpm/dps-tpm-visit.h"

#include <openssl/evp.h>

/* DpsIssuedKey: the P-384 key of a certificate that the service issues: one that the TPM
 * made and alone can use, or one in memory. Immutable and counted; used by one thread at
 * a time or many: each signature opens the TPM for itself. What blocks is for workers. */
typedef struct _DpsIssuedKey DpsIssuedKey;

/* Makes one; blocks. In the TPM of access where that can (TestParms, ReadPublic,
 * CreatePrimary where there is none, StartAuthSession, Create), else, and where access is
 * NULL, in memory. Nothing stays in the TPM. DPS_TPM_ERROR where there is a TPM and it
 * fails: never a lower level than the caller asked for, but for a TPM that lacks the
 * curve. */
DpsIssuedKey *dps_issued_key_make (DpsTpmAccess *access, GError **error);

/* One that was stored: exactly one of key (PKCS#8 DER) and blob (dps-issued-blob.h) is
 * given; access is needed with a blob. No TPM command. Errors are DPS_ERROR. */
DpsIssuedKey *dps_issued_key_open (DpsSecret *key,
                                   DpsSecret *blob,
                                   DpsTpmAccess *access,
                                   GError **error);

DpsIssuedKey *dps_issued_key_ref (DpsIssuedKey *self);
void dps_issued_key_unref (DpsIssuedKey *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsIssuedKey, dps_issued_key_unref)

/* The public half alone; borrowed. */
EVP_PKEY *dps_issued_key_get_public (DpsIssuedKey *self);

/* What to store, borrowed: one of them is NULL. */
DpsSecret *dps_issued_key_get_key (DpsIssuedKey *self);
DpsSecret *dps_issued_key_get_blob (DpsIssuedKey *self);

/* The signature (DER) of a digest of 32 bytes with "ECDSA-SHA256", or 48 with
 * "ECDSA-SHA384", the caller's; blocks. DPS_ERROR_NOT_SUPPORTED for any other mechanism,
 * DPS_ERROR_INVALID_ARGUMENT for another size, DPS_TPM_ERROR of the TPM, of which
 * REPLACED where it is not the one that made the key, or was cleared since. */
GBytes *dps_issued_key_sign (DpsIssuedKey *self,
                             const char *mechanism,
                             const guint8 *digest,
                             gsize size,
                             GError **error);
