/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "answer.h"

#include <string.h>

#define JSON "Content-Type: application/json; charset=utf-8"
#define USUAL                                                                            \
  JSON "\nDate: Fri, 20 Nov 2026 10:11:12 GMT\n"                                         \
       "x-ms-request-id: 0f4d6a0e-6a1c-4b7e-9a53-5b0f4f9d2c11\n"                         \
       "Strict-Transport-Security: max-age=31536000; includeSubDomains"
#define OPERATION                                                                        \
  "operationId \"5.316aac5bdc130deb.b1e02da8-c3a0-4ff2-a121-7ea7a6b7f550\""
#define ASSIGNED                                                                         \
  "registrationId \"edge-1\"\n"                                                          \
  "createdDateTimeUtc \"2026-11-20T10:11:12.1234567Z\"\n"                                \
  "assignedHub \"@HUB@\"\n"                                                              \
  "deviceId \"@DEVICE@\"\n"                                                              \
  "status \"assigned\"\n"                                                                \
  "substatus \"initialAssignment\"\n"                                                    \
  "lastUpdatedDateTimeUtc \"2026-11-20T10:11:12.9876543Z\"\n"                            \
  "etag \"IjAwMDBhYmNkLTAwMDAtMDEwMC0wMDAwLTAwMDAwMDAwMDAwMCI=\""
#define ERROR(code, text)                                                                \
  "errorCode " #code "\ntrackingId \"0e8a5f9b\"\nmessage \"" text                        \
  "\"\ntimestampUtc \"2026-11-20T10:11:12.1234567Z\""

/* dps-protocol §2: every answer there is. */
const Kind kinds[] = {
  { "assigned at once",
    CALL_REGISTER,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"assigned\"",
    ASSIGNED "\nsymmetricKey {\"enrollmentGroupId\":\"group-1\"}",
    NULL,
    "assigned" },
  { "assigned",
    CALL_POLL,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"assigned\"",
    ASSIGNED "\nsymmetricKey {}",
    NULL,
    "assigned" },
  { "assigned by certificate",
    CALL_POLL,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"assigned\"",
    ASSIGNED "\nx509 {\"enrollmentGroupId\":\"g\",\"certificateInfo\":{\"version\":3}}"
             "\nissuedCertificateChain [\"MAA=\",\"MAECAw==\"]",
    NULL,
    "assigned" },
  { "assigned to a TPM, with payload",
    CALL_POLL,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"assigned\"",
    ASSIGNED "\ntpm {\"authenticationKey\":\"AAECAwQF\"}\nconnectionProfile \"mqttV5\""
             "\npayload {\"site\":[1,2.50,{\"n\":12345678901234567890}]}",
    NULL,
    "assigned" },
  { "looked up",
    CALL_LOOKUP,
    "200 OK",
    USUAL,
    ASSIGNED "\npayload \"x\"",
    NULL,
    NULL,
    "assigned" },
  { "looked up, under way",
    CALL_LOOKUP,
    "200 OK",
    USUAL,
    "registrationId \"edge-1\"\nstatus \"assigning\"",
    NULL,
    NULL,
    "looked-up" },
  { "accepted",
    CALL_REGISTER,
    "202 Accepted",
    USUAL "\nRetry-After: 3\nLocation: https://dps.example.net/0ne/registrations/edge-1",
    OPERATION "\nstatus \"assigning\"",
    NULL,
    NULL,
    "poll" },
  { "under way",
    CALL_POLL,
    "202 Accepted",
    USUAL "\nRetry-After: Fri, 20 Nov 2026 10:11:15 GMT",
    OPERATION "\nstatus \"assigning\"",
    "registrationId \"edge-1\"\nstatus \"assigning\"",
    NULL,
    "poll" },
  { "unassigned",
    CALL_POLL,
    "202 Accepted",
    USUAL,
    OPERATION "\nstatus \"unassigned\"",
    NULL,
    NULL,
    "poll" },
  { "failed, allocation",
    CALL_POLL,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"failed\"",
    "registrationId \"edge-1\"\nstatus \"failed\"\nerrorCode 400207\nerrorMessage "
    "\"Custom allocation failed with status code: 500\"",
    NULL,
    "DPS-E407" },
  { "failed, hub link",
    CALL_POLL,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"failed\"",
    "status \"failed\"\nerrorCode 401002\nerrorMessage "
    "\"{\\\"Message\\\":\\\"ErrorCode:IotHubUnauthorizedAccess\\\"}\"",
    NULL,
    "DPS-E409" },
  { "disabled",
    CALL_REGISTER,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"disabled\"",
    "status \"disabled\"",
    NULL,
    "DPS-E411" },
  { "blacklisted",
    CALL_POLL,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"blacklisted\"",
    NULL,
    NULL,
    "DPS-E411" },
  { "a new status",
    CALL_POLL,
    "200 OK",
    USUAL,
    OPERATION "\nstatus \"suspended\"",
    NULL,
    NULL,
    "DPS-E412" },
  { "unauthorised",
    CALL_REGISTER,
    "401 Unauthorized",
    USUAL,
    ERROR (401002, "Unauthorized"),
    NULL,
    NULL,
    "DPS-E401" },
  { "challenge",
    CALL_REGISTER,
    "401 Unauthorized",
    USUAL,
    "message \"Authorization required\"\nauthenticationKey \"AAECAwQF\"\nkeyName "
    "\"registration\"",
    NULL,
    NULL,
    "challenge" },
  { "operation unknown",
    CALL_POLL,
    "404 Not Found",
    USUAL,
    ERROR (404201, "Not found"),
    NULL,
    NULL,
    "DPS-E414" },
  { "enrolment unknown",
    CALL_REGISTER,
    "404 Not Found",
    USUAL,
    ERROR (404201, "Not found"),
    NULL,
    NULL,
    "DPS-E404" },
  { "bad request",
    CALL_REGISTER,
    "400 Bad Request",
    USUAL,
    ERROR (400004, "Endorsement key is invalid"),
    NULL,
    NULL,
    "DPS-E402" },
  { "forbidden", CALL_REGISTER, "403 Forbidden", USUAL, NULL, NULL, "", "DPS-E403" },
  { "throttled",
    CALL_POLL,
    "429 Too Many Requests",
    USUAL "\nRetry-After: 120",
    ERROR (429001, "Throttled"),
    NULL,
    NULL,
    "DPS-E405" },
  { "service fault",
    CALL_POLL,
    "500 Internal Server Error",
    USUAL "\nx-ms-error-code: 500001",
    ERROR (500001, "ServerError"),
    NULL,
    NULL,
    "DPS-E406" },
  { "gateway's page",
    CALL_REGISTER,
    "503 Service Unavailable",
    "Content-Type: text/html",
    NULL,
    NULL,
    "<html><body>{\"status\":\"assigned\"}</body></html>",
    "DPS-E406" },
  { "portal",
    CALL_POLL,
    "302 Found",
    "Location: https://portal.example/",
    NULL,
    NULL,
    "",
    "DPS-E312" },
  { "hub knows it", CALL_HUB, "200 OK", JSON, NULL, NULL, "[]", "verified" },
  { "hub refuses", CALL_HUB, "401 Unauthorized", JSON, NULL, NULL, "{}", "refused" },
  { "hub does not know it", CALL_HUB, "404 Not Found", JSON, NULL, NULL, "{}", "again" },
  { "hub throttles", CALL_HUB, "429 Slow", JSON, NULL, NULL, "{}", "inconclusive" },
  { "hub fault", CALL_HUB, "500 Fault", JSON, NULL, NULL, "{}", "inconclusive" },
};
const gsize n_kinds = G_N_ELEMENTS (kinds);

static void
member_free (gpointer data)
{
  Member *member = data;

  g_free (member->name);
  g_free (member->value);
  g_free (member);
}

void
answer_add (GPtrArray *members, gsize at, const char *name, const char *value)
{
  Member *member = g_new0 (Member, 1);

  member->name = g_strdup (name);
  member->value = g_strdup (value);
  g_ptr_array_insert (members, (gint) at, member);
}

Member *
answer_find (GPtrArray *members, const char *name)
{
  for (guint i = 0; members != NULL && i < members->len; i++)
    {
      Member *member = members->pdata[i];

      if (strcmp (member->name, name) == 0)
        return member;
    }
  return NULL;
}

void
answer_set (GPtrArray *members, const char *name, const char *value)
{
  Member *member = answer_find (members, name);

  g_free (member->value);
  member->value = g_strdup (value);
}

static char *
fill_in (const Answer *self, const char *text)
{
  GString *filled = g_string_new (text);

  g_string_replace (filled, "@HUB@", self->hub, 0);
  g_string_replace (filled, "@DEVICE@", self->device, 0);
  return g_string_free (filled, FALSE);
}

static GPtrArray *
make_members (const Answer *self, const char *text)
{
  g_autofree char *filled = fill_in (self, text);
  g_auto (GStrv) lines = g_strsplit (filled, "\n", -1);
  GPtrArray *members = g_ptr_array_new_with_free_func (member_free);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *value = strchr (lines[i], ' ');

      *value++ = '\0';
      answer_add (members, members->len, lines[i], value);
    }
  return members;
}

Answer *
answer_new (const Kind *kind, guint64 number)
{
  Answer *self = g_new0 (Answer, 1);
  g_auto (GStrv) headers = g_strsplit (kind->headers, "\n", -1);

  self->kind = kind;
  self->number = number;
  self->hub = g_strdup_printf ("hub-%" G_GUINT64_FORMAT ".azure-devices.net", number);
  self->device = g_strdup_printf ("device-%" G_GUINT64_FORMAT, number);
  self->version = g_strdup ("HTTP/1.1");
  self->code = g_strndup (kind->status, 3);
  self->reason = g_strdup (kind->status + 4);
  self->headers = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; headers[i] != NULL; i++)
    g_ptr_array_add (self->headers, g_strdup (headers[i]));
  if (kind->root != NULL)
    self->root = make_members (self, kind->root);
  if (kind->state != NULL)
    self->state = make_members (self, kind->state);
  self->body = g_string_new (kind->text);
  self->bytes = g_string_new (NULL);
  self->story = g_string_new (NULL);
  return self;
}

void
answer_free (Answer *self)
{
  g_free (self->version);
  g_free (self->code);
  g_free (self->reason);
  g_free (self->hub);
  g_free (self->device);
  g_ptr_array_unref (self->headers);
  g_clear_pointer (&self->root, g_ptr_array_unref);
  g_clear_pointer (&self->state, g_ptr_array_unref);
  g_string_free (self->body, TRUE);
  g_string_free (self->bytes, TRUE);
  g_string_free (self->story, TRUE);
  g_free (self);
}

gboolean
answer_is_assigned (const Answer *self)
{
  return strcmp (self->kind->outcome, "assigned") == 0;
}

void
answer_note (Answer *self, const char *what, Effect effect)
{
  gboolean first = self->story->len == 0;

  g_string_append_printf (self->story, "%s'%s'", first ? "" : ", ", what);
  if (first)
    self->effect = effect;
  else if (self->effect != KEEPS || effect != KEEPS)
    self->effect = UNSURE;
}

static void
write_members (GString *text, GPtrArray *members, gboolean closed)
{
  g_string_append_c (text, '{');
  for (guint i = 0; i < members->len; i++)
    {
      const Member *member = members->pdata[i];

      g_string_append_printf (text,
                              "%s\"%s\":%s",
                              i > 0 ? "," : "",
                              member->name,
                              member->value);
    }
  if (closed)
    g_string_append_c (text, '}');
}

void
answer_write_body (Answer *self)
{
  if (self->root == NULL)
    return;
  g_string_truncate (self->body, 0);
  write_members (self->body, self->root, self->state == NULL);
  if (self->state == NULL)
    return;
  g_string_append (self->body,
                   self->root->len > 0 ? ",\"registrationState\":"
                                       : "\"registrationState\":");
  write_members (self->body, self->state, TRUE);
  g_string_append_c (self->body, '}');
}

void
answer_write_head (Answer *self)
{
  GString *bytes = self->bytes;

  g_string_append_printf (bytes, "%s %s %s\r\n", self->version, self->code, self->reason);
  for (guint i = 0; i < self->headers->len; i++)
    g_string_append_printf (bytes, "%s\r\n", (const char *) self->headers->pdata[i]);
  if (self->framing == FRAMING_LENGTH)
    g_string_append_printf (bytes, "Content-Length: %zu\r\n", self->body->len);
  else if (self->framing == FRAMING_CHUNKED)
    g_string_append (bytes, "Transfer-Encoding: chunked\r\n");
  g_string_append (bytes, "\r\n");
}

void
answer_write_payload (Answer *self, Random *random)
{
  gsize largest = 1 + random_below (random, 4096);

  if (self->framing != FRAMING_CHUNKED)
    {
      g_string_append_len (self->bytes, self->body->str, (gssize) self->body->len);
      return;
    }
  for (gsize at = 0; at < self->body->len;)
    {
      gsize size = 1 + random_below (random, largest);

      size = MIN (size, self->body->len - at);
      g_string_append_printf (self->bytes,
                              random_once_in (random, 2) ? "%zx\r\n" : "%04zX\r\n",
                              size);
      g_string_append_len (self->bytes, self->body->str + at, (gssize) size);
      g_string_append (self->bytes, "\r\n");
      at += size;
    }
  g_string_append (self->bytes, "0\r\n\r\n");
}
