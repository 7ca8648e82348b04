/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Finds a secret, or a part of one, in a text that anybody may read. Pure. */

/* In which form text holds DPS_CHECK_TRACE_MIN bytes in a row, or more, of the secret's
 * first kilobyte: "as it is", "in hex", "in base64"; NULL where it does not. Static. */
const char *dps_check_find_trace (const char *text,
                                  const guint8 *secret,
                                  gsize secret_size);

#define DPS_CHECK_TRACE_MIN 12
