/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-client.h"
#include "common/dps-error.h"

#define HUB_API_VERSION "2017-11-08-preview"

struct _DpsClient
{
  DpsHttp *http;
  char *host;
  char *scope;
  char *registration_id;
  char *api_version;
};

typedef enum
{
  ANSWER_REGISTER,
  ANSWER_POLL,
  ANSWER_LOOKUP,
  ANSWER_IGNORED,
} Answer;

DpsClient *
dps_client_new (DpsHttp *http,
                const char *host,
                const char *scope,
                const char *registration_id,
                const char *api_version)
{
  DpsClient *self;

  g_return_val_if_fail (http != NULL && host != NULL && scope != NULL, NULL);
  g_return_val_if_fail (registration_id != NULL && api_version != NULL, NULL);

  self = g_new0 (DpsClient, 1);
  self->http = http;
  self->host = g_strdup (host);
  self->scope = g_strdup (scope);
  self->registration_id = g_strdup (registration_id);
  self->api_version = g_strdup (api_version);
  return self;
}

void
dps_client_free (DpsClient *self)
{
  if (self == NULL)
    return;
  g_free (self->host);
  g_free (self->scope);
  g_free (self->registration_id);
  g_free (self->api_version);
  g_free (self);
}

void
dps_outcome_clear (DpsOutcome *self)
{
  g_clear_pointer (&self->reply, dps_reply_free);
  g_clear_pointer (&self->registration, dps_registration_free);
  g_clear_pointer (&self->service_error, dps_service_error_free);
  g_clear_pointer (&self->http, dps_http_response_free);
  *self = (DpsOutcome){ .retry_after = DPS_PACING_NONE };
}

const char *
dps_outcome_tracking_id (const DpsOutcome *self)
{
  return self->service_error != NULL ? self->service_error->tracking_id : NULL;
}

const char *
dps_outcome_request_id (const DpsOutcome *self)
{
  return self->http != NULL ? self->http->request_id : NULL;
}

/* What the headers say; now is when the answer had come. */
static void
read_headers (DpsOutcome *out, gint64 now)
{
  gint64 date;

  out->http_status = out->http->status;
  out->failure = out->http->failure;
  out->retry_after =
      dps_pacing_parse_retry_after (out->http->retry_after, out->http->date, now);
  /* Date leaves its fraction of a second out: half of one on average. */
  if (dps_pacing_parse_date (out->http->date, now, &date))
    out->server_offset = date + G_USEC_PER_SEC / 2 - now;
}

/* A refusal speaks through its status; its body is read where it can be. */
static void
read_refusal (DpsOutcome *out)
{
  gsize size;
  const char *body = g_bytes_get_data (out->http->body, &size);

  out->not_json = !dps_message_check_content_type (out->http->content_type, NULL);
  if (out->not_json || size == 0)
    return;
  out->service_error = dps_message_parse_error (body, size, NULL);
  out->challenge = dps_service_error_is_challenge (out->service_error, out->http_status);
}

static gboolean
read_success (DpsOutcome *out, Answer answer, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gsize size;
  const char *body = g_bytes_get_data (out->http->body, &size);

  if (answer == ANSWER_IGNORED)
    return TRUE;
  if (!dps_message_check_content_type (out->http->content_type, error))
    {
      out->not_json = TRUE;
      return FALSE;
    }
  if (answer == ANSWER_LOOKUP)
    out->registration = dps_message_parse_lookup (body, size, &local_error);
  else if (answer == ANSWER_REGISTER)
    out->reply = dps_message_parse_register (body, size, &local_error);
  else
    out->reply = dps_message_parse_poll (body, size, &local_error);
  if (local_error == NULL)
    return TRUE;
  out->bad_assignment =
      g_error_matches (local_error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
call (DpsHttp *http,
      const DpsHttpRequest *request,
      Answer answer,
      GCancellable *cancellable,
      DpsOutcome *out,
      GError **error)
{
  gboolean answered = dps_http_perform (http, request, cancellable, &out->http, error);

  read_headers (out, g_get_real_time ());
  if (!answered)
    return FALSE;
  if (out->http_status < 200 || out->http_status >= 300)
    {
      read_refusal (out);
      return TRUE;
    }
  if (!read_success (out, answer, error))
    {
      g_prefix_error (error, "%s, status %u: ", request->host, out->http_status);
      return FALSE;
    }
  return TRUE;
}

/* Register and lookup differ in method and path only. */
static gboolean
send_registration (DpsClient *self,
                   const char *method,
                   const char *path,
                   const DpsRegisterBody *content,
                   const DpsSecret *authorization,
                   Answer answer,
                   GCancellable *cancellable,
                   DpsOutcome *out,
                   GError **error)
{
  g_autofree char *body = NULL;
  DpsHttpRequest request = { .method = method,
                             .host = self->host,
                             .path = path,
                             .authorization = authorization };

  dps_outcome_clear (out);
  body = dps_message_register_body (self->registration_id, content, error);
  if (body == NULL)
    {
      out->failure = DPS_HTTP_FAILURE_LOCAL;
      return FALSE;
    }
  request.body = body;
  return call (self->http, &request, answer, cancellable, out, error);
}

gboolean
dps_client_register (DpsClient *self,
                     const DpsRegisterParams *params,
                     GCancellable *cancellable,
                     DpsOutcome *out,
                     GError **error)
{
  g_autofree char *path = NULL;

  g_return_val_if_fail (self != NULL && params != NULL && out != NULL, FALSE);

  path =
      dps_message_register_path (self->scope, self->registration_id, self->api_version);
  return send_registration (self,
                            "PUT",
                            path,
                            &params->body,
                            params->authorization,
                            ANSWER_REGISTER,
                            cancellable,
                            out,
                            error);
}

gboolean
dps_client_lookup (DpsClient *self,
                   const DpsRegisterParams *params,
                   GCancellable *cancellable,
                   DpsOutcome *out,
                   GError **error)
{
  g_autofree char *path = NULL;
  DpsRegisterBody content;

  g_return_val_if_fail (self != NULL && params != NULL && out != NULL, FALSE);

  path = dps_message_lookup_path (self->scope, self->registration_id, self->api_version);
  content = params->body;
  content.certificate_request = NULL;
  return send_registration (self,
                            "POST",
                            path,
                            &content,
                            params->authorization,
                            ANSWER_LOOKUP,
                            cancellable,
                            out,
                            error);
}

gboolean
dps_client_poll (DpsClient *self,
                 const char *operation_id,
                 const DpsSecret *authorization,
                 GCancellable *cancellable,
                 DpsOutcome *out,
                 GError **error)
{
  g_autofree char *path = NULL;
  DpsHttpRequest request = { .method = "GET", .authorization = authorization };

  g_return_val_if_fail (self != NULL && operation_id != NULL && out != NULL, FALSE);

  path = dps_message_operation_path (self->scope,
                                     self->registration_id,
                                     operation_id,
                                     self->api_version);
  request.host = self->host;
  request.path = path;
  dps_outcome_clear (out);
  return call (self->http, &request, ANSWER_POLL, cancellable, out, error);
}

gboolean
dps_client_hub_modules (DpsHttp *http,
                        const char *hub,
                        const char *device,
                        const DpsSecret *authorization,
                        GCancellable *cancellable,
                        DpsOutcome *out,
                        GError **error)
{
  g_autofree char *path = NULL;
  DpsHttpRequest request = { .method = "GET",
                             .host = hub,
                             .authorization = authorization,
                             .ignore_body = TRUE };

  g_return_val_if_fail (http != NULL && hub != NULL && device != NULL, FALSE);
  g_return_val_if_fail (out != NULL, FALSE);

  path = dps_message_modules_path (device, HUB_API_VERSION);
  request.path = path;
  dps_outcome_clear (out);
  return call (http, &request, ANSWER_IGNORED, cancellable, out, error);
}
