/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib.h>

/* Linked into an agent whose slow schedule is of a second, for dps_pacing_slow(). */
gint64 __wrap_dps_pacing_slow (guint32 random);

gint64
__wrap_dps_pacing_slow (guint32 random)
{
  return G_USEC_PER_SEC;
}
