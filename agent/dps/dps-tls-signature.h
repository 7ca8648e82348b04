/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-tls-remote-key.h"

#include <openssl/core.h>

/* The signature operation of the built-in provider: RSA (PKCS#1 v1.5 and PSS, SHA-256)
 * and ECDSA (SHA-256, SHA-384), of a digest or of what is to be digested. */
extern const OSSL_DISPATCH dps_tls_signature_functions[];

/* Borrowed; what key_data, as the provider's key management made it, stands for. */
DpsTlsRemoteKey *dps_tls_provider_get_remote (void *key_data);
