/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-certificate.h"

#include <openssl/evp.h>

/* How far in the future a certificate may begin. Below this figure the agent puts a
 * difference of clocks down to nobody (design §7, "Time"), so a host's may be that much
 * behind the authority's. The hub, which has the last word, has a clock of its own. */
#define DPS_ISSUED_CHAIN_AHEAD (5 * 60 * G_USEC_PER_SEC)

/* Whether chain, as the service issued it, is what this host asked for: the leaf is for
 * public_key, which is ours, and for registration_id (without case), and may authenticate
 * a client; all of it is valid at now (µs since the epoch, by the service's clock), each
 * certificate was signed by the next, and one that names itself as issuer by itself. No
 * trust in an authority is decided here: that is the hub's. Pure.
 *
 * FALSE with DPS_ERROR_REJECTED, and a text of its own for each fault. */
gboolean dps_issued_chain_check (DpsCertificateChain *chain,
                                 EVP_PKEY *public_key,
                                 const char *registration_id,
                                 gint64 now,
                                 GError **error);
