/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The file form of a small record without secrets: 8 bytes magic "DPSINT01", the SHA-256
 * of the record (32 bytes), the record. Pure. */
#define DPS_INTENT_MAX (16u * 1024u)
#define DPS_INTENT_FILE_MAX (8u + 32u + DPS_INTENT_MAX)

/* At most DPS_INTENT_MAX bytes, else DPS_ERROR_LIMITS_EXCEEDED. The result is the
 * caller's. */
GBytes *dps_intent_pack (GBytes *record, GError **error);

/* The record, the caller's, or NULL and DPS_ERROR_REJECTED. */
GBytes *dps_intent_unpack (GBytes *file, GError **error);
