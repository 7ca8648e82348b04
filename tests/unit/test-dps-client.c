/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-client.h"
#include "common/dps-error.h"
#include "tls-server.h"

#include <string.h>

/* One answer for whatever comes; keeps what came. */
typedef struct
{
  const char *status;
  const char *headers;
  const char *body;
  GString *seen;
} Script;

typedef struct
{
  Script script;
  TlsServer *server;
  DpsHttp *http;
  DpsClient *client;
} Fixture;

static void
answer (const char *request, TlsServerAnswer *reply, gpointer data)
{
  Script *script = data;

  g_string_assign (script->seen, request);
  g_string_append_printf (reply->bytes,
                          "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s",
                          script->status,
                          script->headers,
                          strlen (script->body),
                          script->body);
}

#define JSON "Content-Type: application/json; charset=utf-8\r\n"

static void
setup (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const char *pins[2] = { 0 };
  DpsHttpOptions options = { .system_ca_file = "/nonexistent/ca.crt", .pins = pins };

  f->script = (Script){ "200 OK", JSON, "{}", g_string_new (NULL) };
  f->server = tls_server_new (NULL, answer, &f->script);
  pins[0] = tls_server_pin (f->server);
  options.ca_pem = tls_server_ca_pem (f->server);
  f->http = dps_http_new (&options, &error);
  g_assert_no_error (error);
  f->client =
      dps_client_new (f->http, TLS_SERVER_HOST, "0ne00ABCDEF", "dev:01", "2021-06-01");
}

static void
teardown (Fixture *f, gconstpointer data)
{
  dps_client_free (f->client);
  dps_http_free (f->http);
  tls_server_free (f->server);
  g_string_free (f->script.seen, TRUE);
}

static void
say (Fixture *f, const char *status, const char *headers, const char *body)
{
  f->script.status = status;
  f->script.headers = headers;
  f->script.body = body;
}

#define ASSIGNED                                                                         \
  "{\"operationId\":\"5.a\",\"status\":\"assigned\",\"registrationState\":{"             \
  "\"status\":\"assigned\",\"assignedHub\":\"h.example.net\",\"deviceId\":\"d1\"}}"

static void
test_register_accepted (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsSecret) token = dps_secret_new ("SharedAccessSignature sr=x", 26);
  DpsRegisterParams params = { .body = { .payload = "{\"site\":1}" },
                               .authorization = token };
  g_auto (DpsOutcome) out = { 0 };
  g_autoptr (GError) error = NULL;

  say (f,
       "202 Accepted",
       JSON "Retry-After: 3\r\nx-ms-request-id: 77\r\n",
       "{\"operationId\":\"5.a\",\"status\":\"assigning\"}");
  g_assert_true (dps_client_register (f->client, &params, NULL, &out, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (out.http_status, ==, 202);
  g_assert_cmpint (out.reply->status, ==, DPS_STATUS_ASSIGNING);
  g_assert_cmpstr (out.reply->operation_id, ==, "5.a");
  g_assert_cmpint (out.retry_after, ==, 3 * G_USEC_PER_SEC);
  g_assert_cmpint (out.server_offset, ==, 0);
  g_assert_cmpstr (dps_outcome_request_id (&out), ==, "77");
  g_assert_true (g_str_has_prefix (f->script.seen->str,
                                   "PUT /0ne00ABCDEF/registrations/dev%3A01/register"
                                   "?api-version=2021-06-01 HTTP/1.1\r\n"));
  g_assert_true (g_str_has_suffix (f->script.seen->str,
                                   "\r\n\r\n{\"registrationId\":\"dev:01\",\"payload\":{"
                                   "\"site\":1}}"));
  g_assert_nonnull (
      strstr (f->script.seen->str, "\r\nAuthorization: SharedAccessSignature sr=x\r\n"));
}

static void
test_register_assigned_at_once (Fixture *f, gconstpointer data)
{
  DpsRegisterParams params = { 0 };
  g_auto (DpsOutcome) out = { 0 };

  say (f, "200 OK", JSON, ASSIGNED);
  g_assert_true (dps_client_register (f->client, &params, NULL, &out, NULL));
  g_assert_cmpint (out.reply->status, ==, DPS_STATUS_ASSIGNED);
  g_assert_cmpstr (out.reply->registration->assigned_hub, ==, "h.example.net");
  g_assert_cmpint (out.retry_after, ==, DPS_PACING_NONE);
  g_assert_null (strstr (f->script.seen->str, "Authorization"));
}

static void
test_challenge (Fixture *f, gconstpointer data)
{
  DpsRegisterParams params = { 0 };
  g_auto (DpsOutcome) out = { 0 };

  say (f,
       "401 Unauthorized",
       JSON,
       "{\"message\":\"Authorization required\",\"authenticationKey\":\"AAEC\","
       "\"keyName\":\"registration\"}");
  g_assert_true (dps_client_register (f->client, &params, NULL, &out, NULL));
  g_assert_cmpuint (out.http_status, ==, 401);
  g_assert_true (out.challenge);
  g_assert_cmpstr (out.service_error->authentication_key, ==, "AAEC");
  g_assert_null (out.reply);
}

static void
test_refusals (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *status, *headers, *body;
    guint http_status;
    gint64 code; /* -1 = no service error */
    gboolean not_json;
  } rows[] = {
    { "401 Unauthorized",
      JSON,
      "{\"errorCode\":401002,\"trackingId\":\"t\",\"message\":\"Unauthorized\"}",
      401,
      401002,
      FALSE },
    { "401 Unauthorized", JSON, "", 401, -1, FALSE },
    { "429 Slow",
      JSON "Retry-After: 9\r\n",
      "{\"errorCode\":429001}",
      429,
      429001,
      FALSE },
    { "500 Oops", JSON, "{broken", 500, -1, FALSE },
    { "502 Bad Gateway",
      "Content-Type: text/html\r\n",
      "<html>{\"errorCode\":1}</html>",
      502,
      -1,
      TRUE },
    { "503 Unavailable", "", "{\"errorCode\":503001}", 503, 503001, FALSE },
    { "302 Found", "Location: https://login.example/\r\n", "", 302, -1, FALSE },
  };
  DpsRegisterParams params = { 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (DpsOutcome) out = { 0 };
      g_autoptr (GError) error = NULL;

      say (f, rows[i].status, rows[i].headers, rows[i].body);
      g_assert_true (dps_client_register (f->client, &params, NULL, &out, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (out.http_status, ==, rows[i].http_status);
      g_assert_cmpint (out.service_error != NULL ? out.service_error->code : -1,
                       ==,
                       rows[i].code);
      g_assert_cmpint (out.not_json, ==, rows[i].not_json);
      g_assert_false (out.challenge);
      g_assert_null (out.reply);
      if (rows[i].code == 401002)
        g_assert_cmpstr (dps_outcome_tracking_id (&out), ==, "t");
      g_assert_cmpint (out.retry_after,
                       ==,
                       rows[i].code == 429001 ? 9 * G_USEC_PER_SEC : DPS_PACING_NONE);
    }
}

#define NOWHERE                                                                          \
  "{\"operationId\":\"5.a\",\"status\":\"assigned\",\"registrationState\":{"             \
  "\"assignedHub\":\"h.example.net:443\",\"deviceId\":\"d1\"}}"
#define GOING_NOWHERE                                                                    \
  "{\"operationId\":\"5.a\",\"status\":\"assigning\",\"registrationState\":{"            \
  "\"assignedHub\":\"h.example.net:443\",\"deviceId\":\"d1\"}}"

static void
test_unusable (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *status, *headers, *body;
    gboolean not_json, bad_assignment;
  } rows[] = {
    { "200 OK", "Content-Type: text/html\r\n", "<html>sign in</html>", TRUE },
    { "200 OK", "Content-Type: text/html\r\n", ASSIGNED, TRUE },
    { "200 OK", JSON, "", FALSE },
    { "204 No", "", "", FALSE },
    { "202 Accepted", JSON, "{\"status\":\"assigning\"}", FALSE },
    { "200 OK", JSON, "{\"status\":\"assigned\",\"operationId\":\"o\"}", FALSE, TRUE },
    { "200 OK", JSON, NOWHERE, FALSE, TRUE },
    { "202 Accepted", JSON, GOING_NOWHERE, FALSE, FALSE },
  };
  DpsRegisterParams params = { 0 };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      int code = rows[i].bad_assignment ? DPS_ERROR_INVALID_ARGUMENT : DPS_ERROR_REJECTED;
      g_auto (DpsOutcome) out = { 0 };
      g_autoptr (GError) error = NULL;

      say (f, rows[i].status, rows[i].headers, rows[i].body);
      g_assert_false (dps_client_register (f->client, &params, NULL, &out, &error));
      g_assert_error (error, DPS_ERROR, code);
      g_assert_cmpint (out.bad_assignment, ==, rows[i].bad_assignment);
      g_assert_cmpint (out.not_json, ==, rows[i].not_json);
      g_assert_cmpuint (out.http_status, >=, 200);
      g_assert_null (out.reply);
    }
}

static void
test_bad_payload (Fixture *f, gconstpointer data)
{
  DpsRegisterParams params = { .body = { .payload = "{" } };
  g_auto (DpsOutcome) out = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_false (dps_client_register (f->client, &params, NULL, &out, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
  g_assert_cmpint (out.failure, ==, DPS_HTTP_FAILURE_LOCAL);
  g_assert_cmpuint (tls_server_accepted (f->server), ==, 0);
}

/* An outcome used again and again keeps nothing of the time before, and all calls go over
 * one connection. */
static void
test_flow (Fixture *f, gconstpointer data)
{
  DpsRegisterParams params = { 0 };
  g_auto (DpsOutcome) out = { 0 };

  say (f,
       "202 Accepted",
       JSON "Retry-After: 3\r\n",
       "{\"operationId\":\"5./b\",\"status\":\"assigning\"}");
  g_assert_true (dps_client_register (f->client, &params, NULL, &out, NULL));
  say (f, "202 Accepted", JSON, "{\"status\":\"assigning\"}");
  g_assert_true (dps_client_poll (f->client, "5./b", NULL, NULL, &out, NULL));
  g_assert_cmpint (out.retry_after, ==, DPS_PACING_NONE);
  g_assert_null (out.reply->operation_id);
  g_assert_true (
      g_str_has_prefix (f->script.seen->str,
                        "GET /0ne00ABCDEF/registrations/dev%3A01/operations/5.%2Fb"
                        "?api-version=2021-06-01 HTTP/1.1\r\n"));
  say (f, "200 OK", JSON, ASSIGNED);
  g_assert_true (dps_client_poll (f->client, "5./b", NULL, NULL, &out, NULL));
  g_assert_cmpint (out.reply->status, ==, DPS_STATUS_ASSIGNED);
  g_assert_cmpuint (out.http->connections, ==, 0);
  g_assert_cmpuint (tls_server_accepted (f->server), ==, 1);
  g_assert_cmpuint (tls_server_whole_requests (f->server), ==, 3);
}

static void
test_lookup (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) csr = g_bytes_new_static ("0", 1);
  DpsRegisterParams params = { .body = { .certificate_request = csr } };
  g_auto (DpsOutcome) out = { 0 };

  say (f,
       "200 OK",
       JSON,
       "{\"status\":\"assigned\",\"assignedHub\":\"h.example.net\",\"deviceId\":\"d1\"}");
  g_assert_true (dps_client_lookup (f->client, &params, NULL, &out, NULL));
  g_assert_cmpstr (out.registration->device_id, ==, "d1");
  g_assert_true (g_str_has_prefix (f->script.seen->str,
                                   "POST /0ne00ABCDEF/registrations/dev%3A01"
                                   "?api-version=2021-06-01 HTTP/1.1\r\n"));
  g_assert_null (strstr (f->script.seen->str, "csr"));
}

static void
test_hub_modules (Fixture *f, gconstpointer data)
{
  static const guint statuses[] = { 200, 401, 404, 403, 429, 503 };

  for (gsize i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      g_autofree char *status = g_strdup_printf ("%u X", statuses[i]);
      g_auto (DpsOutcome) out = { 0 };
      g_autoptr (GError) error = NULL;

      say (f, status, "", "not looked at");
      g_assert_true (dps_client_hub_modules (f->http,
                                             TLS_SERVER_HOST,
                                             "d#1",
                                             NULL,
                                             NULL,
                                             &out,
                                             &error));
      g_assert_no_error (error);
      g_assert_cmpuint (out.http_status, ==, statuses[i]);
    }
  g_assert_true (g_str_has_prefix (f->script.seen->str,
                                   "GET /devices/d%231/modules"
                                   "?api-version=2017-11-08-preview HTTP/1.1\r\n"));
}

static void
test_clock (Fixture *f, gconstpointer data)
{
  static const gint hours[] = { -2, 3 };

  for (gsize i = 0; i < G_N_ELEMENTS (hours); i++)
    {
      g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
      g_autoptr (GDateTime) then = g_date_time_add_hours (now, hours[i]);
      g_autofree char *date = g_date_time_format (then, "%a, %d %b %Y %H:%M:%S GMT");
      g_autofree char *headers = g_strdup_printf (JSON "Date: %s\r\n", date);
      gint64 expected = hours[i] * G_TIME_SPAN_HOUR;
      g_auto (DpsOutcome) out = { 0 };

      say (f, "200 OK", headers, ASSIGNED);
      g_assert_true (dps_client_poll (f->client, "5.a", NULL, NULL, &out, NULL));
      g_assert_cmpint (ABS (out.server_offset - expected), <, 60 * G_USEC_PER_SEC);
      g_assert_cmpint (out.server_offset, !=, 0);
    }
}

static void
test_transport (Fixture *f, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_auto (DpsOutcome) out = { 0 };
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (dps_client_poll (f->client, "o", NULL, cancellable, &out, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (out.failure, ==, DPS_HTTP_FAILURE_CANCELLED);
  g_assert_cmpuint (out.http_status, ==, 0);
  g_assert_cmpint (out.retry_after, ==, DPS_PACING_NONE);
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, setup, test, teardown)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/client/register/accepted", test_register_accepted);
  ADD ("/client/register/assigned-at-once", test_register_assigned_at_once);
  ADD ("/client/register/challenge", test_challenge);
  ADD ("/client/register/refusals", test_refusals);
  ADD ("/client/register/unusable-answers", test_unusable);
  ADD ("/client/register/bad-payload", test_bad_payload);
  ADD ("/client/flow/one-connection", test_flow);
  ADD ("/client/lookup", test_lookup);
  ADD ("/client/hub-modules/status-only", test_hub_modules);
  ADD ("/client/clock-offset", test_clock);
  ADD ("/client/transport-failure", test_transport);
  return g_test_run ();
}
