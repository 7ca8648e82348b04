/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-http.h"
#include "dps/dps-message.h"
#include "dps/dps-pacing.h"

/* The calls of one registration at one provisioning service. Blocking, for a worker. No
 * retry, no waiting, no policy: that is for the core to decide, from the outcome. */
typedef struct _DpsClient DpsClient;

/* Everything is copied but http, which is borrowed and outlives the client: calls share
 * its connection. */
DpsClient *dps_client_new (DpsHttp *http,
                           const char *host,
                           const char *scope,
                           const char *registration_id,
                           const char *api_version);
void dps_client_free (DpsClient *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsClient, dps_client_free)

typedef struct
{
  DpsRegisterBody body;
  const DpsSecret *authorization; /* the token; NULL for X.509 and a TPM's first call */
} DpsRegisterParams;

/* What a call came to; filled on failure too, as far as it got. Owned by whoever declares
 * it: g_auto (DpsOutcome) outcome = { 0 }. */
typedef struct
{
  guint http_status;       /* 0 = no answer */
  DpsHttpFailure failure;  /* why there is none */
  gboolean not_json;       /* something else than the service answered */
  gboolean bad_assignment; /* a 2xx is assigned to no hub or device that could be one */

  DpsReply *reply;                /* register, poll: 2xx */
  DpsRegistration *registration;  /* lookup: 2xx */
  DpsServiceError *service_error; /* 4xx and 5xx with a body that could be read */
  gboolean challenge; /* service_error is the TPM challenge: its authentication_key */

  gint64 retry_after;    /* µs, DPS_PACING_NONE */
  gint64 server_offset;  /* µs the service's clock is ahead of ours, within a second or
                            so; 0 also where there was no Date */
  DpsHttpResponse *http; /* of the connection; NULL only where nothing was tried */
} DpsOutcome;

void dps_outcome_clear (DpsOutcome *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DpsOutcome, dps_outcome_clear)

/* The service's trackingId, and its x-ms-request-id: support asks for both. Borrowed,
 * NULL if there is none. */
const char *dps_outcome_tracking_id (const DpsOutcome *self);
const char *dps_outcome_request_id (const DpsOutcome *self);

/* Each returns TRUE where there is an answer to act on: a 2xx that could be read, or any
 * other status, whatever its body. FALSE with an error where there is none: those of
 * dps_http_perform(), or for a 2xx DPS_ERROR_REJECTED where it is empty, malformed or not
 * JSON, and, with bad_assignment, DPS_ERROR_INVALID_ARGUMENT. *out is cleared first. */

/* §2.1. Final answers at once are as good as an operation to poll. */
gboolean dps_client_register (DpsClient *self,
                              const DpsRegisterParams *params,
                              GCancellable *cancellable,
                              DpsOutcome *out,
                              GError **error);

/* §2.2. authorization as in the register call, or NULL. */
gboolean dps_client_poll (DpsClient *self,
                          const char *operation_id,
                          const DpsSecret *authorization,
                          GCancellable *cancellable,
                          DpsOutcome *out,
                          GError **error);

/* §2.5: the current assignment, without a new registration. A certificate request in
 * params is left out, as it is an error there. */
gboolean dps_client_lookup (DpsClient *self,
                            const DpsRegisterParams *params,
                            GCancellable *cancellable,
                            DpsOutcome *out,
                            GError **error);

/* §6.5: lists the modules of device at hub, to prove a credential by its status. The body
 * of a 2xx is not looked at. */
gboolean dps_client_hub_modules (DpsHttp *http,
                                 const char *hub,
                                 const char *device,
                                 const DpsSecret *authorization,
                                 GCancellable *cancellable,
                                 DpsOutcome *out,
                                 GError **error);
