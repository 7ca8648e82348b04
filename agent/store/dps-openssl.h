/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Sets DPS_ERROR_FAILED with what failed and the reason OpenSSL queued, empties that
 * queue, and returns FALSE so that a caller can return it. */
gboolean dps_openssl_fail (GError **error, const char *what);

/* Fills size bytes from the generator OpenSSL keeps for private values. */
gboolean dps_openssl_random (guint8 *out, gsize size, GError **error);
