/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-vault.h"

/* What the device's credential can do. dps_credential_sign() is the only place that looks
 * at the shape of a credential. */

#define DPS_TOKEN_TTL_MAX 3600u

/* The signature over bytes toward the hub; the caller's. */
GBytes *dps_credential_sign (const DpsIdentity *identity, GBytes *bytes, GError **error);

/* A SAS token for the assigned hub (dps-protocol §6.2), the caller's. audience is
 * "device" or "module:ID"; now is Unix seconds by the service's clock; *expiry likewise.
 * DPS_ERROR_INVALID_ARGUMENT for another audience, DPS_ERROR_LIMITS_EXCEEDED for a ttl
 * outside 1 to DPS_TOKEN_TTL_MAX seconds. */
char *dps_credential_create_token (const DpsIdentity *identity,
                                   const char *audience,
                                   guint32 ttl,
                                   guint64 now,
                                   guint64 *expiry,
                                   GError **error);
