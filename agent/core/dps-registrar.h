/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-attestation.h"
#include "core/dps-settings.h"
#include "core/dps-step.h"

#include <gio/gio.h>

/* DpsRegistrar: the requests of one registration, all on one connection to DPS. Main
 * thread, one request at a time; each blocks in a worker, until which self must live. */
typedef struct _DpsRegistrar DpsRegistrar;

/* For the configuration in force. Takes from attestation what DPS is shown; keeps nothing
 * of it. */
DpsRegistrar *dps_registrar_new (DpsSettings *settings,
                                 const DpsAttestation *attestation);
/* DER PKCS#10 that goes with every PUT from now on; referenced. */
void dps_registrar_set_certificate_request (DpsRegistrar *self, GBytes *request);
/* Ends the connection. */
void dps_registrar_free (DpsRegistrar *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsRegistrar, dps_registrar_free)

/* The PUT; authorization is the token, NULL for what is to be challenged, and for
 * a certificate, which goes with the connection. */
void dps_registrar_register_async (DpsRegistrar *self,
                                   DpsSecret *authorization,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer data);

/* The question how the operation goes on. */
void dps_registrar_poll_async (DpsRegistrar *self,
                               const char *operation_id,
                               DpsSecret *authorization,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer data);

/* The caller's; NULL and an error where the configuration leaves no way to ask. */
DpsExchange *dps_registrar_finish (GAsyncResult *result, GError **error);
