/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-state.h"
#include "net/dps-failure.h"

/* When and in which state the agent waits after a failed attempt. */
typedef struct
{
  DpsState state;
  gint64 wait; /* µs until the next attempt */
} DpsPlan;

/* Pure. failures counts this one; random is spread over 0..G_MAXUINT32. What heals by
 * itself backs off exponentially, what an operator must heal is held on the slow
 * schedule, and neither comes before the service allowed. */
DpsPlan dps_schedule_plan (const DpsFailure *failure,
                           guint failures,
                           guint32 random,
                           gboolean network_is_up);

/* Whether this host has a network, as far as the kernel tells. */
gboolean dps_schedule_network_is_up (void);

/* This machine's place inside the splay, in µs; always the same. */
gint64 dps_schedule_splay (guint splay_seconds);
