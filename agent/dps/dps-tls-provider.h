/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-tls-remote-key.h"

/* The built-in OpenSSL provider: key management and signatures for DpsTlsRemoteKey, RSA
 * and EC, and nothing else. It lives in a library context of its own, so that no fetch of
 * the rest of the process finds it: only a key that was made here leads to it. */

/* An EVP_PKEY that holds a reference to remote; the caller's. NULL with DPS_ERROR_FAILED.
 */
EVP_PKEY *dps_tls_provider_wrap (DpsTlsRemoteKey *remote, GError **error);
