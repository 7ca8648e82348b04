/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-attestation.h"
#include "core/dps-issuance.h"
#include "core/dps-report.h"
#include "core/dps-settings.h"
#include "core/dps-signer.h"
#include "core/dps-vault.h"
#include "dps/dps-message.h"

#include <gio/gio.h>

/* DpsAssignment: what the service has assigned to this host, and all that makes an
 * identity of it. */
typedef struct
{
  DpsSettings *settings;
  DpsConfig *config; /* the attempt's */
  DpsReport *report;
  DpsSigner *signer;
  DpsAttestation *attestation;
  DpsRegistration *registration;
  DpsIssuance *issuance; /* of the certificate that was asked for, or NULL */
  gboolean challenged;   /* a second challenge has the key toward the hub */
  gint64 clock_offset;   /* added to our clock to date tokens, in µs */
} DpsAssignment;

/* Checks that the assigned hub may be one, makes the identity, and shows it to the hub;
 * moves the report to proving. All of self is borrowed until the callback. Main thread.
 */
void dps_assignment_prove_async (const DpsAssignment *self,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer data);

/* As dps_attempt_run_finish(). */
DpsIdentity *dps_assignment_prove_finish (GAsyncResult *result, DpsFailure **failure);
