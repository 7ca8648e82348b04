/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blobs that are wrong in one way, for a scenario to ask for. */
#pragma once

#include "em-challenges.h"

typedef enum
{
  EM_TPM_SOUND,
  EM_TPM_MISSING,
  EM_TPM_OTHER_EK,
  EM_TPM_OTHER_SRK,
  EM_TPM_CREDENTIAL_HMAC,
  EM_TPM_DUPLICATE_HMAC,
  EM_TPM_NO_PART_6,
  EM_TPM_TRUNCATED_1, /* ends in the middle of part 1; the others follow */
  EM_TPM_TRUNCATED_6 = EM_TPM_TRUNCATED_1 + EM_TPM_PARTS - 1,
} EmTpmFault;

/* Their names in a scenario, by number and NULL-terminated. */
extern const char *const em_tpm_fault_words[];

/* The blob in base64, for the caller to free; *OUT stays NULL for EM_TPM_MISSING. Fails
 * as em_tpm_blob_new. */
gboolean em_tpm_fault_blob (EmTpmFault fault,
                            const EmTpmHost *host,
                            const EmTpmSecrets *secrets,
                            const char *data,
                            char **out,
                            GError **error);
