/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-hub.h"

#include "em-codec.h"
#include "em-token.h"
#include "em-x509.h"

/* A message to the cloud may be this large, its properties aside. */
#define MESSAGE_MAX (256 * 1024)

/* The hub's error body differs from the provisioning service's. */
static EmReply *
hub_error (guint status, int code, const char *name)
{
  g_autoptr (JsonNode) root = json_node_alloc ();
  g_autoptr (JsonObject) object = json_object_new ();
  g_autofree char *guid = em_guid ();
  g_autofree char *message = g_strdup_printf ("ErrorCode:%s;%d", name, code);
  g_autofree char *detail = g_strdup_printf ("Tracking ID:%s", guid);
  EmReply *reply;

  json_node_init_object (root, object);
  json_object_set_string_member (object, "Message", message);
  json_object_set_string_member (object, "ExceptionMessage", detail);

  reply = em_reply_new_json (status, root);
  em_reply_set_header (reply, "iothub-errorcode", name);
  return reply;
}

static EmReply *
list_modules (void)
{
  EmReply *reply = em_reply_new (200);

  em_reply_set_body (reply, "[]");
  em_reply_set_header (reply, "Content-Type", "application/json; charset=utf-8");
  return reply;
}

/* The method a path wants, or NULL for a path that is not there. */
static const char *
path_method (GStrv segments)
{
  guint n = g_strv_length (segments);

  if (n < 3 || !g_str_equal (segments[0], "devices") || *segments[1] == '\0')
    return NULL;
  if (n == 3 && g_str_equal (segments[2], "modules"))
    return "GET";
  if (n != 4 || !g_str_equal (segments[2], "messages"))
    return NULL;
  if (g_str_equal (segments[3], "events"))
    return "POST";
  if (g_str_equal (segments[3], "devicebound"))
    return "GET";
  return NULL;
}

static EmTokenVerdict
check_token (EmRecord *record,
             const char *hub,
             const char *device_id,
             const EmRequest *request)
{
  g_autofree char *resource = g_strconcat (hub, "/devices/", device_id, NULL);

  return em_token_check (request->authorization,
                         resource,
                         em_token_same_device,
                         NULL,
                         record->hub_keys,
                         g_get_real_time () / G_USEC_PER_SEC);
}

static EmX509Verdict
check_certificate (EmRecord *record, const EmRequest *request)
{
  if (request->authorization != NULL)
    return EM_X509_TOKEN;
  return em_x509_check (record->hub_trust,
                        request->chain,
                        record->enrolment->registration_id,
                        g_get_real_time () / G_USEC_PER_SEC);
}

static EmReply *
answer_device (EmRecord *record,
               const char *hub,
               GStrv segments,
               const EmRequest *request)
{
  EmX509Verdict certificate = EM_X509_OK;
  EmTokenVerdict token = EM_TOKEN_OK;
  EmReply *reply;

  if (record->hub_trust != NULL)
    certificate = check_certificate (record, request);
  else
    token = check_token (record, hub, segments[1], request);

  if (token != EM_TOKEN_OK || certificate != EM_X509_OK)
    reply = hub_error (401, 401002, "IotHubUnauthorizedAccess");
  else if (request->body_len > MESSAGE_MAX)
    reply = hub_error (413, 413001, "MessageTooLarge");
  else if (g_str_equal (segments[2], "modules"))
    reply = list_modules ();
  else /* the message is taken, or none waits for the device */
    reply = em_reply_new (204);

  if (record->hub_trust != NULL)
    reply->certificate = em_x509_verdict_name (certificate);
  else
    reply->sas = em_token_verdict_name (token);
  return reply;
}

static EmReply *
handle_path (EmRegistry *registry, const char *hub, const EmRequest *request)
{
  g_auto (GStrv) segments = em_request_segments (request);
  g_autofree char *version = em_request_query (request, "api-version");
  const char *method = segments != NULL ? path_method (segments) : NULL;
  EmRecord *record;

  if (method == NULL)
    return hub_error (404, 404000, "NotFound");
  if (!g_str_equal (request->method, method))
    return hub_error (405, 405000, "MethodNotAllowed");
  if (version == NULL || *version == '\0')
    return hub_error (400, 400004, "ArgumentInvalid");

  record = em_registry_find_device (registry, hub, segments[1]);
  if (record == NULL)
    return hub_error (404, 404001, "DeviceNotFound");
  return answer_device (record, hub, segments, request);
}

EmReply *
em_hub_handle (EmRegistry *registry, const char *hub, const EmRequest *request)
{
  EmReply *reply = handle_path (registry, hub, request);

  if (reply->sas == NULL)
    reply->sas = request->authorization == NULL ? "absent" : "unchecked";
  return reply;
}
