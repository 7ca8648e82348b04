/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

#include <openssl/evp.h>
#include <tss2/tss2_tpm2_types.h>

/* The public half of a TPM's key as OpenSSL has it, the caller's: RSA, or EC on P-256 or
 * P-384, for a key that signs what it is given, with at most a password. NULL with the
 * cause x509-tpm-key, or x509-key for kinds that are not used. where: what has it, for
 * the text. Pure. */
EVP_PKEY *x509_tpm_public_convert (const TPM2B_PUBLIC *public,
                                   const char *where,
                                   X509Error *error);

/* A TPM's signature in the form of x509-mechanism.h, the caller's; NULL where it is of
 * another kind. Pure. */
GBytes *x509_tpm_signature_convert (const TPMT_SIGNATURE *signature);
