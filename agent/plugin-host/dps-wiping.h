/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* From here on OpenSSL wipes all memory that it gives back: its decoders leave copies of
 * a private key behind. To be called before anything else of OpenSSL; FALSE where it was
 * too late. */
gboolean dps_wiping_install (void);
