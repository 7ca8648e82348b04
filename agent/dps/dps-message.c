/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-message.h"
#include "common/dps-error.h"
#include "common/dps-json.h"
#include "common/dps-name.h"
#include "common/dps-secret.h"

#include <string.h>

#define MESSAGE_MAX 1024
#define WORD_MAX 128
#define TIME_MAX 64
#define CERTIFICATE_MAX (16 * 1024)
#define CHAIN_MAX 8

/* ---- requests ---- */

/* The segments up to the NULL, each percent-encoded and led by a slash, and the query. */
static char *build_path (const char *api_version, ...) G_GNUC_NULL_TERMINATED;

static char *
build_path (const char *api_version, ...)
{
  g_autofree char *version = g_uri_escape_string (api_version, NULL, FALSE);
  GString *path = g_string_new (NULL);
  va_list segments;

  va_start (segments, api_version);
  for (const char *s = va_arg (segments, const char *); s != NULL;
       s = va_arg (segments, const char *))
    {
      g_autofree char *escaped = g_uri_escape_string (s, NULL, FALSE);

      g_string_append_printf (path, "/%s", escaped);
    }
  va_end (segments);
  g_string_append_printf (path, "?api-version=%s", version);
  return g_string_free (path, FALSE);
}

char *
dps_message_register_path (const char *scope,
                           const char *registration_id,
                           const char *api_version)
{
  return build_path (api_version,
                     scope,
                     "registrations",
                     registration_id,
                     "register",
                     NULL);
}

char *
dps_message_operation_path (const char *scope,
                            const char *registration_id,
                            const char *operation_id,
                            const char *api_version)
{
  return build_path (api_version,
                     scope,
                     "registrations",
                     registration_id,
                     "operations",
                     operation_id,
                     NULL);
}

char *
dps_message_lookup_path (const char *scope,
                         const char *registration_id,
                         const char *api_version)
{
  return build_path (api_version, scope, "registrations", registration_id, NULL);
}

char *
dps_message_modules_path (const char *device_id, const char *api_version)
{
  return build_path (api_version, "devices", device_id, "modules", NULL);
}

static void
append_base64 (GString *text, const char *member, GBytes *bytes)
{
  g_autofree char *base64 = NULL;
  gsize size;
  const guint8 *data;

  if (bytes == NULL)
    return;
  data = g_bytes_get_data (bytes, &size);
  base64 = g_base64_encode (data, size);
  if (text->str[text->len - 1] != '{')
    g_string_append_c (text, ',');
  g_string_append_printf (text, "\"%s\":\"%s\"", member, base64);
}

/* One JSON value and nothing behind it: wrapped in an object it makes one with this one
 * member. *present is FALSE for null. */
static gboolean
check_payload (const char *payload, gboolean *present, GError **error)
{
  static const char *const path[] = { "payload", NULL };
  g_autofree char *wrapped = g_strdup_printf ("{\"payload\":%s}", payload);
  g_autoptr (GError) local_error = NULL;
  g_autoptr (JsonObject) object =
      dps_json_parse_object_keeping (wrapped, strlen (wrapped), path, NULL, &local_error);

  if (object == NULL || json_object_get_size (object) != 1)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "the payload is not one JSON value (%s); correct it",
                   local_error != NULL ? local_error->message : "more follows it");
      return FALSE;
    }
  *present = !JSON_NODE_HOLDS_NULL (json_object_get_member (object, "payload"));
  return TRUE;
}

char *
dps_message_register_body (const char *registration_id,
                           const DpsRegisterBody *body,
                           GError **error)
{
  static const DpsRegisterBody nothing = { 0 };
  g_autoptr (GString) text = g_string_new ("{\"registrationId\":");
  g_autoptr (JsonNode) id = NULL;
  g_autofree char *id_text = NULL;
  gboolean with_payload = FALSE;

  g_return_val_if_fail (registration_id != NULL, NULL);

  if (body == NULL)
    body = &nothing;
  if (body->payload != NULL && !check_payload (body->payload, &with_payload, error))
    return NULL;

  id = json_node_init_string (json_node_alloc (), registration_id);
  id_text = dps_json_to_text (id);
  g_string_append (text, id_text);
  if (body->endorsement_key != NULL)
    {
      g_string_append (text, ",\"tpm\":{");
      append_base64 (text, "endorsementKey", body->endorsement_key);
      append_base64 (text, "storageRootKey", body->storage_root_key);
      g_string_append_c (text, '}');
    }
  append_base64 (text, "csr", body->certificate_request);
  if (with_payload)
    g_string_append_printf (text, ",\"payload\":%s", body->payload);
  g_string_append_c (text, '}');
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* ---- answers ---- */

static const char *const status_names[DPS_N_STATUS] = {
  [DPS_STATUS_UNKNOWN] = "unknown",         [DPS_STATUS_UNASSIGNED] = "unassigned",
  [DPS_STATUS_ASSIGNING] = "assigning",     [DPS_STATUS_ASSIGNED] = "assigned",
  [DPS_STATUS_FAILED] = "failed",           [DPS_STATUS_DISABLED] = "disabled",
  [DPS_STATUS_BLACKLISTED] = "blacklisted",
};

const char *
dps_status_to_string (DpsStatus status)
{
  return status_names[status < DPS_N_STATUS ? status : DPS_STATUS_UNKNOWN];
}

static DpsStatus
status_from_string (const char *text)
{
  for (guint i = 0; i < DPS_N_STATUS; i++)
    if (g_ascii_strcasecmp (text, status_names[i]) == 0)
      return (DpsStatus) i;
  return DPS_STATUS_UNKNOWN;
}

static gboolean
reject (GError **error, const char *what)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "the answer %s", what);
  return FALSE;
}

gboolean
dps_message_check_content_type (const char *content_type, GError **error)
{
  static const char json[] = "application/json";
  g_autofree char *shown = NULL;

  if (content_type == NULL)
    return TRUE;
  while (*content_type == ' ' || *content_type == '\t')
    content_type++;
  if (g_ascii_strncasecmp (content_type, json, strlen (json)) == 0 &&
      strchr ("; \t", content_type[strlen (json)]) != NULL)
    return TRUE;
  shown = g_strndup (content_type, 64);
  g_strcanon (shown,
              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+-.;= ",
              '?');
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "the answer is '%s' and not JSON: something between this host and the"
               " service, a proxy or a portal, answered in its place",
               shown);
  return FALSE;
}

static gboolean
copy_string (JsonObject *object,
             const char *member,
             gsize max,
             char **copy,
             GError **error)
{
  const char *text;

  if (!dps_json_get_string (object, member, max, &text, error))
    return FALSE;
  *copy = g_strdup (text);
  return TRUE;
}

/* Text for people: whatever is wrong with it is no reason to lose the rest. Control
 * characters become spaces; it is cut at MESSAGE_MAX bytes. */
static char *
copy_message (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);
  GString *clean;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  clean = g_string_new (NULL);
  for (const char *p = json_node_get_string (node);
       *p != '\0' && g_utf8_validate (p, g_utf8_skip[(guint8) *p], NULL);
       p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (clean->len + g_utf8_skip[(guint8) *p] > MESSAGE_MAX)
        break;
      g_string_append_unichar (clean, g_unichar_iscntrl (c) ? ' ' : c);
    }
  return g_string_free (clean, FALSE);
}

void
dps_registration_free (DpsRegistration *self)
{
  if (self == NULL)
    return;
  g_free (self->registration_id);
  g_free (self->assigned_hub);
  g_free (self->device_id);
  g_free (self->substatus);
  g_free (self->error_message);
  g_free (self->last_updated);
  g_free (self->payload);
  g_free (self->authentication_key);
  g_free (self->connection_profile);
  g_clear_pointer (&self->issued_chain, g_ptr_array_unref);
  g_free (self);
}

void
dps_reply_free (DpsReply *self)
{
  if (self == NULL)
    return;
  g_free (self->operation_id);
  dps_registration_free (self->registration);
  g_free (self);
}

static gboolean
read_status (JsonObject *object, gboolean *given, DpsStatus *status, GError **error)
{
  const char *text;

  if (!dps_json_get_string (object, "status", WORD_MAX, &text, error))
    return FALSE;
  *given = text != NULL;
  *status = text != NULL ? status_from_string (text) : DPS_STATUS_UNKNOWN;
  return TRUE;
}

static gboolean
read_certificate (JsonNode *node, GPtrArray *chain, GError **error)
{
  g_autoptr (DpsSecret) der = NULL;
  const char *text;

  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return reject (error, "has an issuedCertificateChain with something not a string");
  text = json_node_get_string (node);
  der = dps_secret_new_from_base64 (text, strlen (text), 1, CERTIFICATE_MAX, NULL);
  if (der == NULL)
    return reject (error, "has an issuedCertificateChain that is not base64");
  g_ptr_array_add (chain, g_bytes_new (dps_secret_data (der), dps_secret_size (der)));
  return TRUE;
}

static gboolean
read_chain (JsonObject *object, DpsRegistration *self, GError **error)
{
  JsonNode *node = json_object_get_member (object, "issuedCertificateChain");
  JsonArray *array;

  if (node == NULL || JSON_NODE_HOLDS_NULL (node))
    return TRUE;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return reject (error, "has an issuedCertificateChain that is no array");
  array = json_node_get_array (node);
  if (json_array_get_length (array) == 0)
    return TRUE;
  if (json_array_get_length (array) > CHAIN_MAX)
    return reject (error, "has an issuedCertificateChain of more than 8 certificates");
  self->issued_chain = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (!read_certificate (json_array_get_element (array, i), self->issued_chain, error))
      return FALSE;
  return TRUE;
}

static gboolean
read_tpm (JsonObject *object, DpsRegistration *self, GError **error)
{
  JsonObject *tpm;

  return dps_json_get_object (object, "tpm", &tpm, error) &&
         (tpm == NULL || copy_string (tpm,
                                      "authenticationKey",
                                      DPS_BLOB_TEXT_MAX,
                                      &self->authentication_key,
                                      error));
}

/* Hub and device are checked wherever they are given: a name that is no name is not
 * passed on, whatever the status. *wrong says what is wrong with one; static. */
static void
read_names (JsonObject *object, DpsRegistration *self, const char **wrong)
{
  *wrong = NULL;
  if (!copy_string (object, "assignedHub", 253, &self->assigned_hub, NULL) ||
      (self->assigned_hub != NULL && !dps_name_check_host (self->assigned_hub, NULL)))
    *wrong = "has an assignedHub that is not a host name";
  else if (!copy_string (object, "deviceId", DPS_DEVICE_ID_MAX, &self->device_id, NULL) ||
           (self->device_id != NULL && !dps_name_check_device_id (self->device_id, NULL)))
    *wrong = "has a deviceId that cannot be one";
}

/* registration may be NULL; wrong is what read_names() gave. */
static gboolean
check_names (DpsStatus status,
             const DpsRegistration *registration,
             const char *wrong,
             GError **error)
{
  if (status != DPS_STATUS_ASSIGNED)
    return wrong == NULL || reject (error, wrong);
  if (wrong == NULL && (registration == NULL || registration->assigned_hub == NULL ||
                        registration->device_id == NULL))
    wrong = "says 'assigned' without assignedHub and deviceId";
  if (wrong == NULL)
    return TRUE;
  g_set_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT, "the answer %s", wrong);
  return FALSE;
}

/* payload is its text. */
static DpsRegistration *
read_registration (JsonObject *object,
                   const char *payload,
                   gboolean *has_status,
                   const char **wrong_name,
                   GError **error)
{
  g_autoptr (DpsRegistration) self = g_new0 (DpsRegistration, 1);

  if (!read_status (object, has_status, &self->status, error) ||
      !copy_string (object, "registrationId", WORD_MAX, &self->registration_id, error) ||
      !copy_string (object, "substatus", WORD_MAX, &self->substatus, error) ||
      !copy_string (object,
                    "connectionProfile",
                    WORD_MAX,
                    &self->connection_profile,
                    error) ||
      !copy_string (object,
                    "lastUpdatedDateTimeUtc",
                    TIME_MAX,
                    &self->last_updated,
                    error) ||
      !dps_json_get_int (object, "errorCode", &self->error_code, error) ||
      !read_tpm (object, self, error) || !read_chain (object, self, error))
    return NULL;
  read_names (object, self, wrong_name);
  self->error_message = copy_message (object, "errorMessage");
  if (payload != NULL && strcmp (payload, "null") != 0)
    self->payload = g_strdup (payload);
  return g_steal_pointer (&self);
}

/* It becomes a path segment; and a "." or ".." there would be another path. */
static gboolean
check_operation_id (const char *id, GError **error)
{
  if (id != NULL && (id[0] == '\0' || strcmp (id, ".") == 0 || strcmp (id, "..") == 0))
    return reject (error, "has an operationId that cannot be one");
  return TRUE;
}

static gboolean
read_state (JsonObject *object,
            const char *payload,
            DpsReply *self,
            gboolean has_status,
            GError **error)
{
  const char *wrong_name = NULL;
  gboolean inner_status;
  JsonObject *state;

  if (!dps_json_get_object (object, "registrationState", &state, error))
    return FALSE;
  if (state == NULL)
    return has_status ? check_names (self->status, NULL, NULL, error)
                      : reject (error, "has no status");
  self->registration =
      read_registration (state, payload, &inner_status, &wrong_name, error);
  if (self->registration == NULL)
    return FALSE;
  if (!has_status && !inner_status)
    return reject (error, "has no status");
  if (!has_status)
    self->status = self->registration->status;
  if (!inner_status)
    self->registration->status = self->status;
  return check_names (self->status, self->registration, wrong_name, error);
}

static DpsReply *
parse_reply (const char *data, gsize size, GError **error)
{
  static const char *const path[] = { "registrationState", "payload", NULL };
  g_autoptr (DpsReply) self = g_new0 (DpsReply, 1);
  g_autoptr (JsonObject) object = NULL;
  g_autofree char *payload = NULL;
  gboolean has_status;

  if (size == 0)
    return reject (error, "is empty"), NULL;
  object = dps_json_parse_object_keeping (data, size, path, &payload, error);
  if (object == NULL)
    return NULL;
  if (!read_status (object, &has_status, &self->status, error) ||
      !copy_string (object,
                    "operationId",
                    DPS_OPERATION_ID_MAX,
                    &self->operation_id,
                    error) ||
      !check_operation_id (self->operation_id, error) ||
      !read_state (object, payload, self, has_status, error))
    return NULL;
  return g_steal_pointer (&self);
}

DpsReply *
dps_message_parse_register (const char *data, gsize size, GError **error)
{
  g_autoptr (DpsReply) self = parse_reply (data, size, error);

  if (self == NULL)
    return NULL;
  if (self->operation_id == NULL &&
      (self->status == DPS_STATUS_ASSIGNING || self->status == DPS_STATUS_UNASSIGNED))
    return reject (error, "to the registration has no operationId to ask for"), NULL;
  return g_steal_pointer (&self);
}

DpsReply *
dps_message_parse_poll (const char *data, gsize size, GError **error)
{
  return parse_reply (data, size, error);
}

DpsRegistration *
dps_message_parse_lookup (const char *data, gsize size, GError **error)
{
  static const char *const path[] = { "payload", NULL };
  g_autoptr (DpsRegistration) self = NULL;
  g_autoptr (JsonObject) object = NULL;
  g_autofree char *payload = NULL;
  const char *wrong_name;
  gboolean has_status;

  if (size == 0)
    return reject (error, "is empty"), NULL;
  object = dps_json_parse_object_keeping (data, size, path, &payload, error);
  if (object == NULL)
    return NULL;
  self = read_registration (object, payload, &has_status, &wrong_name, error);
  if (self == NULL)
    return NULL;
  if (!has_status)
    return reject (error, "has no status"), NULL;
  if (!check_names (self->status, self, wrong_name, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
dps_service_error_free (DpsServiceError *self)
{
  if (self == NULL)
    return;
  g_free (self->tracking_id);
  g_free (self->message);
  g_free (self->authentication_key);
  g_free (self->key_name);
  g_free (self);
}

gboolean
dps_service_error_is_challenge (const DpsServiceError *self, guint http_status)
{
  return http_status == 401 && self != NULL && self->code == 0 &&
         self->authentication_key != NULL;
}

DpsServiceError *
dps_message_parse_error (const char *data, gsize size, GError **error)
{
  g_autoptr (DpsServiceError) self = g_new0 (DpsServiceError, 1);
  g_autoptr (JsonObject) object = NULL;

  if (size == 0)
    return reject (error, "is empty"), NULL;
  object = dps_json_parse_object (data, size, error);
  if (object == NULL)
    return NULL;
  if (!dps_json_get_int (object, "errorCode", &self->code, error) ||
      !copy_string (object, "trackingId", WORD_MAX, &self->tracking_id, error) ||
      !copy_string (object,
                    "authenticationKey",
                    DPS_BLOB_TEXT_MAX,
                    &self->authentication_key,
                    error) ||
      !copy_string (object, "keyName", WORD_MAX, &self->key_name, error))
    return NULL;
  self->message = copy_message (object, "message");
  if (self->code == 0 && self->message == NULL && self->authentication_key == NULL)
    return reject (error, "has neither errorCode nor message"), NULL;
  if (self->authentication_key != NULL && self->key_name == NULL)
    self->key_name = g_strdup ("registration");
  return g_steal_pointer (&self);
}
