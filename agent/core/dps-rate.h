/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* DpsRate: how often each user may ask for what costs the host something, as token
 * buckets: DPS_RATE_BURST at once, and DPS_RATE_PER_SECOND after that. Pure. */
typedef struct _DpsRate DpsRate;

#define DPS_RATE_BURST 20u
#define DPS_RATE_PER_SECOND 5u

DpsRate *dps_rate_new (void);
void dps_rate_free (DpsRate *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsRate, dps_rate_free)

/* Takes one for uid; now is monotonic, in µs, and never goes back. FALSE with
 * DPS_ERROR_LIMITS_EXCEEDED where none is left: nothing is taken then. */
gboolean dps_rate_take (DpsRate *self, uid_t uid, gint64 now, GError **error);
