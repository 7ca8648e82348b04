/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-issued-key.h"

/* A PKCS#10 request (RFC 2986) in DER for the certificate of key, signed by it with
 * ECDSA-SHA384, as the service wants it (dps-protocol §2.9): the subject is one common
 * name, exactly registration_id, and there is no attribute. The caller's. Blocks where
 * the key lies in a TPM.
 *
 * DPS_ERROR_INVALID_ARGUMENT where the registration id is longer than a common name may
 * be (64 characters, RFC 5280 ub-common-name), and what dps_issued_key_sign() fails
 * with. */
GBytes *dps_certificate_request_new (DpsIssuedKey *key,
                                     const char *registration_id,
                                     GError **error);
