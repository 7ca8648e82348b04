/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-dps.h"

#include "em-access.h"
#include "em-json.h"

#include <string.h>

/* Codes of the error body where the service's own are not known: the status and three
 * digits. */
#define CODE_BAD_REQUEST 400004
#define CODE_NOT_FOUND 404201
#define CODE_ALLOCATION_FAILED 400207

typedef enum
{
  ROUTE_REGISTER,
  ROUTE_OPERATION,
  ROUTE_LOOKUP,
  ROUTE_NONE,
} Route;

/* One request on its way through the checks. */
typedef struct
{
  const EmDps *dps;
  const EmDpsOptions *options;
  const EmRequest *request;
  const EmAnswer *tweak;
  GStrv segments;
  JsonNode *body;
  X509_REQ *csr;
  EmAccess access;
} Call;

static void
call_clear (Call *call)
{
  g_clear_pointer (&call->segments, g_strfreev);
  g_clear_pointer (&call->body, json_node_unref);
  g_clear_pointer (&call->csr, X509_REQ_free);
  em_access_clear (&call->access);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Call, call_clear)

static const char *const api_versions[] = {
  "2017-08-31-preview", "2018-04-01",         "2018-09-01-preview", "2019-03-31",
  "2021-06-01",         "2021-10-01",         "2025-07-01-preview", "2026-04-01",
  "2026-11-01",         "2026-11-02-preview", "2026-11-15-preview", NULL,
};

/* The first that knows a csr; those of an earlier date ignore it, as any other member. */
#define CSR_VERSION "2025-07-01-preview"

static Route
find_route (GStrv segments)
{
  guint n = g_strv_length (segments);

  if (n < 3 || !g_str_equal (segments[1], "registrations") || *segments[2] == '\0')
    return ROUTE_NONE;
  if (n == 3)
    return ROUTE_LOOKUP;
  if (n == 4 && g_str_equal (segments[3], "register"))
    return ROUTE_REGISTER;
  if (n == 5 && g_str_equal (segments[3], "operations"))
    return ROUTE_OPERATION;
  return ROUTE_NONE;
}

static EmReply *
check_route (Call *call, Route *route)
{
  static const char *const methods[] = {
    [ROUTE_REGISTER] = "PUT",
    [ROUTE_OPERATION] = "GET",
    [ROUTE_LOOKUP] = "POST",
  };
  g_autofree char *version = em_request_query (call->request, "api-version");
  EmReply *reply;

  call->segments = em_request_segments (call->request);
  if (call->segments == NULL)
    return em_reply_new_error (400, CODE_BAD_REQUEST, "Malformed path");

  *route = find_route (call->segments);
  if (*route == ROUTE_NONE)
    return em_reply_new_error (404, 404000, "Not found");
  if (g_strcmp0 (call->request->method, methods[*route]) != 0)
    {
      reply = em_reply_new_error (405, 405000, "Method not allowed");
      em_reply_set_header (reply, "Allow", methods[*route]);
      return reply;
    }
  if (version == NULL || !g_strv_contains (api_versions, version))
    return em_reply_new_error (400, CODE_BAD_REQUEST, "Unknown api-version");
  if (g_ascii_strcasecmp (call->segments[0], call->options->id_scope) != 0)
    return em_reply_new_error (404, CODE_NOT_FOUND, "Unknown ID scope");
  return NULL;
}

static gboolean
is_json_type (const char *type)
{
  static const char json[] = "application/json";
  gsize len = strlen (json);

  return type != NULL && g_ascii_strncasecmp (type, json, len) == 0 &&
         (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

static EmReply *
check_body (Call *call, Route route)
{
  const EmRequest *request = call->request;
  JsonObject *object;
  const char *id;

  call->body = em_json_parse (request->body->str, request->body->len, NULL);
  if (call->body == NULL || !JSON_NODE_HOLDS_OBJECT (call->body))
    return em_reply_new_error (400, CODE_BAD_REQUEST, "The body is not a JSON object");

  object = json_node_get_object (call->body);
  id = em_json_peek_string (object, "registrationId");
  if (id == NULL || g_ascii_strcasecmp (id, call->segments[2]) != 0)
    return em_reply_new_error (400,
                               CODE_BAD_REQUEST,
                               "registrationId is not the one of the path");
  if (route == ROUTE_LOOKUP && json_object_has_member (object, "csr"))
    return em_reply_new_error (400, CODE_BAD_REQUEST, "csr has no place in a lookup");
  return NULL;
}

/* Some clients send a body with the status poll, so nobody reads it there. */
static EmReply *
check_access (Call *call, Route route)
{
  EmReply *reply = NULL;
  gboolean body_first;

  em_access_look_up (&call->access, call->dps->enrolments, call->segments[2]);
  body_first = em_access_needs_body (&call->access);
  if (body_first && route != ROUTE_OPERATION)
    reply = check_body (call, route);
  if (reply == NULL)
    reply =
        em_access_check (&call->access,
                         call->body != NULL ? json_node_get_object (call->body) : NULL);
  if (reply == NULL && !body_first && route != ROUTE_OPERATION)
    reply = check_body (call, route);
  return reply;
}

static gboolean
takes_csr (const Call *call)
{
  g_autofree char *version = em_request_query (call->request, "api-version");

  if (call->tweak != NULL && call->tweak->csr == EM_CSR_IGNORED)
    return FALSE;
  return strcmp (version, CSR_VERSION) >= 0;
}

/* Whether the service ignores a CSR that no policy provides for, or refuses it, is not
 * known: the scenario says. */
static EmReply *
check_csr (Call *call)
{
  JsonObject *body = json_node_get_object (call->body);
  JsonNode *node = json_object_get_member (body, "csr");
  const char *text = em_json_peek_string (body, "csr");
  g_autofree char *message = NULL;
  const char *why = "it is not a string";

  if (node == NULL || JSON_NODE_HOLDS_NULL (node) || !takes_csr (call))
    return NULL;
  if (call->tweak != NULL && call->tweak->csr == EM_CSR_REFUSED)
    return em_reply_new_error (400,
                               CODE_BAD_REQUEST,
                               "csr: the enrolment has no policy for it");
  if (call->access.enrolment->issued_lifetime == 0)
    return NULL;

  if (text != NULL)
    call->csr = em_csr_parse (text, call->segments[2], &why);
  if (call->csr != NULL)
    return NULL;
  message = g_strconcat ("csr: ", why, NULL);
  return em_reply_new_error (400, CODE_BAD_REQUEST, message);
}

static EmReply *
check_size_and_type (Call *call, Route route)
{
  if (call->request->body_len > EM_BODY_MAX)
    return em_reply_new_error (413, 413000, "The body is too large");
  if (call->options->strict_content_type && route != ROUTE_OPERATION &&
      !is_json_type (call->request->content_type))
    return em_reply_new_error (415, 415000, "Unsupported media type");
  return NULL;
}

static void
add_string (JsonObject *object, const char *member, const char *value)
{
  if (value != NULL)
    json_object_set_string_member (object, member, value);
}

static void
add_time (JsonObject *object, const char *member, gint64 us)
{
  g_autofree char *text = em_time_text (us);

  json_object_set_string_member (object, member, text);
}

/* The member that is named for the attestation. */
static const char *
attestation_name (const EmRecord *record)
{
  if (record->host != NULL)
    return "tpm";
  return record->enrolment->trust != NULL ? "x509" : "symmetricKey";
}

static void
add_assignment (JsonObject *state, EmRecord *record)
{
  JsonObject *key = json_object_new ();
  JsonNode *payload =
      record->enrolment->echo ? record->request_payload : record->enrolment->payload;

  add_string (state, "assignedHub", record->hub);
  add_string (state, "deviceId", record->device_id);
  add_string (state, "substatus", record->substatus);
  add_string (key, "enrollmentGroupId", record->enrolment->group_id);
  if (record->host != NULL)
    add_string (key, "authenticationKey", record->authentication_key);
  json_object_set_object_member (state, attestation_name (record), key);
  if (payload != NULL)
    json_object_set_member (state, "payload", json_node_copy (payload));
}

static JsonNode *
registration_state (EmRecord *record, const char *status)
{
  JsonNode *node = json_node_alloc ();
  g_autoptr (JsonObject) state = json_object_new ();

  json_node_init_object (node, state);
  add_string (state, "registrationId", record->enrolment->registration_id);
  add_string (state, "status", status);
  if (g_str_equal (status, "assigning"))
    return node;

  add_time (state, "createdDateTimeUtc", record->created);
  add_time (state, "lastUpdatedDateTimeUtc", record->updated);
  add_string (state, "etag", record->etag);
  if (g_str_equal (status, "assigned"))
    add_assignment (state, record);
  if (g_str_equal (status, "failed"))
    {
      json_object_set_int_member (state, "errorCode", record->error_code);
      add_string (state, "errorMessage", record->error_message);
    }
  return node;
}

/* An operation's, and not a lookup's: that has no issued chain. */
static JsonNode *
operation_state (EmRecord *record, const char *status)
{
  JsonNode *node = registration_state (record, status);

  if (g_str_equal (status, "assigned") && record->issued_chain != NULL)
    json_object_set_array_member (json_node_get_object (node),
                                  "issuedCertificateChain",
                                  json_array_ref (record->issued_chain));
  return node;
}

static EmReply *
operation_reply (Call *call,
                 EmRecord *record,
                 EmOperation *operation,
                 const char *status,
                 gboolean full)
{
  g_autoptr (JsonNode) root = json_node_alloc ();
  g_autoptr (JsonObject) object = json_object_new ();
  gboolean running = g_str_equal (status, "assigning");
  EmReply *reply;

  json_node_init_object (root, object);
  add_string (object, "operationId", operation->id);
  add_string (object, "status", status);
  if (full)
    json_object_set_member (object,
                            "registrationState",
                            operation_state (record, status));

  reply = em_reply_new_json (running ? 202 : 200, root);
  if (running)
    em_reply_set_header (reply, "Retry-After", call->options->retry_after);
  return reply;
}

/* With an issued certificate the hub knows nothing else. */
static void
issue (Call *call, EmRecord *record)
{
  g_clear_pointer (&record->issued_chain, json_array_unref);
  if (record->csr == NULL)
    return;

  record->issued_chain =
      em_issuer_issue (call->dps->issuer,
                       record->csr,
                       record->enrolment->issued_lifetime,
                       call->tweak != NULL ? call->tweak->issued_chain : EM_ISSUE_SOUND);
  em_record_set_hub_trust (record, em_issuer_get_trust (call->dps->issuer));
}

static void
assign (Call *call, EmRecord *record, const char *hub, const char *device_id)
{
  if (record->host != NULL)
    {
      g_autofree char *data = g_strconcat (hub, "/devices/", device_id, NULL);

      em_tpm_renew_key (call->dps->tpm, record, data, call->access.fault);
    }
  em_registry_assign (call->dps->registry, record, hub, device_id);
  issue (call, record);
}

static void
finish_operation (Call *call,
                  EmRecord *record,
                  EmOperation *operation,
                  const char *status)
{
  const EmAnswer *tweak = call->tweak;
  const EmEnrolment *enrolment = record->enrolment;
  const char *hub = enrolment->hub != NULL ? enrolment->hub : call->options->default_hub;
  const char *device_id = enrolment->device_id;
  const char *message = "Custom allocation failed with status code: 500";

  if (tweak != NULL && tweak->hub != NULL)
    hub = tweak->hub;
  if (tweak != NULL && tweak->device_id != NULL)
    device_id = tweak->device_id;
  if (tweak != NULL && tweak->error_message != NULL)
    message = tweak->error_message;

  g_free (operation->status);
  operation->status = g_strdup (status);
  record->error_code = tweak != NULL && tweak->error_code != 0 ? (int) tweak->error_code
                                                               : CODE_ALLOCATION_FAILED;
  g_free (record->error_message);
  record->error_message = g_strdup (message);

  if (g_str_equal (status, "assigned"))
    assign (call, record, hub, device_id);
  else
    em_record_touch (record);
}

static gboolean
is_final (const char *status)
{
  static const char *const final[] = { "assigned", "failed", "disabled", NULL };

  return g_strv_contains (final, status);
}

/* A status of the scenario that ends the operation is kept; any other is for this answer
 * alone. */
static const char *
tweaked_status (Call *call, EmRecord *record, EmOperation *operation)
{
  const char *status = call->tweak->operation_status;

  if (is_final (status))
    finish_operation (call, record, operation, status);
  return status;
}

static const char *
advance_operation (Call *call, EmRecord *record, EmOperation *operation)
{
  gboolean disabled = record->enrolment->status == EM_DISABLED;

  if (call->tweak != NULL && call->tweak->operation_status != NULL)
    return tweaked_status (call, record, operation);
  if (is_final (operation->status))
    return operation->status;

  if (operation->polls_left > 0)
    operation->polls_left--;
  else
    finish_operation (call, record, operation, disabled ? "disabled" : "assigned");
  return operation->status;
}

static void
keep_payload (Call *call, EmRecord *record)
{
  JsonNode *payload =
      json_object_get_member (json_node_get_object (call->body), "payload");

  g_clear_pointer (&record->request_payload, json_node_unref);
  if (payload != NULL && !JSON_NODE_HOLDS_NULL (payload))
    record->request_payload = json_node_copy (payload);
}

static EmReply *
handle_register (Call *call)
{
  EmRecord *record = em_registry_register (call->dps->registry,
                                           g_steal_pointer (&call->access.enrolment),
                                           call->options->polls);
  EmOperation *operation = g_queue_peek_head (&record->operations);
  const char *host = call->request->host != NULL ? call->request->host : "";
  const char *target = call->request->target;
  const char *status = operation->status;
  g_autofree char *location = NULL;
  EmReply *reply;

  keep_payload (call, record);
  X509_REQ_free (record->csr);
  record->csr = g_steal_pointer (&call->csr);
  g_free (record->host);
  record->host = g_steal_pointer (&call->access.host);
  if (call->tweak != NULL && call->tweak->operation_status != NULL)
    status = tweaked_status (call, record, operation);

  reply = operation_reply (call,
                           record,
                           operation,
                           status,
                           !g_str_equal (status, "assigning"));
  location =
      g_strdup_printf ("https://%s%.*s", host, (int) strcspn (target, "?"), target);
  em_reply_set_header (reply, "Location", location);
  return reply;
}

static EmReply *
handle_operation (Call *call)
{
  EmRecord *record = em_registry_find (call->dps->registry, call->segments[2]);
  EmOperation *operation =
      record != NULL ? em_record_find_operation (record, call->segments[4]) : NULL;
  const char *status;

  if (operation == NULL)
    return em_reply_new_error (404, CODE_NOT_FOUND, "Operation not found");

  status = advance_operation (call, record, operation);
  return operation_reply (call, record, operation, status, TRUE);
}

static EmReply *
handle_lookup (Call *call)
{
  EmRecord *record = em_registry_find (call->dps->registry, call->segments[2]);
  EmOperation *operation;
  g_autoptr (JsonNode) state = NULL;

  if (record == NULL)
    return em_reply_new_error (404, CODE_NOT_FOUND, "Registration not found");

  operation = g_queue_peek_head (&record->operations);
  state = registration_state (record, operation->status);
  return em_reply_new_json (200, state);
}

static EmReply *
handle_route (Call *call)
{
  Route route = ROUTE_NONE;
  EmReply *reply = check_route (call, &route);

  if (reply == NULL)
    reply = check_size_and_type (call, route);
  if (reply == NULL)
    reply = check_access (call, route);
  if (reply == NULL && route == ROUTE_REGISTER)
    reply = check_csr (call);
  if (reply != NULL)
    return reply;

  if (route == ROUTE_REGISTER)
    return handle_register (call);
  if (route == ROUTE_OPERATION)
    return handle_operation (call);
  return handle_lookup (call);
}

EmReply *
em_dps_handle (const EmDps *self, const EmRequest *request, const EmAnswer *tweak)
{
  g_auto (Call) call = {
    .dps = self,
    .options = self->options,
    .request = request,
    .tweak = tweak,
    .access = {
      .id_scope = self->options->id_scope,
      .request = request,
      .tpm = self->tpm,
      .challenge = tweak != NULL && tweak->challenge,
      .fault = tweak != NULL ? tweak->tpm_blob : EM_TPM_SOUND,
      .verdict = request->authorization == NULL ? EM_TOKEN_ABSENT : EM_N_TOKEN_VERDICTS,
      .certificate = EM_N_X509_VERDICTS,
    },
  };
  EmReply *reply = handle_route (&call);

  /* A request refused before its token was looked at. */
  if (call.access.verdict == EM_N_TOKEN_VERDICTS)
    reply->sas = "unchecked";
  else
    reply->sas = em_token_verdict_name (call.access.verdict);
  if (call.access.certificate != EM_N_X509_VERDICTS)
    reply->certificate = em_x509_verdict_name (call.access.certificate);
  return reply;
}
