/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Sealed memory files: how keys and blobs cross between processes. Apart from DpsSecret
 * so that a small process needs no libcrypto for them. */

/* A memory file holding the bytes, sealed against any change, offset 0, close-on-exec;
 * the caller owns it. -1 with error set on failure. */
int dps_memfd_new (const char *label, const void *data, gsize size, GError **error);

/* Whether fd is a regular (memory) file sealed against writing, shrinking and growing, of
 * at most max bytes; so its size, which goes to *size, and content stay what they are.
 * DPS_ERROR_REJECTED where it is not sealed, DPS_ERROR_LIMITS_EXCEEDED where it is too
 * large. Nothing is read. fd stays the caller's. */
gboolean dps_memfd_check (int fd, gsize max, gsize *size, GError **error);
