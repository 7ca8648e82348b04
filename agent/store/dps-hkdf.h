/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

#define DPS_HKDF_SHA256_MAX (255u * 32u)

/* HKDF with SHA-256, extract and expand (RFC 5869): size bytes (1..DPS_HKDF_SHA256_MAX)
 * from ikm (at least one byte). salt and info may be empty; an empty salt is the 32 zero
 * bytes of RFC 5869 §2.2. NULL and DPS_ERROR_FAILED where OpenSSL refuses. The result is
 * the caller's. */
DpsSecret *dps_hkdf_sha256 (const DpsSecret *ikm,
                            const guint8 *salt,
                            gsize salt_size,
                            const guint8 *info,
                            gsize info_size,
                            gsize size,
                            GError **error);
