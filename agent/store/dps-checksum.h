/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* SHA-256 over size bytes, into DPS_CHECKSUM_SIZE bytes at out: for what is not secret.
 */
#define DPS_CHECKSUM_SIZE 32u

void dps_checksum (const guint8 *data, gsize size, guint8 *out);
