/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm/dps-tpm.h"

/* A P-384 key that signs inside the TPM: under a storage key, without a policy or a
 * password of its own, and without dictionary-attack protection. */

#define DPS_TPM_P384_SIZE 48u

/* Whether the TPM has the curve, and ECDSA with SHA-384 (TestParms, one command). FALSE
 * with error only where the TPM says neither. */
gboolean dps_tpm_has_p384 (DpsTpm *self, gboolean *has, GError **error);

/* Makes such a key: StartAuthSession, Create. The session, salted to parent, vouches for
 * the public key: nobody between here and the TPM can put in another. */
gboolean dps_tpm_create_p384 (DpsTpm *self,
                              const DpsTpmKey *parent,
                              TPM2B_PUBLIC *public,
                              TPM2B_PRIVATE *private,
                              GError **error);

/* TRUE for a public area as dps_tpm_create_p384() makes it, with the coordinates of a
 * point. Pure. */
gboolean dps_tpm_is_p384 (const TPM2B_PUBLIC *public);

/* ECDSA with what dps_tpm_create_p384() made: Load, Sign, FlushContext. digest has 32
 * bytes (SHA-256) or 48 (SHA-384). Nothing secret travels, so no session does either. */
gboolean dps_tpm_sign_p384 (DpsTpm *self,
                            const DpsTpmKey *parent,
                            const TPM2B_PUBLIC *public,
                            const TPM2B_PRIVATE *private,
                            const guint8 *digest,
                            gsize size,
                            TPMS_SIGNATURE_ECC *signature,
                            GError **error);
