/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-message.h"
#include "common/dps-error.h"
#include "common/dps-json.h"

#include <string.h>

typedef DpsReply *(*Parser) (const char *data, gsize size, GError **error);

static DpsReply *
parse_ok (Parser parser, const char *text)
{
  g_autoptr (GError) error = NULL;
  DpsReply *reply = parser (text, strlen (text), &error);

  g_assert_no_error (error);
  g_assert_nonnull (reply);
  return reply;
}

static void
refuse_as (Parser parser, DpsError code, const char *text, const char *because)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsReply) reply = parser (text, strlen (text), &error);
  g_autofree char *shown = g_strescape (text, NULL);

  g_test_message ("%s", shown);
  g_assert_error (error, DPS_ERROR, (int) code);
  g_assert_null (reply);
  if (strstr (error->message, because) == NULL)
    g_error ("'%s' lacks '%s'", error->message, because);
}

static void
refuse (Parser parser, const char *text, const char *because)
{
  refuse_as (parser, DPS_ERROR_REJECTED, text, because);
}

static void
test_paths (void)
{
  g_autofree char *reg = dps_message_register_path ("0ne00ABCDEF", "a:b", "2021-06-01");
  g_autofree char *op = dps_message_operation_path ("0ne00ABCDEF",
                                                    "dev-01",
                                                    "5.31/../x?y#z\r\n",
                                                    "2021-06-01");
  g_autofree char *lookup = dps_message_lookup_path ("s", "dev-01", "a&b");
  g_autofree char *modules = dps_message_modules_path ("d#1", "2017-11-08-preview");

  g_assert_cmpstr (reg,
                   ==,
                   "/0ne00ABCDEF/registrations/a%3Ab/register?api-version=2021-06-01");
  g_assert_cmpstr (op,
                   ==,
                   "/0ne00ABCDEF/registrations/dev-01/operations/"
                   "5.31%2F..%2Fx%3Fy%23z%0D%0A?api-version=2021-06-01");
  g_assert_cmpstr (lookup, ==, "/s/registrations/dev-01?api-version=a%26b");
  g_assert_cmpstr (modules, ==, "/devices/d%231/modules?api-version=2017-11-08-preview");
}

static void
test_body (void)
{
  g_autoptr (GBytes) ek = g_bytes_new_static ("\x01\x3a\x00", 3);
  g_autoptr (GBytes) srk = g_bytes_new_static ("\x01\x1a", 2);
  g_autoptr (GBytes) csr = g_bytes_new_static ("0", 1);
  const struct
  {
    DpsRegisterBody body;
    const char *text;
  } rows[] = {
    { { 0 }, "{\"registrationId\":\"dev-01\"}" },
    { { .payload = "null" }, "{\"registrationId\":\"dev-01\"}" },
    { { .payload = "{\"a\":[1.50,{}]}" },
      "{\"registrationId\":\"dev-01\",\"payload\":{\"a\":[1.50,{}]}}" },
    { { .payload = " 12345678901234567890 " },
      "{\"registrationId\":\"dev-01\",\"payload\": 12345678901234567890 }" },
    { { .endorsement_key = ek },
      "{\"registrationId\":\"dev-01\",\"tpm\":{\"endorsementKey\":\"AToA\"}}" },
    { { .payload = "\"x\"",
        .endorsement_key = ek,
        .storage_root_key = srk,
        .certificate_request = csr },
      "{\"registrationId\":\"dev-01\",\"tpm\":{\"endorsementKey\":\"AToA\","
      "\"storageRootKey\":\"ARo=\"},\"csr\":\"MA==\",\"payload\":\"x\"}" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *text = dps_message_register_body ("dev-01", &rows[i].body, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (text, ==, rows[i].text);
    }
}

/* A payload cannot break out of its member. */
static void
test_body_refuses (void)
{
  static const char *const payloads[] = {
    "",
    "{",
    "1,\"tpm\":{}",
    "1}{\"payload\":2",
    "1} {\"x\":2",
    "1,\"payload\":2",
    "{\"a\":1,\"a\":2}",
    "{'a':1}",
    "[[[[[[[[1]]]]]]]]",
    "\xff",
    "1 2",
    "01",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (payloads); i++)
    {
      g_autoptr (GError) error = NULL;
      DpsRegisterBody body = { .payload = payloads[i] };
      g_autofree char *text = dps_message_register_body ("dev-01", &body, &error);

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      g_assert_null (text);
    }
}

static void
test_assigning (void)
{
  g_autoptr (DpsReply) reply =
      parse_ok (dps_message_parse_register,
                "{\"operationId\":\"5.316aac5bdc130deb.b1e02da8-c3a0-4ff2-a121-"
                "7ea7a6b7f550\","
                "\"status\":\"assigning\",\"later\":[{\"x\":null}]}");

  g_assert_cmpint (reply->status, ==, DPS_STATUS_ASSIGNING);
  g_assert_cmpstr (reply->operation_id,
                   ==,
                   "5.316aac5bdc130deb.b1e02da8-c3a0-4ff2-a121-7ea7a6b7f550");
  g_assert_null (reply->registration);
}

static void
test_assigned (void)
{
  g_autoptr (DpsReply) reply = parse_ok (
      dps_message_parse_poll,
      "{\"operationId\":\"5.x\",\"status\":\"Assigned\",\"registrationState\":{"
      "\"registrationId\":\"edge-host-0001\","
      "\"createdDateTimeUtc\":\"2026-11-20T10:11:12.1234567Z\","
      "\"assignedHub\":\"myhub.azure-devices.net\",\"deviceId\":\"edge-7\","
      "\"status\":\"ASSIGNED\",\"substatus\":\"initialAssignment\","
      "\"lastUpdatedDateTimeUtc\":\"2026-11-20T10:11:12.9876543Z\",\"etag\":\"IjA=\","
      "\"tpm\":{\"authenticationKey\":\"AAEC\"},\"x509\":{},\"generationId\":\"g\","
      "\"connectionProfile\":\"MqttV5\",\"payload\":{\"a\":[1,null]},"
      "\"issuedCertificateChain\":[\"AAEC\",\"/w==\"]}}");
  const DpsRegistration *r = reply->registration;

  g_assert_cmpint (reply->status, ==, DPS_STATUS_ASSIGNED);
  g_assert_cmpint (r->status, ==, DPS_STATUS_ASSIGNED);
  g_assert_cmpstr (r->registration_id, ==, "edge-host-0001");
  g_assert_cmpstr (r->assigned_hub, ==, "myhub.azure-devices.net");
  g_assert_cmpstr (r->device_id, ==, "edge-7");
  g_assert_cmpstr (r->substatus, ==, "initialAssignment");
  g_assert_cmpstr (r->last_updated, ==, "2026-11-20T10:11:12.9876543Z");
  g_assert_cmpstr (r->authentication_key, ==, "AAEC");
  g_assert_cmpstr (r->connection_profile, ==, "MqttV5");
  g_assert_cmpstr (r->payload, ==, "{\"a\":[1,null]}");
  g_assert_cmpuint (r->issued_chain->len, ==, 2);
  g_assert_cmpmem (g_bytes_get_data (r->issued_chain->pdata[0], NULL),
                   g_bytes_get_size (r->issued_chain->pdata[0]),
                   "\x00\x01\x02",
                   3);
}

static void
test_failed (void)
{
  g_autofree char *long_text = g_strnfill (2000, 'y');
  g_autofree char *text = g_strdup_printf (
      "{\"operationId\":\"4.x\",\"status\":\"failed\",\"registrationState\":{"
      "\"registrationId\":\"edge-host-0001\",\"status\":\"failed\",\"errorCode\":400207,"
      "\"errorMessage\":\"line\\r\\n{\\\"Message\\\":\\\"\\u00e4%s\"}}",
      long_text);
  g_autoptr (DpsReply) reply = parse_ok (dps_message_parse_poll, text);

  g_assert_cmpint (reply->status, ==, DPS_STATUS_FAILED);
  g_assert_cmpint (reply->registration->error_code, ==, 400207);
  g_assert_true (g_str_has_prefix (reply->registration->error_message,
                                   "line  {\"Message\":\"\xc3\xa4yyy"));
  g_assert_cmpuint (strlen (reply->registration->error_message), ==, 1024);
}

static void
test_status (void)
{
  static const struct
  {
    const char *text;
    DpsStatus status;
  } rows[] = {
    { "{\"status\":\"disabled\"}", DPS_STATUS_DISABLED },
    { "{\"status\":\"Blacklisted\"}", DPS_STATUS_BLACKLISTED },
    { "{\"status\":\"unassigned\"}", DPS_STATUS_UNASSIGNED },
    { "{\"status\":\"reticulating\"}", DPS_STATUS_UNKNOWN },
    { "{\"registrationState\":{\"status\":\"disabled\"}}", DPS_STATUS_DISABLED },
    { "{\"status\":null,\"registrationState\":{\"status\":\"assigning\"}}",
      DPS_STATUS_ASSIGNING },
    { "{\"status\":\"assigning\",\"registrationState\":{\"registrationId\":\"x\"}}",
      DPS_STATUS_ASSIGNING },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsReply) reply = parse_ok (dps_message_parse_poll, rows[i].text);

      g_assert_cmpint (reply->status, ==, rows[i].status);
      if (reply->registration != NULL)
        g_assert_cmpint (reply->registration->status, ==, rows[i].status);
    }
  g_assert_cmpstr (dps_status_to_string (DPS_STATUS_ASSIGNING), ==, "assigning");
  g_assert_cmpstr (dps_status_to_string ((DpsStatus) 99), ==, "unknown");
}

#define STATE(members)                                                                   \
  "{\"operationId\":\"o\",\"status\":\"assigned\",\"registrationState\":{" members "}}"

static void
test_refuses (void)
{
  static const struct
  {
    const char *text, *because;
    gboolean nowhere; /* well formed, and assigned to what cannot be */
  } rows[] = {
    { "", "empty" },
    { "   ", "JSON" },
    { "{}", "no status" },
    { "[]", "not an object" },
    { "<html></html>", "JSON" },
    { "{\"status\":\"assigning\"", "bad JSON" },
    { "{\"status\":\"assigning\"}{}", "follows the end" },
    { "{\"status\":7}", "status" },
    { "{\"status\":\"assigned\",\"operationId\":\"o\"}", "without assignedHub", TRUE },
    { STATE (""), "without assignedHub", TRUE },
    { STATE ("\"assignedHub\":\"h.example.net\""),
      "without assignedHub and deviceId",
      TRUE },
    { STATE ("\"deviceId\":\"d\""), "without assignedHub and deviceId", TRUE },
    { STATE ("\"assignedHub\":7,\"deviceId\":\"d\""), "assignedHub", TRUE },
    { STATE ("\"assignedHub\":null,\"deviceId\":\"d\""), "assignedHub", TRUE },
    { STATE ("\"assignedHub\":\"\",\"deviceId\":\"d\""), "not a host name", TRUE },
    { STATE ("\"assignedHub\":\"10.0.0.1\",\"deviceId\":\"d\""),
      "not a host name",
      TRUE },
    { STATE ("\"assignedHub\":\"h.x:443\",\"deviceId\":\"d\""), "not a host name", TRUE },
    { STATE ("\"assignedHub\":\"https://h.x\",\"deviceId\":\"d\""),
      "not a host name",
      TRUE },
    { STATE ("\"assignedHub\":\"h.x\\nA: b\",\"deviceId\":\"d\""), "assignedHub", TRUE },
    { STATE ("\"assignedHub\":\"h.x\",\"deviceId\":\"a/b\""), "deviceId", TRUE },
    { STATE ("\"assignedHub\":\"h.x\",\"deviceId\":\"\""), "deviceId", TRUE },
    { STATE ("\"assignedHub\":\"h.x\",\"assignedHub\":\"h.y\",\"deviceId\":\"d\""),
      "twice" },
    { STATE ("\"assignedHub\":\"h.x\",\"assigned\\u0048ub\":\"h.y\",\"deviceId\":\"d\""),
      "twice" },
    { "{\"status\":\"failed\",\"registrationState\":{\"assignedHub\":\"h\"}}",
      "not a host name" },
    { STATE ("\"tpm\":\"x\""), "tpm" },
    { STATE ("\"errorCode\":\"400207\""), "errorCode" },
    { STATE ("\"issuedCertificateChain\":{}"), "issuedCertificateChain" },
    { STATE ("\"issuedCertificateChain\":[1]"), "issuedCertificateChain" },
    { STATE ("\"issuedCertificateChain\":[\"!\"]"), "issuedCertificateChain" },
    { STATE ("\"issuedCertificateChain\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]"),
      "more than 8" },
    { "{\"status\":\"assigning\",\"operationId\":\"a\\r\\nb\"}", "operationId" },
    { "{\"status\":\"assigning\",\"operationId\":\"\"}", "operationId" },
    { "{\"status\":\"assigning\",\"operationId\":\"..\"}", "operationId" },
    { "{\"status\":\"assigning\",\"operationId\":5}", "operationId" },
    { "{\"a\":[[[[[[[[1]]]]]]]]}", "deeper" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      DpsError code = rows[i].nowhere ? DPS_ERROR_INVALID_ARGUMENT : DPS_ERROR_REJECTED;

      refuse_as (dps_message_parse_register, code, rows[i].text, rows[i].because);
      refuse_as (dps_message_parse_poll, code, rows[i].text, rows[i].because);
    }
}

static void
test_operation_id (void)
{
  g_autofree char *id = g_strnfill (1025, 'i');
  g_autofree char *too_long =
      g_strdup_printf ("{\"status\":\"assigning\",\"operationId\":\"%s\"}", id);
  g_autoptr (DpsReply) reply = NULL;
  g_autofree char *fits = NULL;

  refuse (dps_message_parse_poll, too_long, "operationId");
  id[1024] = '\0';
  fits = g_strdup_printf ("{\"status\":\"assigning\",\"operationId\":\"%s\"}", id);
  reply = parse_ok (dps_message_parse_register, fits);
  g_assert_cmpstr (reply->operation_id, ==, id);

  /* These would make another path of it. */
  refuse (dps_message_parse_register,
          "{\"status\":\"assigning\",\"operationId\":\"\"}",
          "operationId");
  refuse (dps_message_parse_register,
          "{\"status\":\"assigning\",\"operationId\":\".\"}",
          "operationId");
  refuse (dps_message_parse_poll,
          "{\"status\":\"assigning\",\"operationId\":\"..\"}",
          "operationId");

  /* Without one there is nothing to poll; in a poll's answer it may be missing. */
  refuse (dps_message_parse_register, "{\"status\":\"assigning\"}", "no operationId");
  refuse (dps_message_parse_register, "{\"status\":\"unassigned\"}", "no operationId");
  dps_reply_free (parse_ok (dps_message_parse_poll, "{\"status\":\"assigning\"}"));
}

/* json-glib takes single quotes; nesting may not hide between them. */
static void
test_hidden_nesting (void)
{
  g_autoptr (GString) text = g_string_new ("{\"status\":'\"',\"b\":");

  for (guint i = 0; i < 20000; i++)
    g_string_append_c (text, '[');
  for (guint i = 0; i < 20000; i++)
    g_string_append_c (text, ']');
  g_string_append (text, ",\"c\":'\"'}");
  refuse (dps_message_parse_poll, text->str, "a character that JSON does not have");
}

/* A payload comes out as it came in; numbers that cannot be held are refused elsewhere.
 */
static void
test_payload (void)
{
  static const struct
  {
    const char *members, *payload;
  } rows[] = {
    { "", NULL },
    { ",\"payload\": null ", NULL },
    { ",\"payload\": 12345678901234567890 ", "12345678901234567890" },
    { ",\"payload\":{\"a\":[1.10, 1e400]}", "{\"a\":[1.10, 1e400]}" },
    { ",\"payload\":[ ],\"x\":{\"payload\":2}", "[ ]" },
    { ",\"x\":{\"payload\":2},\"p\\u0061yload\":{\"payload\":3},\"y\":0",
      "{\"payload\":3}" },
    { ",\"x\":[{\"payload\":2}]", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *state =
          g_strdup_printf ("{\"status\":\"failed\"%s}", rows[i].members);
      g_autofree char *text = g_strdup_printf ("{\"payload\":1,\"status\":\"failed\","
                                               "\"o\":{\"payload\":4},"
                                               "\"registrationState\":%s}",
                                               state);
      g_autoptr (DpsReply) reply = parse_ok (dps_message_parse_poll, text);
      g_autoptr (DpsRegistration) r =
          dps_message_parse_lookup (state, strlen (state), NULL);

      g_assert_cmpstr (reply->registration->payload, ==, rows[i].payload);
      g_assert_nonnull (r);
      g_assert_cmpstr (r->payload, ==, rows[i].payload);
    }
  refuse (dps_message_parse_poll,
          "{\"status\":\"failed\",\"registrationState\":{\"errorCode\":"
          "-18446744073709151409}}",
          "64 bits");
}

static void
test_size (void)
{
  g_autofree char *padding = g_strnfill (DPS_JSON_MAX_SIZE, ' ');
  g_autofree char *text = g_strconcat ("{\"status\":\"failed\"}", padding, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsReply) reply = dps_message_parse_poll (text, DPS_JSON_MAX_SIZE, &error);

  g_assert_no_error (error);
  g_assert_null (dps_message_parse_poll (text, DPS_JSON_MAX_SIZE + 1, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
}

static void
test_lookup (void)
{
  static const char assigned[] = "{\"registrationId\":\"r\",\"status\":\"assigned\","
                                 "\"assignedHub\":\"h.example.net\",\"deviceId\":\"d\"}";
  static const struct
  {
    const char *text;
    int code;
  } bad[] = {
    { "{\"status\":\"assigned\"}", DPS_ERROR_INVALID_ARGUMENT },
    { "{\"assignedHub\":\"h.example.net\",\"deviceId\":\"d\"}", DPS_ERROR_REJECTED },
    { "", DPS_ERROR_REJECTED },
    { "{\"status\":\"assigned\",\"assignedHub\":\"h.example.net\"}",
      DPS_ERROR_INVALID_ARGUMENT },
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsRegistration) r =
      dps_message_parse_lookup (assigned, strlen (assigned), &error);

  g_assert_no_error (error);
  g_assert_cmpint (r->status, ==, DPS_STATUS_ASSIGNED);
  g_assert_cmpstr (r->assigned_hub, ==, "h.example.net");
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_null (
          dps_message_parse_lookup (bad[i].text, strlen (bad[i].text), &error));
      g_assert_error (error, DPS_ERROR, bad[i].code);
      g_clear_error (&error);
    }
}

static DpsServiceError *
parse_error (const char *text, GError **error)
{
  return dps_message_parse_error (text, strlen (text), error);
}

static void
test_service_error (void)
{
  g_autoptr (DpsServiceError) e = parse_error (
      "{\"errorCode\":401002,\"trackingId\":\"0a1b\",\"message\":\"Unauthorized\\n\","
      "\"info\":{\"k\":\"v\"},\"timestampUtc\":\"2026-11-20T10:11:12.1234567Z\"}",
      NULL);

  g_assert_nonnull (e);
  g_assert_cmpint (e->code, ==, 401002);
  g_assert_cmpstr (e->tracking_id, ==, "0a1b");
  g_assert_cmpstr (e->message, ==, "Unauthorized ");
  g_assert_false (dps_service_error_is_challenge (e, 401));
}

static void
test_challenge (void)
{
  g_autoptr (DpsServiceError) e =
      parse_error ("{\"message\":\"Authorization required, resend request using supplied "
                   "key\","
                   "\"authenticationKey\":\"AAEC\",\"keyName\":\"reg2\"}",
                   NULL);
  g_autoptr (DpsServiceError) unnamed =
      parse_error ("{\"authenticationKey\":\"AAEC\"}", NULL);
  g_autoptr (DpsServiceError) coded =
      parse_error ("{\"authenticationKey\":\"AAEC\",\"errorCode\":401002}", NULL);

  g_assert_cmpstr (e->authentication_key, ==, "AAEC");
  g_assert_cmpstr (e->key_name, ==, "reg2");
  g_assert_cmpstr (unnamed->key_name, ==, "registration");
  g_assert_true (dps_service_error_is_challenge (e, 401));
  g_assert_false (dps_service_error_is_challenge (e, 403));
  g_assert_false (dps_service_error_is_challenge (coded, 401));
  g_assert_false (dps_service_error_is_challenge (NULL, 401));
}

static void
test_service_error_refuses (void)
{
  static const char *const bad[] = {
    "", "{}", "nope", "{\"errorCode\":\"x\"}", "{\"authenticationKey\":[]}",
  };
  g_autofree char *blob = g_strnfill (DPS_BLOB_TEXT_MAX + 1, 'A');
  g_autofree char *large = g_strdup_printf ("{\"authenticationKey\":\"%s\"}", blob);
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_assert_null (parse_error (bad[i], &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
      g_clear_error (&error);
    }
  g_assert_null (parse_error (large, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
}

static void
test_content_type (void)
{
  static const char *const good[] = {
    NULL,
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON ",
  };
  static const char *const bad[] = {
    "text/html", "", "application/jsonp", "text/html; x=application/json", "a\x1b[2J\xff",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (dps_message_check_content_type (good[i], NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (dps_message_check_content_type (bad[i], &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
      g_assert_null (strchr (error->message, '\x1b'));
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
}

/* No bytes crash a parser, and what it accepts as assigned is usable. */
static void
test_any_bytes (void)
{
  static const char seed[] =
      STATE ("\"assignedHub\":\"h.x\",\"deviceId\":\"d\",\"payload\":[1,{\"a\":2}],"
             "\"tpm\":{\"authenticationKey\":\"AAEC\"},\"errorCode\":1,"
             "\"issuedCertificateChain\":[\"AAEC\"]");
  static const char noise[] = "{}[]\",:'\\u0tn1-.ae\x01\xff/";
  guint assigned = 0;

  for (guint round = 0; round < 20000; round++)
    {
      char text[sizeof seed];
      guint changes = (guint) g_test_rand_int_range (0, 4);
      gsize size = sizeof seed - 1 - (gsize) g_test_rand_int_range (0, 2);
      g_autoptr (DpsReply) reply = NULL;

      memcpy (text, seed, sizeof seed);
      for (guint i = 0; i < changes; i++)
        text[g_test_rand_int_range (0, (gint) sizeof seed - 1)] =
            noise[g_test_rand_int_range (0, sizeof noise - 1)];
      reply = dps_message_parse_poll (text, size, NULL);
      dps_registration_free (dps_message_parse_lookup (text, size, NULL));
      dps_service_error_free (dps_message_parse_error (text, size, NULL));
      if (reply == NULL || reply->status != DPS_STATUS_ASSIGNED)
        continue;
      g_assert_nonnull (reply->registration->assigned_hub);
      g_assert_nonnull (reply->registration->device_id);
      assigned++;
    }
  g_assert_cmpuint (assigned, >, 1000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/message/path/encodes-every-segment", test_paths);
  g_test_add_func ("/message/body/members", test_body);
  g_test_add_func ("/message/body/refuses-a-payload-that-breaks-out", test_body_refuses);
  g_test_add_func ("/message/reply/assigning", test_assigning);
  g_test_add_func ("/message/reply/assigned", test_assigned);
  g_test_add_func ("/message/reply/payload-as-it-came", test_payload);
  g_test_add_func ("/message/reply/failed", test_failed);
  g_test_add_func ("/message/reply/status-without-case", test_status);
  g_test_add_func ("/message/reply/refuses", test_refuses);
  g_test_add_func ("/message/reply/operation-id", test_operation_id);
  g_test_add_func ("/message/reply/no-hidden-nesting", test_hidden_nesting);
  g_test_add_func ("/message/reply/size-limit", test_size);
  g_test_add_func ("/message/reply/any-bytes", test_any_bytes);
  g_test_add_func ("/message/lookup/unwrapped", test_lookup);
  g_test_add_func ("/message/error/service", test_service_error);
  g_test_add_func ("/message/error/challenge", test_challenge);
  g_test_add_func ("/message/error/refuses", test_service_error_refuses);
  g_test_add_func ("/message/content-type/proxies", test_content_type);
  return g_test_run ();
}
