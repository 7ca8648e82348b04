/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm-challenge.h"
#include "tpm-keys.h"

/* Has the TPM unwrap the HMAC key of a challenge and wrap it by the storage root key
 * (dps-protocol §5.6, without its Load). Five commands where both keys are in place:
 * StartAuthSession (salted to the storage root key), StartAuthSession (policy),
 * PolicySecret, ActivateCredential, Import. The inner key comes and goes encrypted, and
 * is wiped.
 *
 * DPS_TPM_ERROR_OTHER_EK, _OTHER_SRK, _CHALLENGE_DAMAGED: the challenge's fault. */
gboolean tpm_activate (TpmKeys *keys,
                       const TpmChallenge *challenge,
                       TpmKeyBlob *blob,
                       GError **error);
