/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-keeper.h"
#include "core/dps-renewal.h"
#include "core/dps-report.h"

/* DpsRenewer: watches over the certificate of the identity in force: says when one that
 * the service issued is to be renewed (dps-renewal.h), and warns (DPS-E503) of one that
 * comes near its end, whoever made it. Main thread. */
typedef struct _DpsRenewer DpsRenewer;

/* A renewal that is due within this time is waited for by the process; a later one by
 * dps-agent-renew.timer, whose period is shorter. */
#define DPS_RENEWER_HORIZON (G_GINT64_CONSTANT (150) * 60 * G_USEC_PER_SEC)

/* due is called once a renewal is due, and again every few minutes while it is; changed
 * where dps_renewer_is_active() may have become another. Both objects are referenced. */
DpsRenewer *dps_renewer_new (DpsKeeper *keeper,
                             DpsReport *report,
                             void (*due) (gpointer data),
                             void (*changed) (gpointer data),
                             gpointer data);
void dps_renewer_free (DpsRenewer *self);

/* Looks at the identity in force anew, which may be another, or none. */
void dps_renewer_plan (DpsRenewer *self);

/* Whether the process is to stay for one that will be due. */
gboolean dps_renewer_is_active (DpsRenewer *self);

/* DPS_RENEWAL_LATER too where there is no certificate that the service issued. */
DpsRenewal dps_renewer_decide (DpsRenewer *self);

/* dps_renewal_retry() for the certificate in force, where dps_renewer_decide() is
 * DPS_RENEWAL_DUE. */
gint64 dps_renewer_retry (DpsRenewer *self, gint64 backoff, gint64 asked);
