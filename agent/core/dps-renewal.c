/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-renewal.h"

#include "dps/dps-pacing.h"

#define DAY (G_GINT64_CONSTANT (86400) * G_USEC_PER_SEC)

/* Dates of certificates are far from the ends of what 64 bits hold: until the year 9999
 * in µs is a thirtieth of it. */
static gint64
lifetime (DpsValidity validity)
{
  return MAX (validity.not_after - validity.not_before, 0);
}

gint64
dps_renewal_due (DpsValidity validity, const char *device)
{
  const gint64 whole = lifetime (validity);
  const gint64 spread = MIN (whole / 20 / G_USEC_PER_SEC, (gint64) G_MAXUINT);

  return validity.not_before + whole / 5 * 4 + dps_pacing_splay (device, (guint) spread);
}

DpsRenewal
dps_renewal_decide (DpsValidity validity, const char *device, gint64 now)
{
  if (now >= validity.not_after)
    return DPS_RENEWAL_EXPIRED;
  return now >= dps_renewal_due (validity, device) ? DPS_RENEWAL_DUE : DPS_RENEWAL_LATER;
}

gint64
dps_renewal_retry (DpsValidity validity,
                   gint64 now,
                   gint64 backoff,
                   gint64 asked,
                   guint32 random)
{
  const gint64 left = validity.not_after - now;
  const gint64 step = MIN (left / 4, DAY);
  gint64 wait;

  if (left <= 0)
    return MAX (backoff, asked);
  wait = step - (step / 4 * (random >> 16) >> 16);
  wait = MIN (MAX (wait, backoff), left);
  return MAX (wait, asked);
}

gint64
dps_renewal_alarm (DpsValidity validity)
{
  return validity.not_before + lifetime (validity) / 10 * 9;
}
