/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* When a certificate that the service issued is renewed. Pure: times are µs since the
 * epoch by the service's clock, waits are µs, random numbers the caller's and spread
 * evenly over 0..G_MAXUINT32. */
typedef struct
{
  gint64 not_before;
  gint64 not_after;
} DpsValidity;

typedef enum
{
  DPS_RENEWAL_LATER,
  DPS_RENEWAL_DUE,    /* with the old certificate still good */
  DPS_RENEWAL_EXPIRED /* it is of no use; what the host was enrolled with is */
} DpsRenewal;

/* Due is a certificate after 80 % of its lifetime, and up to a twentieth of that later:
 * the same time on one device each time, another on another, so that those that were
 * provisioned together do not renew together. device is what it is named at the
 * service. */
gint64 dps_renewal_due (DpsValidity validity, const char *device);

/* A certificate whose time has not begun is due no earlier: this host's clock is behind,
 * or was put back. */
DpsRenewal dps_renewal_decide (DpsValidity validity, const char *device, gint64 now);

/* How long to wait after a renewal that failed: a quarter to three sixteenths of the time
 * that the certificate has left, so that tries become denser towards its end; at most a
 * day; never less than backoff, which any failure has (dps_schedule_plan()); but a last
 * try comes when it ends, where the service does not ask for more (asked, 0 = it does
 * not). After the end it is backoff alone, as without a certificate. */
gint64 dps_renewal_retry (DpsValidity validity,
                          gint64 now,
                          gint64 backoff,
                          gint64 asked,
                          guint32 random);

/* From when on somebody should know that the certificate was not renewed: 90 % of its
 * lifetime. A renewal that works leaves nobody anything to know. */
gint64 dps_renewal_alarm (DpsValidity validity);
