/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

#include <tss2/tss2_tpm2_types.h>

/* A key file "TSS2 PRIVATE KEY", as tpm2-tools, tpm2-openssl and the engine of tpm2-tss
 * write it: TPMKey of draft-bottomley-tpm2-keys, in PEM. Its emptyAuth does not count:
 * tpm2-tools up to 5.4 write the opposite. */
typedef struct
{
  TPM2_HANDLE parent; /* persistent, or TPM2_RH_OWNER: the primary by TCG's template */
  TPM2B_PUBLIC public;
  TPM2B_PRIVATE private;
} X509Tss2Key;

/* The one block that pem has. Refused, with the cause x509-tpm-key: importable keys and
 * sealed data, keys with a policy, other parents, and whatever does not parse to its last
 * byte. Pure. */
gboolean x509_tss2_key_parse (const DpsPluginView *pem,
                              X509Tss2Key *out,
                              X509Error *error);
