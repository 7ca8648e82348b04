/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-registrar.h"
#include "core/dps-http-setup.h"

struct _DpsRegistrar
{
  DpsConfig *config;
  DpsHttpSessions *sessions;
  char *registration_id;
  char *payload;
  GBytes *endorsement_key, *storage_root_key; /* or NULL */
  GBytes *certificate_request;                /* or NULL */
  DpsTlsIdentity *tls;                        /* or NULL */
  DpsHttp *http; /* made by the first request, in its worker */
  DpsClient *client;
};

typedef struct
{
  DpsRegistrar *registrar;
  char *operation_id; /* NULL = register */
  DpsSecret *authorization;
} Request;

static void
request_free (Request *request)
{
  g_free (request->operation_id);
  g_clear_pointer (&request->authorization, dps_secret_unref);
  g_free (request);
}

DpsRegistrar *
dps_registrar_new (DpsSettings *settings, const DpsAttestation *attestation)
{
  DpsRegistrar *self = g_new0 (DpsRegistrar, 1);

  self->config = g_object_ref (dps_settings_get_config (settings));
  self->sessions = dps_http_sessions_ref (dps_settings_get_sessions (settings));
  self->registration_id = g_strdup (attestation->registration_id);
  self->payload = g_strdup (attestation->payload);
  if (attestation->endorsement_key != NULL)
    self->endorsement_key = g_bytes_ref (attestation->endorsement_key);
  if (attestation->storage_root_key != NULL)
    self->storage_root_key = g_bytes_ref (attestation->storage_root_key);
  if (attestation->tls != NULL)
    self->tls = dps_tls_identity_ref (attestation->tls);
  return self;
}

void
dps_registrar_set_certificate_request (DpsRegistrar *self, GBytes *request)
{
  g_return_if_fail (self->certificate_request == NULL);

  self->certificate_request = g_bytes_ref (request);
}

void
dps_registrar_free (DpsRegistrar *self)
{
  g_clear_pointer (&self->client, dps_client_free);
  g_clear_pointer (&self->http, dps_http_free);
  g_clear_pointer (&self->endorsement_key, g_bytes_unref);
  g_clear_pointer (&self->storage_root_key, g_bytes_unref);
  g_clear_pointer (&self->certificate_request, g_bytes_unref);
  g_clear_pointer (&self->tls, dps_tls_identity_unref);
  g_free (self->registration_id);
  g_free (self->payload);
  dps_http_sessions_unref (self->sessions);
  g_object_unref (self->config);
  g_free (self);
}

static gboolean
open_client (DpsRegistrar *self, GError **error)
{
  if (self->client != NULL)
    return TRUE;
  self->http = dps_http_setup (self->config, self->sessions, self->tls, error);
  if (self->http == NULL)
    return FALSE;
  self->client =
      dps_client_new (self->http,
                      dps_config_get_string (self->config, DPS_CONFIG_ENDPOINT),
                      dps_config_get_string (self->config, DPS_CONFIG_ID_SCOPE),
                      self->registration_id,
                      dps_config_get_string (self->config, DPS_CONFIG_API_VERSION));
  return TRUE;
}

/* A TPM's keys go with every PUT, as most clients do it (dps-protocol §5.4), and so does
 * a request for a certificate. */
static void
put (Request *request, GCancellable *cancellable, DpsExchange *exchange)
{
  DpsRegistrar *self = request->registrar;
  DpsRegisterParams params = { .body = { .payload = self->payload,
                                         .endorsement_key = self->endorsement_key,
                                         .storage_root_key = self->storage_root_key,
                                         .certificate_request =
                                             self->certificate_request },
                               .authorization = request->authorization };

  dps_client_register (self->client,
                       &params,
                       cancellable,
                       &exchange->outcome,
                       &exchange->error);
}

static void
request_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Request *request = data;
  g_autoptr (DpsExchange) exchange = g_new0 (DpsExchange, 1);
  GError *error = NULL;

  if (!open_client (request->registrar, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  if (request->operation_id == NULL)
    put (request, cancellable, exchange);
  else
    dps_client_poll (request->registrar->client,
                     request->operation_id,
                     request->authorization,
                     cancellable,
                     &exchange->outcome,
                     &exchange->error);
  g_task_return_pointer (task,
                         g_steal_pointer (&exchange),
                         (GDestroyNotify) dps_exchange_free);
}

static void
ask (DpsRegistrar *self,
     const char *operation_id,
     DpsSecret *authorization,
     GCancellable *cancellable,
     GAsyncReadyCallback callback,
     gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  Request *request = g_new0 (Request, 1);

  request->registrar = self;
  request->operation_id = g_strdup (operation_id);
  request->authorization = authorization ? dps_secret_ref (authorization) : NULL;
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, request, (GDestroyNotify) request_free);
  g_task_run_in_thread (task, request_in_thread);
}

void
dps_registrar_register_async (DpsRegistrar *self,
                              DpsSecret *authorization,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer data)
{
  ask (self, NULL, authorization, cancellable, callback, data);
}

void
dps_registrar_poll_async (DpsRegistrar *self,
                          const char *operation_id,
                          DpsSecret *authorization,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer data)
{
  ask (self, operation_id, authorization, cancellable, callback, data);
}

DpsExchange *
dps_registrar_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
