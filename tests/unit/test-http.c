/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http.h"
#include "common/dps-error.h"
#include "tls-server.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static const DpsHttpRequest get = { .method = "GET",
                                    .host = TLS_SERVER_HOST,
                                    .path = "/x?api-version=1" };

static DpsHttp *
http_with (TlsServer *server, DpsHttpOptions options)
{
  const char *pins[] = { tls_server_pin (server), NULL };
  g_autoptr (GError) error = NULL;
  DpsHttp *http;

  if (options.ca_pem == NULL)
    options.ca_pem = tls_server_ca_pem (server);
  if (options.system_ca_file == NULL)
    options.system_ca_file = "/nonexistent/ca.crt";
  if (options.pins == NULL)
    options.pins = pins;
  options.user_agent = "dps-agent/test";
  http = dps_http_new (&options, &error);
  g_assert_no_error (error);
  return http;
}

static DpsHttp *
http_for (TlsServer *server)
{
  return http_with (server, (DpsHttpOptions){ 0 });
}

static DpsHttpResponse *
perform_ok (DpsHttp *http, const DpsHttpRequest *request)
{
  g_autoptr (GError) error = NULL;
  DpsHttpResponse *response = NULL;
  gboolean done = dps_http_perform (http, request, NULL, &response, &error);

  g_assert_no_error (error);
  g_assert_true (done);
  g_assert_cmpint (response->failure, ==, DPS_HTTP_FAILURE_NONE);
  return response;
}

static DpsHttpResponse *
perform_fails (DpsHttp *http, DpsHttpFailure failure, GQuark domain, gint code)
{
  g_autoptr (GError) error = NULL;
  DpsHttpResponse *response = NULL;
  gboolean done = dps_http_perform (http, &get, NULL, &response, &error);

  g_assert_false (done);
  g_test_message ("%s", error->message);
  g_assert_cmpstr (dps_http_failure_to_string (response->failure),
                   ==,
                   dps_http_failure_to_string (failure));
  g_assert_error (error, domain, code);
  g_assert_nonnull (strstr (error->message, TLS_SERVER_HOST));
  g_assert_nonnull (response->body);
  return response;
}

/* ---- answers of any length in both framings ---- */

typedef struct
{
  gsize length;
  gsize chunk; /* 0 = by Content-Length */
  gsize piece;
} Framing;

static char
pattern (gsize i)
{
  return (char) ('!' + i * 7 % 89);
}

static void
answer_framed (const char *request, TlsServerAnswer *answer, gpointer data)
{
  const Framing *f = data;

  answer->piece = f->piece;
  g_string_append (answer->bytes,
                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
  if (f->chunk == 0)
    g_string_append_printf (answer->bytes,
                            "Content-Length: %" G_GSIZE_FORMAT "\r\n\r\n",
                            f->length);
  else
    g_string_append (answer->bytes, "Transfer-Encoding: chunked\r\n\r\n");
  for (gsize i = 0; i < f->length; i++)
    {
      if (f->chunk != 0 && i % f->chunk == 0)
        g_string_append_printf (answer->bytes,
                                "%s%" G_GSIZE_MODIFIER "x\r\n",
                                i != 0 ? "\r\n" : "",
                                MIN (f->chunk, f->length - i));
      g_string_append_c (answer->bytes, pattern (i));
    }
  if (f->chunk != 0)
    g_string_append (answer->bytes, f->length != 0 ? "\r\n0\r\n\r\n" : "0\r\n\r\n");
}

static void
check_framed (DpsHttp *http, const Framing *f)
{
  g_autoptr (DpsHttpResponse) response = perform_ok (http, &get);
  gsize size;
  const char *body = g_bytes_get_data (response->body, &size);

  g_assert_cmpuint (response->status, ==, 200);
  g_assert_cmpuint (size, ==, f->length);
  for (gsize i = 0; i < size; i++)
    if (body[i] != pattern (i))
      g_error ("byte %zu of %zu differs, chunk %zu", i, size, f->chunk);
}

static void
test_every_length (void)
{
  static const struct
  {
    gsize chunk, piece;
  } rows[] = {
    { 0, 0 }, { 0, 64 }, { 1, 0 }, { 7, 0 }, { 64, 64 }, { 63, 61 }, { 1000, 0 },
  };
  Framing f = { 0 };
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_framed, &f);
  g_autoptr (DpsHttp) http = http_for (server);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (gsize length = 0; length <= 2048; length++)
      {
        f = (Framing){ length, rows[i].chunk, rows[i].piece };
        check_framed (http, &f);
      }
  g_assert_cmpuint (tls_server_accepted (server), ==, 1);
}

static void
test_large (void)
{
  static const gsize lengths[] = { 4095,  4096,  4097,  8192,  16383,
                                   16384, 16385, 40000, 65535, DPS_HTTP_BODY_MAX };
  static const gsize chunks[] = { 0, 17, 4096, 100000 };
  Framing f = { 0 };
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_framed, &f);
  g_autoptr (DpsHttp) http = http_for (server);

  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (chunks); k++)
      {
        f = (Framing){ lengths[i], chunks[k], 0 };
        check_framed (http, &f);
      }
  g_assert_cmpuint (tls_server_accepted (server), ==, 1);
}

static void
test_too_large (void)
{
  static const gsize chunks[] = { 0, 1000, 200000 };
  Framing f = { 0 };
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_framed, &f);
  g_autoptr (DpsHttp) http = http_for (server);

  for (gsize k = 0; k < G_N_ELEMENTS (chunks); k++)
    for (guint more = 1; more < 100000; more *= 100)
      {
        g_autoptr (DpsHttpResponse) response = NULL;

        f = (Framing){ DPS_HTTP_BODY_MAX + more, chunks[k], 0 };
        response = perform_fails (http,
                                  DPS_HTTP_FAILURE_TOO_LARGE,
                                  DPS_ERROR,
                                  DPS_ERROR_LIMITS_EXCEEDED);
        g_assert_cmpuint (g_bytes_get_size (response->body), <=, DPS_HTTP_BODY_MAX);
        g_assert_cmpuint (response->status, ==, 200);
      }
}

static void
test_ignored_body (void)
{
  static const gsize chunks[] = { 0, 1000 };
  static const gsize lengths[] = { 10, DPS_HTTP_BODY_MAX, DPS_HTTP_BODY_MAX * 4 };
  DpsHttpRequest request = get;
  Framing f = { 0 };
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_framed, &f);
  g_autoptr (DpsHttp) http = http_for (server);

  request.ignore_body = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (lengths); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (chunks); k++)
      {
        g_autoptr (DpsHttpResponse) response = NULL;

        f = (Framing){ lengths[i], chunks[k], 0 };
        response = perform_ok (http, &request);
        g_assert_cmpuint (response->status, ==, 200);
        g_assert_cmpuint (g_bytes_get_size (response->body), ==, 0);
      }
}

/* ---- canned answers ---- */

static void
answer_text (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_string_append (answer->bytes, data);
}

static void
answer_text_and_close (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_string_append (answer->bytes, data);
  answer->next = TLS_SERVER_CLOSE;
}

static void
test_facts (void)
{
  static char text[] = "HTTP/1.1 429 Slow Down\r\ncontent-type: application/json\r\n"
                       "RETRY-AFTER: 3\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
                       "x-ms-request-id: 5a2c\r\nx-ms-error-code: 429001\r\n"
                       "Location: https://a/\tb\r\nContent-Length: 2\r\n\r\n{}";
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, text);
  g_autoptr (DpsHttp) http = http_for (server);
  g_autoptr (DpsHttpResponse) r = perform_ok (http, &get);

  g_assert_cmpuint (r->status, ==, 429);
  g_assert_cmpstr (r->content_type, ==, "application/json");
  g_assert_cmpstr (r->retry_after, ==, "3");
  g_assert_cmpstr (r->date, ==, "Mon, 23 Nov 2026 12:00:00 GMT");
  g_assert_cmpstr (r->request_id, ==, "5a2c");
  g_assert_cmpstr (r->error_code, ==, "429001");
  g_assert_null (r->location); /* a control character */
  g_assert_cmpstr (r->address, ==, "127.0.0.1");
  g_assert_cmpuint (r->port, ==, tls_server_port (server));
  g_assert_cmpuint (r->connections, ==, 1);
  g_assert_cmpstr (r->tls_version, ==, "TLSv1.3");
  g_assert_nonnull (r->tls_cipher);
  g_assert_false (r->tls_reused);
  g_assert_cmpint (r->verify_result, ==, X509_V_OK);
  g_assert_cmpint (r->tls_ready, >, 0);
  g_assert_cmpint (r->total, >=, r->tls_ready);
}

static void
test_redirect (void)
{
  static char text[] = "HTTP/1.1 307 Elsewhere\r\nLocation: https://" TLS_SERVER_HOST
                       "/other\r\nContent-Length: 0\r\n\r\n";
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, text);
  g_autoptr (DpsHttp) http = http_for (server);
  g_autoptr (DpsHttpResponse) response = perform_ok (http, &get);

  g_assert_cmpuint (response->status, ==, 307);
  g_assert_cmpstr (response->location, ==, "https://" TLS_SERVER_HOST "/other");
  g_assert_cmpuint (tls_server_requests (server), ==, 1);
}

/* 'x' in gzip; it must come out as it went in. */
static const char gzipped[] =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x00\x00\x83\x16"
    "\xdc\x8c\x01\x00\x00\x00";

static void
answer_gzip (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_assert_null (strstr (request, "Accept-Encoding"));
  g_string_append_printf (answer->bytes,
                          "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          sizeof gzipped - 1);
  g_string_append_len (answer->bytes, gzipped, sizeof gzipped - 1);
}

static void
test_no_decompression (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_gzip, NULL);
  g_autoptr (DpsHttp) http = http_for (server);
  g_autoptr (DpsHttpResponse) response = perform_ok (http, &get);

  g_assert_cmpmem (g_bytes_get_data (response->body, NULL),
                   g_bytes_get_size (response->body),
                   gzipped,
                   sizeof gzipped - 1);
}

typedef struct
{
  gsize lines, each;
} Headers;

static void
answer_headers (const char *request, TlsServerAnswer *answer, gpointer data)
{
  const Headers *h = data;
  g_autofree char *value = g_strnfill (h->each, 'v');

  g_string_append (answer->bytes, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
  for (gsize i = 0; i < h->lines; i++)
    g_string_append_printf (answer->bytes, "X-H: %s\r\n", value);
  g_string_append (answer->bytes, "\r\n");
}

static void
test_headers (void)
{
  static const struct
  {
    Headers headers;
    gboolean fits;
  } rows[] = {
    { { 1, 15 * 1024 }, TRUE }, { { 150, 93 }, TRUE },   { { 1, 17 * 1024 }, FALSE },
    { { 170, 93 }, FALSE },     { { 1, 90000 }, FALSE }, { { 1, 200000 }, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Headers h = rows[i].headers;
      g_autoptr (TlsServer) server = tls_server_new (NULL, answer_headers, &h);
      g_autoptr (DpsHttp) http = http_for (server);

      dps_http_response_free (rows[i].fits ? perform_ok (http, &get)
                                           : perform_fails (http,
                                                            DPS_HTTP_FAILURE_TOO_LARGE,
                                                            DPS_ERROR,
                                                            DPS_ERROR_LIMITS_EXCEEDED));
    }
}

/* 100-continues without end are stopped by the same limit. */
static void
test_interim_answers (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (TlsServer) server = NULL;
  g_autoptr (DpsHttp) http = NULL;

  for (guint i = 0; i < 1000; i++)
    g_string_append (text, "HTTP/1.1 100 Continue\r\n\r\n");
  server = tls_server_new (NULL, answer_text, text->str);
  http = http_for (server);
  dps_http_response_free (perform_fails (http,
                                         DPS_HTTP_FAILURE_TOO_LARGE,
                                         DPS_ERROR,
                                         DPS_ERROR_LIMITS_EXCEEDED));
}

static void
test_broken_answers (void)
{
#define OK "HTTP/1.1 200 OK\r\n"
#define OK_CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define OK_CHUNKED_TWICE                                                                 \
  OK "Transfer-Encoding: chunked\r\n"                                                    \
     "transfer-encoding: Chunked\r\n\r\n"
#define OK_LENGTH OK "Content-Length: "
  static const struct
  {
    const char *text;
    DpsHttpFailure failure;
    gboolean io;
    gint code;
  } rows[] = {
    { "", DPS_HTTP_FAILURE_CLOSED, TRUE, G_IO_ERROR_CONNECTION_CLOSED },
    { "HTTP/1.1 200 OK\r\nContent-Le",
      DPS_HTTP_FAILURE_CLOSED,
      TRUE,
      G_IO_ERROR_CONNECTION_CLOSED },
    { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
      DPS_HTTP_FAILURE_CLOSED,
      TRUE,
      G_IO_ERROR_CONNECTION_CLOSED },
    { OK_CHUNKED "5\r\nabc",
      DPS_HTTP_FAILURE_CLOSED,
      TRUE,
      G_IO_ERROR_CONNECTION_CLOSED },
    { OK_CHUNKED "3\r\nabc\r\n",
      DPS_HTTP_FAILURE_CLOSED,
      TRUE,
      G_IO_ERROR_CONNECTION_CLOSED },
    { OK_CHUNKED "zz\r\nabc\r\n",
      DPS_HTTP_FAILURE_CLOSED,
      TRUE,
      G_IO_ERROR_CONNECTION_CLOSED },
    { "SSH-2.0-OpenSSH_9.2\r\n", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { "HTTP/1.1 banana\r\n\r\n", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { "HTTP/2 200 OK\r\n\r\n", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { "http/1.1 200 OK\r\n\r\n", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { "HTTP/1.1 2000 OK\r\n\r\n", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { "HTTP/1.1  200 OK\r\n\r\n", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      DPS_HTTP_FAILURE_MALFORMED,
      FALSE,
      DPS_ERROR_REJECTED },
    { OK_CHUNKED_TWICE "0\r\n\r\n",
      DPS_HTTP_FAILURE_MALFORMED,
      FALSE,
      DPS_ERROR_REJECTED },
    { OK_CHUNKED "0x2\r\n{}\r\n0\r\n\r\n",
      DPS_HTTP_FAILURE_MALFORMED,
      FALSE,
      DPS_ERROR_REJECTED },
    { OK_LENGTH "+2\r\n\r\n{}", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { OK_LENGTH "2x\r\n\r\n{}", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { OK_LENGTH "-2\r\n\r\n{}", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { OK_LENGTH "\r\n\r\n{}", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
    { OK_LENGTH "2\r\nContent-Length: 3\r\n\r\n{}",
      DPS_HTTP_FAILURE_MALFORMED,
      FALSE,
      DPS_ERROR_REJECTED },
    { "HTTP/1.1 100 Continue\r\n\r\nhttp/1.1 200 OK\r\n\r\n",
      DPS_HTTP_FAILURE_MALFORMED,
      FALSE,
      DPS_ERROR_REJECTED },
    { "\x01\x02\x03\x04\r\n\r\n", DPS_HTTP_FAILURE_MALFORMED, FALSE, DPS_ERROR_REJECTED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (TlsServer) server =
          tls_server_new (NULL, answer_text_and_close, (gpointer) rows[i].text);
      g_autoptr (DpsHttp) http = http_for (server);

      g_test_message ("%s", rows[i].text);
      dps_http_response_free (perform_fails (http,
                                             rows[i].failure,
                                             rows[i].io ? G_IO_ERROR : DPS_ERROR,
                                             rows[i].code));
    }
}

/* ---- one connection ---- */

static void
answer_too_much (const char *request, TlsServerAnswer *answer, gpointer data)
{
  static const char first[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst";
  static const char unasked[] = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked";

  if (strstr (request, "/second") != NULL)
    {
      g_string_append (answer->bytes,
                       "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond");
      return;
    }
  g_string_append (answer->bytes, first);
  g_string_append (answer->bytes, unasked);
  answer->piece = strlen (first);
}

/* What a server says before it is asked is not the answer to the next request, though it
 * comes in a record of its own. */
static void
test_unasked (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_too_much, NULL);
  g_autoptr (DpsHttp) http = http_for (server);
  DpsHttpRequest second = get;

  second.path = "/second";
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (DpsHttpResponse) one = perform_ok (http, &get);
      g_autoptr (DpsHttpResponse) two = NULL;

      g_assert_cmpmem (g_bytes_get_data (one->body, NULL),
                       g_bytes_get_size (one->body),
                       "first",
                       5);
      tls_server_wait_sent (server, tls_server_requests (server));
      two = perform_ok (http, &second);
      g_assert_cmpmem (g_bytes_get_data (two->body, NULL),
                       g_bytes_get_size (two->body),
                       "second",
                       6);
    }
}

static void
answer_folded (const char *request, TlsServerAnswer *answer, gpointer data)
{
  gboolean second = strstr (request, "/second") != NULL;

  g_string_append_printf (answer->bytes,
                          "HTTP/1.1 200 OK\r\n%sContent-Length: 2\r\n\r\n{}",
                          second ? " folded: onto what?\r\n"
                                 : "X-Last: of the first\r\n");
}

/* A line that continues none, in a further answer on the connection, touches nothing of
 * the answer before: libcurl before 8.1 would. */
static void
test_folded (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_folded, NULL);
  g_autoptr (DpsHttp) http = http_for (server);
  DpsHttpRequest second = get;

  second.path = "/second";
  for (int i = 0; i < 5; i++)
    {
      g_autoptr (DpsHttpResponse) one = perform_ok (http, &get);
      GError *error = NULL;
      DpsHttpResponse *two = NULL;

      g_assert_false (dps_http_perform (http, &second, NULL, &two, &error));
      g_assert_cmpint (two->failure, ==, DPS_HTTP_FAILURE_MALFORMED);
      g_clear_error (&error);
      dps_http_response_free (two);
    }
}

static void
answer_checked (const char *request, TlsServerAnswer *answer, gpointer data)
{
  guint *seen = data;

  if ((*seen)++ == 0)
    {
      g_assert_true (
          g_str_has_prefix (request, "PUT /s/register?api-version=1 HTTP/1.1\r\n"));
      g_assert_nonnull (strstr (request, "\r\nContent-Type: application/json"));
      g_assert_true (g_str_has_suffix (request, "\r\n\r\n{\"a\":1}"));
      g_assert_null (strstr (request, "Expect"));
    }
  else
    {
      g_assert_true (g_str_has_prefix (request, "GET /x?api-version=1 HTTP/1.1\r\n"));
      g_assert_null (strstr (request, "Content-"));
    }
  g_assert_nonnull (strstr (request, "\r\nHost: " TLS_SERVER_HOST "\r\n"));
  g_assert_nonnull (strstr (request, "\r\nUser-Agent: dps-agent/test\r\n"));
  g_assert_nonnull (strstr (request, "\r\nAccept: application/json\r\n"));
  g_assert_nonnull (
      strstr (request, "\r\nAuthorization: SharedAccessSignature sr=x\r\n"));
  g_string_append (answer->bytes, "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}");
}

static void
test_one_connection (void)
{
  static const char token[] = "SharedAccessSignature sr=x";
  g_autoptr (DpsSecret) authorization = dps_secret_new (token, strlen (token));
  DpsHttpRequest put = { .method = "PUT",
                         .host = TLS_SERVER_HOST,
                         .path = "/s/register?api-version=1",
                         .body = "{\"a\":1}",
                         .authorization = authorization };
  DpsHttpRequest poll = get;
  guint seen = 0;
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_checked, &seen);
  g_autoptr (DpsHttp) http = http_for (server);

  poll.authorization = authorization;
  for (guint i = 0; i < 8; i++)
    {
      g_autoptr (DpsHttpResponse) response = perform_ok (http, i == 0 ? &put : &poll);

      g_assert_cmpuint (response->status, ==, 202);
      g_assert_cmpuint (response->connections, ==, i == 0 ? 1 : 0);
      g_assert_cmpstr (response->tls_version, ==, "TLSv1.3");
    }
  g_assert_cmpuint (tls_server_accepted (server), ==, 1);
  g_assert_cmpuint (tls_server_requests (server), ==, 8);
  /* Headers and body together. */
  g_assert_cmpuint (tls_server_whole_requests (server), ==, 8);
}

/* A server that closed in between costs a connection, with the session resumed, and no
 * error. */
static void
test_reconnects (void)
{
  static char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text_and_close, text);
  g_autoptr (DpsHttp) http = http_for (server);

  for (guint i = 0; i < 5; i++)
    {
      g_autoptr (DpsHttpResponse) response = perform_ok (http, &get);

      g_assert_cmpuint (response->connections, ==, 1);
      g_assert_cmpint (response->tls_reused, ==, i > 0);
    }
  g_assert_cmpuint (tls_server_accepted (server), ==, 5);
}

/* ---- no connection, or none that is trusted ---- */

static char nothing[] = "HTTP/1.1 204 No Content\r\n\r\n";

static void
refused_by_tls (const TlsServerOptions *options, DpsHttpFailure failure, long verify)
{
  g_autoptr (TlsServer) server = tls_server_new (options, answer_text, nothing);
  g_autoptr (DpsHttp) http = http_for (server);
  g_autoptr (DpsHttpResponse) response =
      perform_fails (http, failure, DPS_ERROR, DPS_ERROR_REJECTED);

  g_assert_cmpint (response->verify_result, ==, verify);
  g_assert_cmpstr (response->address, ==, "127.0.0.1");
  g_assert_cmpuint (tls_server_accepted (server), ==, 1);
  g_assert_cmpuint (tls_server_requests (server), ==, 0);
}

static void
test_tls_name (void)
{
  refused_by_tls (&(TlsServerOptions){ .name = "other.example.net" },
                  DPS_HTTP_FAILURE_TLS_NAME,
                  X509_V_ERR_HOSTNAME_MISMATCH);
}

static void
test_tls_time (void)
{
  refused_by_tls (&(TlsServerOptions){ .not_before = -7200, .not_after = -3600 },
                  DPS_HTTP_FAILURE_TLS_TIME,
                  X509_V_ERR_CERT_HAS_EXPIRED);
  refused_by_tls (&(TlsServerOptions){ .not_before = 3600, .not_after = 7200 },
                  DPS_HTTP_FAILURE_TLS_TIME,
                  X509_V_ERR_CERT_NOT_YET_VALID);
}

static void
test_tls_version (void)
{
  g_autoptr (TlsServer) newer =
      tls_server_new (&(TlsServerOptions){ .max_version = TLS1_2_VERSION },
                      answer_text,
                      nothing);
  g_autoptr (DpsHttp) http = http_for (newer);
  g_autoptr (DpsHttpResponse) response = perform_ok (http, &get);

  g_assert_cmpstr (response->tls_version, ==, "TLSv1.2");
  refused_by_tls (&(TlsServerOptions){ .max_version = TLS1_1_VERSION },
                  DPS_HTTP_FAILURE_TLS_VERSION,
                  X509_V_OK);
}

static void
test_tls_untrusted (void)
{
  g_autoptr (TlsServer) other = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttp) http =
      http_with (server, (DpsHttpOptions){ .ca_pem = tls_server_ca_pem (other) });
  g_autoptr (DpsHttpResponse) response =
      perform_fails (http, DPS_HTTP_FAILURE_TLS_ISSUER, DPS_ERROR, DPS_ERROR_REJECTED);

  g_assert_cmpint (response->verify_result, !=, X509_V_OK);
  g_assert_cmpuint (tls_server_requests (server), ==, 0);
}

/* A private root comes in addition to those of the system. */
static void
test_both_roots (void)
{
  g_autoptr (TlsServer) a = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (TlsServer) b = tls_server_new (NULL, answer_text, nothing);
  DpsHttpOptions options = { .system_ca_file = tls_server_ca_file (a),
                             .ca_pem = tls_server_ca_pem (b) };
  g_autoptr (DpsHttp) to_a = http_with (a, options);
  g_autoptr (DpsHttp) to_b = http_with (b, options);

  dps_http_response_free (perform_ok (to_a, &get));
  dps_http_response_free (perform_ok (to_b, &get));
}

static void
test_roots_refused (void)
{
  static const char cut[] = "-----BEGIN CERTIFICATE-----\nMIIB";
  g_autoptr (GBytes) empty = g_bytes_new_static ("", 0);
  g_autoptr (GBytes) text = g_bytes_new_static ("no PEM", 6);
  g_autoptr (GBytes) half = g_bytes_new_static (cut, strlen (cut));
  const DpsHttpOptions rows[] = {
    { .system_ca_file = "/nonexistent/a" },
    { .system_ca_file = "/nonexistent/a", .ca_pem = empty },
    { .system_ca_file = "/nonexistent/a", .ca_pem = text },
    { .system_ca_file = "/nonexistent/a", .ca_pem = half },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (dps_http_new (&rows[i], &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_CONFIGURED);
    }
}

static void
test_handshake_dropped (void)
{
  g_autoptr (TlsServer) server =
      tls_server_new (&(TlsServerOptions){ .drop_handshake = TRUE },
                      answer_text,
                      nothing);
  g_autoptr (DpsHttp) http = http_for (server);

  dps_http_response_free (perform_fails (http,
                                         DPS_HTTP_FAILURE_CLOSED,
                                         G_IO_ERROR,
                                         G_IO_ERROR_CONNECTION_CLOSED));
}

static void
test_connect_refused (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  g_autofree char *pin = NULL;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  /* Bound and not listening: nobody else gets the port meanwhile. */
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (fd, (void *) &address, length), ==, 0);
  g_assert_cmpint (getsockname (fd, (void *) &address, &length), ==, 0);
  pin = g_strdup_printf (TLS_SERVER_HOST "=127.0.0.1:%u", ntohs (address.sin_port));
  {
    const char *pins[] = { pin, NULL };
    g_autoptr (DpsHttp) http = http_with (server, (DpsHttpOptions){ .pins = pins });

    dps_http_response_free (perform_fails (http,
                                           DPS_HTTP_FAILURE_CONNECT_REFUSED,
                                           G_IO_ERROR,
                                           G_IO_ERROR_CONNECTION_REFUSED));
  }
  close (fd);
}

/* A listener whose queue is full drops what else comes. */
static void
test_connect_timeout (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;
  g_autofree char *pin = NULL;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int fill[4];

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_cmpint (bind (fd, (void *) &address, length), ==, 0);
  g_assert_cmpint (listen (fd, 0), ==, 0);
  g_assert_cmpint (getsockname (fd, (void *) &address, &length), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (fill); i++)
    {
      fill[i] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      (void) !connect (fill[i], (void *) &address, length);
    }
  pin = g_strdup_printf (TLS_SERVER_HOST "=127.0.0.1:%u", ntohs (address.sin_port));
  {
    const char *pins[] = { pin, NULL };
    g_autoptr (DpsHttp) http =
        http_with (server, (DpsHttpOptions){ .pins = pins, .connect_timeout_ms = 300 });

    dps_http_response_free (perform_fails (http,
                                           DPS_HTTP_FAILURE_CONNECT_TIMEOUT,
                                           G_IO_ERROR,
                                           G_IO_ERROR_TIMED_OUT));
  }
  for (gsize i = 0; i < G_N_ELEMENTS (fill); i++)
    close (fill[i]);
  close (fd);
}

static void
test_resolve (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttp) http = http_for (server);
  DpsHttpRequest request = get;
  g_autoptr (DpsHttpResponse) response = NULL;
  g_autoptr (GError) error = NULL;

  /* RFC 6761: no resolver knows .invalid; the pin is for another name. */
  request.host = "dps.invalid";
  g_assert_false (dps_http_perform (http, &request, NULL, &response, &error));
  g_assert_cmpint (response->failure, ==, DPS_HTTP_FAILURE_RESOLVE);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND);
}

typedef struct
{
  guint calls;
  guint port;
  int family;
} Seen;

static gboolean
veto (const struct sockaddr *address, socklen_t length, gpointer data)
{
  Seen *seen = data;

  seen->calls++;
  seen->family = address->sa_family;
  seen->port =
      address->sa_family == AF_INET6
          ? ntohs (((const struct sockaddr_in6 *) (gconstpointer) address)->sin6_port)
          : ntohs (((const struct sockaddr_in *) (gconstpointer) address)->sin_port);
  return FALSE;
}

static void
test_address_refused (void)
{
  static const char *const pins[] = { TLS_SERVER_HOST "=[::1]:4711", NULL };
  static const char *const plain[] = { TLS_SERVER_HOST "=2001:db8::1", NULL };
  Seen seen = { 0 };
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  DpsHttpOptions options = { .check_address = veto, .check_data = &seen };
  const char *const *const sets[] = { NULL, pins, plain };
  const guint ports[] = { tls_server_port (server), 4711, 443 };

  for (gsize i = 0; i < G_N_ELEMENTS (sets); i++)
    {
      g_autoptr (DpsHttp) http = NULL;

      options.pins = sets[i];
      http = http_with (server, options);
      dps_http_response_free (perform_fails (http,
                                             DPS_HTTP_FAILURE_ADDRESS_REFUSED,
                                             DPS_ERROR,
                                             DPS_ERROR_REJECTED));
      g_assert_cmpuint (seen.calls, ==, i + 1);
      g_assert_cmpuint (seen.port, ==, ports[i]);
      g_assert_cmpint (seen.family, ==, i == 0 ? AF_INET : AF_INET6);
    }
  g_assert_cmpuint (tls_server_accepted (server), ==, 0);
}

static void
test_pins_refused (void)
{
  static const char *const bad[] = {
    "",
    "h.example.net",
    "h.example.net=",
    "h.example.net=other.example.net",
    "h.example.net=127.0.0.1:0",
    "h.example.net=127.0.0.1:65536",
    "h.example.net=127.0.0.1:x",
    "h.example.net=[::1",
    "h.example.net=[::1]x",
    "h.example.net=fe80::1%eth0",
    "nolabel=127.0.0.1",
    "a:443:b.example=127.0.0.1",
  };
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      const char *pins[] = { bad[i], NULL };
      DpsHttpOptions options = { .ca_pem = tls_server_ca_pem (server), .pins = pins };
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", bad[i]);
      g_assert_null (dps_http_new (&options, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_request_refused (void)
{
  g_autoptr (DpsSecret) two_lines = dps_secret_new ("a\r\nX: b", 7);
  const DpsHttpRequest rows[] = {
    { .method = "GET", .host = "127.0.0.1", .path = "/" },
    { .method = "GET", .host = TLS_SERVER_HOST ":8443", .path = "/" },
    { .method = "GET", .host = TLS_SERVER_HOST, .path = "x" },
    { .method = "GET", .host = TLS_SERVER_HOST, .path = "" },
    { .method = "GET", .host = TLS_SERVER_HOST, .path = "/a b" },
    { .method = "GET", .host = TLS_SERVER_HOST, .path = "/a\r\nX: b" },
    { .method = "GET", .host = TLS_SERVER_HOST, .path = "/a#b" },
    { .method = "GET", .host = TLS_SERVER_HOST, .path = "/", .authorization = two_lines },
  };
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttp) http = http_for (server);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsHttpResponse) response = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_false (dps_http_perform (http, &rows[i], NULL, &response, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      g_assert_cmpint (response->failure, ==, DPS_HTTP_FAILURE_LOCAL);
    }
  g_assert_cmpuint (tls_server_accepted (server), ==, 0);
}

/* ---- waiting ---- */

static void
answer_stall (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_string_append (answer->bytes, data);
  answer->next = TLS_SERVER_STALL;
}

static void
test_timeout (void)
{
  static char partial[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab";
  static char none[] = "";
  char *texts[] = { none, partial };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (TlsServer) server = tls_server_new (NULL, answer_stall, texts[i]);
      g_autoptr (DpsHttp) http =
          http_with (server, (DpsHttpOptions){ .request_timeout_ms = 300 });

      dps_http_response_free (perform_fails (http,
                                             DPS_HTTP_FAILURE_TIMEOUT,
                                             G_IO_ERROR,
                                             G_IO_ERROR_TIMED_OUT));
    }
}

typedef struct
{
  TlsServer *server;
  GCancellable *cancellable;
  gint64 cancelled_at;
} Canceller;

static gpointer
cancel_when_stalled (gpointer data)
{
  Canceller *c = data;

  tls_server_wait_stalled (c->server, 1);
  c->cancelled_at = g_get_monotonic_time ();
  g_cancellable_cancel (c->cancellable);
  return NULL;
}

static void
cancel_stalled (const TlsServerOptions *options)
{
  static char none[] = "";
  g_autoptr (TlsServer) server = tls_server_new (options, answer_stall, none);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DpsHttp) http = http_for (server);
  g_autoptr (DpsHttpResponse) response = NULL;
  g_autoptr (GError) error = NULL;
  Canceller c = { server, cancellable, 0 };
  GThread *thread = g_thread_new ("canceller", cancel_when_stalled, &c);
  gboolean done = dps_http_perform (http, &get, cancellable, &response, &error);
  gint64 ended = g_get_monotonic_time ();

  g_thread_join (thread);
  g_assert_false (done);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (response->failure, ==, DPS_HTTP_FAILURE_CANCELLED);
  /* One second, and something for a busy machine. */
  g_assert_cmpint (ended - c.cancelled_at, <, 1500 * 1000);
}

static void
test_cancel (void)
{
  cancel_stalled (NULL);
  cancel_stalled (&(TlsServerOptions){ .stall_handshake = TRUE });
}

static void
test_cancelled_before (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttp) http = http_for (server);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DpsHttpResponse) response = NULL;
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (dps_http_perform (http, &get, cancellable, &response, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpuint (tls_server_accepted (server), ==, 0);
}

/* ---- environment ---- */

static char *key_log;

static void
assert_no_authorization (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_assert_null (strstr (request, "Authorization:"));
  answer_text (request, answer, data);
}

/* Below, for every test here: proxies where nobody listens, a key log, a file with
 * credentials, and an OpenSSL that would speak any TLS. */
static void
test_environment (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, assert_no_authorization, nothing);
  g_autoptr (DpsHttp) http = http_for (server);
  g_autofree char *text = NULL;

  g_assert_nonnull (g_environ_getenv (environ, "https_proxy"));
  dps_http_response_free (perform_ok (http, &get));
  g_assert_cmpuint (tls_server_accepted (server), ==, 1);
  if (g_file_get_contents (key_log, &text, NULL, NULL))
    g_assert_cmpstr (text, ==, "");
}

static char *
write_below (const char *dir, const char *name, const char *text)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  return path;
}

static int
run_with_environment (void)
{
  char dir[] = "/run/dps-test.XXXXXX";
  g_autofree char *netrc = NULL;
  g_autofree char *openssl = NULL;
  int result;

  g_assert_nonnull (g_mkdtemp (dir));
  netrc = write_below (dir,
                       ".netrc",
                       "machine " TLS_SERVER_HOST " login someone password secret\n");
  g_setenv ("HOME", dir, TRUE);
  openssl = write_below (dir,
                         "openssl.cnf",
                         "openssl_conf = init\n[init]\nssl_conf = ssl\n"
                         "[ssl]\nsystem_default = any\n"
                         "[any]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n");
  g_setenv ("OPENSSL_CONF", openssl, TRUE);
  key_log = g_build_filename (dir, "keys", NULL);
  g_setenv ("SSLKEYLOGFILE", key_log, TRUE);
  g_setenv ("https_proxy", "http://127.0.0.1:1", TRUE);
  g_setenv ("HTTPS_PROXY", "http://127.0.0.1:1", TRUE);
  g_setenv ("ALL_PROXY", "socks5h://127.0.0.1:1", TRUE);
  result = g_test_run ();
  unlink (key_log);
  unlink (netrc);
  unlink (openssl);
  rmdir (dir);
  g_free (key_log);
  return result;
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http/answer/every-length-both-framings", test_every_length);
  g_test_add_func ("/http/answer/large", test_large);
  g_test_add_func ("/http/answer/refuses-more-than-64-kib", test_too_large);
  g_test_add_func ("/http/answer/ignored-body-is-bounded", test_ignored_body);
  g_test_add_func ("/http/answer/facts", test_facts);
  g_test_add_func ("/http/answer/redirect-not-followed", test_redirect);
  g_test_add_func ("/http/answer/not-decompressed", test_no_decompression);
  g_test_add_func ("/http/answer/header-limit", test_headers);
  g_test_add_func ("/http/answer/interim-answers-limit", test_interim_answers);
  g_test_add_func ("/http/answer/broken", test_broken_answers);
  g_test_add_func ("/http/connection/one-for-put-and-polls", test_one_connection);
  g_test_add_func ("/http/connection/reconnects-with-session", test_reconnects);
  g_test_add_func ("/http/connection/unasked-answer", test_unasked);
  g_test_add_func ("/http/connection/folded-first-line", test_folded);
  g_test_add_func ("/http/connection/refused", test_connect_refused);
  g_test_add_func ("/http/connection/timeout", test_connect_timeout);
  g_test_add_func ("/http/connection/resolve", test_resolve);
  g_test_add_func ("/http/connection/address-vetoed", test_address_refused);
  g_test_add_func ("/http/tls/wrong-name", test_tls_name);
  g_test_add_func ("/http/tls/expired-and-early", test_tls_time);
  g_test_add_func ("/http/tls/version", test_tls_version);
  g_test_add_func ("/http/tls/unknown-root", test_tls_untrusted);
  g_test_add_func ("/http/tls/both-roots", test_both_roots);
  g_test_add_func ("/http/tls/roots-refused", test_roots_refused);
  g_test_add_func ("/http/tls/dropped", test_handshake_dropped);
  g_test_add_func ("/http/options/pins-refused", test_pins_refused);
  g_test_add_func ("/http/request/refused", test_request_refused);
  g_test_add_func ("/http/wait/timeout", test_timeout);
  g_test_add_func ("/http/wait/cancel", test_cancel);
  g_test_add_func ("/http/wait/cancelled-before", test_cancelled_before);
  g_test_add_func ("/http/environment/ignored", test_environment);
  return run_with_environment ();
}
