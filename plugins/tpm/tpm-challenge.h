/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <tss2/tss2_tpm2_types.h>

/* The service's challenge: an HMAC key for one TPM, in six parts one behind the other,
 * each with its size ahead of it (dps-protocol §5.5). Pure. */

#define TPM_CHALLENGE_MAX (4 * 1024) /* bytes, of the whole */

/* What of it goes into the TPM. Nothing in it is a secret: all is encrypted. */
typedef struct
{
  TPM2B_ID_OBJECT credential;    /* 1: the inner key, bound to the storage root key */
  TPM2B_ENCRYPTED_SECRET secret; /* 2: the seed of 1, for the endorsement key */
  TPM2B_PRIVATE duplicate; /* 3: the HMAC key, wrapped by the inner key and a seed */
  TPM2B_ENCRYPTED_SECRET in_seed; /* 4: the seed of 3, for the storage root key */
  TPM2B_PUBLIC public;            /* 5: of the HMAC key */
} TpmChallenge;

/* Takes RSA-2048 parents with SHA-256 and an HMAC-SHA256 key that may be imported and
 * used to sign, and nothing else. The sixth part, data for the device, is not read and
 * may be missing; so may what follows it be there. DPS_TPM_ERROR_CHALLENGE_MALFORMED
 * names the part; *challenge is then undefined. */
gboolean tpm_challenge_parse (const guint8 *data,
                              gsize size,
                              TpmChallenge *challenge,
                              GError **error);

/* A TPM2B_PUBLIC to its last byte, of an HMAC key as in part 5; NULL, or what is wrong.
 */
const char *tpm_challenge_read_public (const guint8 *data,
                                       gsize size,
                                       TPM2B_PUBLIC *public);
