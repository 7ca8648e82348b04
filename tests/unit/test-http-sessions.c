/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http.h"
#include "dps/dps-http-roots.h"
#include "tls-server.h"

#include <glib/gstdio.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static char nothing[] = "HTTP/1.1 204 No Content\r\n\r\n";

static void
answer_text (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_string_append (answer->bytes, data);
  answer->next = TLS_SERVER_CLOSE;
}

/* Says nothing at all where it is asked to fail. */
static void
answer_or_fail (const char *request, TlsServerAnswer *answer, gpointer data)
{
  if (strstr (request, "/fail") == NULL)
    g_string_append (answer->bytes, data);
  answer->next = TLS_SERVER_CLOSE;
}

/* One request over a connection of its own, with ca_pem as the only roots. */
static DpsHttpResponse *
ask (TlsServer *server, GBytes *ca_pem, DpsHttpSessions *sessions, const char *path)
{
  const char *pins[] = { tls_server_pin (server), NULL };
  DpsHttpOptions options = { .user_agent = "dps-agent/test",
                             .system_ca_file = "/nonexistent/ca.crt",
                             .ca_pem = ca_pem,
                             .pins = pins,
                             .sessions = sessions };
  DpsHttpRequest request = { .method = "GET", .host = TLS_SERVER_HOST, .path = path };
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsHttp) http = dps_http_new (&options, &error);
  DpsHttpResponse *response = NULL;

  g_assert_no_error (error);
  dps_http_perform (http, &request, NULL, &response, NULL);
  return response;
}

static gboolean
resumes_with (TlsServer *server, GBytes *ca_pem, DpsHttpSessions *sessions)
{
  g_autoptr (DpsHttpResponse) response = ask (server, ca_pem, sessions, "/");

  g_assert_cmpint (response->failure, ==, DPS_HTTP_FAILURE_NONE);
  g_assert_cmpuint (response->status, ==, 204);
  g_assert_cmpint (response->verify_result, ==, X509_V_OK);
  return response->tls_reused;
}

static gboolean
resumes (TlsServer *server, DpsHttpSessions *sessions)
{
  return resumes_with (server, tls_server_ca_pem (server), sessions);
}

static GBytes *
roots_of (TlsServer *a, TlsServer *b)
{
  GByteArray *text = g_byte_array_new ();
  TlsServer *servers[] = { a, b };

  for (gsize i = 0; i < G_N_ELEMENTS (servers); i++)
    {
      gsize size;
      gconstpointer data = g_bytes_get_data (tls_server_ca_pem (servers[i]), &size);

      g_byte_array_append (text, data, (guint) size);
    }
  return g_byte_array_free_to_bytes (text);
}

static void
test_resumes (void)
{
  const TlsServerOptions versions[] = { { 0 }, { .max_version = TLS1_2_VERSION } };

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      g_autoptr (TlsServer) server = tls_server_new (&versions[i], answer_text, nothing);
      g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();

      g_assert_false (resumes (server, sessions));
      g_assert_true (resumes (server, sessions));
      g_assert_true (resumes (server, sessions));
      g_assert_cmpuint (tls_server_accepted (server), ==, 3);
    }
}

static void
test_needs_sessions (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
  g_autoptr (DpsHttpSessions) others = dps_http_sessions_new ();

  g_assert_false (resumes (server, NULL));
  g_assert_false (resumes (server, NULL));
  g_assert_false (resumes (server, sessions));
  g_assert_false (resumes (server, others));
}

static void
test_cleared (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();

  g_assert_false (resumes (server, sessions));
  dps_http_sessions_clear (sessions);
  g_assert_false (resumes (server, sessions));
  g_assert_true (resumes (server, sessions));
}

/* The server that was trusted a moment ago is not any more: its session does not help. */
static void
test_distrusted (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (TlsServer) other = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
  g_autoptr (DpsHttpResponse) refused = NULL;

  g_assert_false (resumes (server, sessions));
  g_assert_true (resumes (server, sessions));
  refused = ask (server, tls_server_ca_pem (other), sessions, "/");
  g_assert_cmpint (refused->failure, ==, DPS_HTTP_FAILURE_TLS_ISSUER);
  g_assert_false (refused->tls_reused);
  g_assert_cmpuint (tls_server_requests (server), ==, 2);
  g_assert_false (resumes (server, sessions));
}

/* More roots are other roots: nobody can tell which of them a session stands on. */
static void
test_more_roots (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (TlsServer) other = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
  g_autoptr (GBytes) both = roots_of (server, other);

  g_assert_false (resumes (server, sessions));
  g_assert_false (resumes_with (server, both, sessions));
  g_assert_true (resumes_with (server, both, sessions));
}

static void
test_failure_clears (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_or_fail, nothing);
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
  g_autoptr (DpsHttpResponse) failed = NULL;

  g_assert_false (resumes (server, sessions));
  g_assert_true (resumes (server, sessions));
  failed = ask (server, tls_server_ca_pem (server), sessions, "/fail");
  g_assert_cmpint (failed->failure, ==, DPS_HTTP_FAILURE_CLOSED);
  g_assert_false (resumes (server, sessions));
}

/* The same name at another address is another server. */
static void
test_other_server (void)
{
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (TlsServer) other = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
  g_autoptr (DpsHttpResponse) refused = NULL;

  g_assert_false (resumes (server, sessions));
  refused = ask (other, tls_server_ca_pem (server), sessions, "/");
  g_assert_cmpint (refused->failure, ==, DPS_HTTP_FAILURE_TLS_ISSUER);
}

typedef struct
{
  TlsServer *server;
  GBytes *ca_pem;
  DpsHttpSessions *sessions;
  guint resumed;
} Asker;

static gpointer
ask_often (gpointer data)
{
  Asker *asker = data;

  for (guint i = 0; i < 10; i++)
    if (resumes_with (asker->server, asker->ca_pem, asker->sessions))
      asker->resumed++;
  return NULL;
}

/* An attempt and a check of the hub may connect at the same time. */
static void
test_threads (void)
{
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
  g_autoptr (TlsServer) a = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (TlsServer) b = tls_server_new (NULL, answer_text, nothing);
  g_autoptr (GBytes) both = roots_of (a, b);
  Asker askers[] = { { a, both, sessions, 0 }, { b, both, sessions, 0 } };
  GThread *threads[G_N_ELEMENTS (askers)];

  for (gsize i = 0; i < G_N_ELEMENTS (askers); i++)
    threads[i] = g_thread_new ("asker", ask_often, &askers[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (askers); i++)
    {
      g_thread_join (threads[i]);
      g_assert_cmpuint (askers[i].resumed, ==, 9);
    }
}

static void
test_age (void)
{
  const struct
  {
    const char *trust;
    gint64 now;
    gboolean kept;
  } rows[] = {
    { "roots", 1, TRUE },
    { "roots", DPS_HTTP_SESSIONS_AGE - 1, TRUE },
    { "roots", DPS_HTTP_SESSIONS_AGE, FALSE },
    { "roots", DPS_HTTP_SESSIONS_AGE * 5, FALSE },
    { "other", 1, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
      DpsHttpShare *first = dps_http_sessions_get (sessions, "roots", NULL, 0);
      DpsHttpShare *second =
          dps_http_sessions_get (sessions, rows[i].trust, NULL, rows[i].now);

      g_assert_nonnull (first);
      g_assert_nonnull (second);
      g_assert_cmpint (first == second, ==, rows[i].kept);
      dps_http_share_unref (first);
      dps_http_share_unref (second);
    }
}

static gboolean
is_share (DpsHttpSessions *sessions, const char *identity, DpsHttpShare *share)
{
  DpsHttpShare *got = dps_http_sessions_get (sessions, "roots", identity, 0);

  g_assert_nonnull (got);
  dps_http_share_unref (got);
  return got == share;
}

static void
test_identities (void)
{
  g_autoptr (DpsHttpSessions) sessions = dps_http_sessions_new ();
  DpsHttpShare *none = dps_http_sessions_get (sessions, "roots", NULL, 0);
  DpsHttpShare *a = dps_http_sessions_get (sessions, "roots", "aa", 0);
  DpsHttpShare *b = dps_http_sessions_get (sessions, "roots", "bb", 0);

  g_assert_true (none != a && a != b && none != b);
  g_assert_true (is_share (sessions, NULL, none));
  g_assert_true (is_share (sessions, "aa", a));
  g_assert_true (is_share (sessions, "bb", b));

  /* Not ever more of them. */
  g_assert_false (is_share (sessions, "cc", a));
  g_assert_true (is_share (sessions, "aa", a));
  g_assert_false (is_share (sessions, "dd", a));
  g_assert_false (is_share (sessions, "aa", a));
  dps_http_share_unref (none);
  dps_http_share_unref (a);
  dps_http_share_unref (b);
}

static void
assert_described (const char *system, GBytes *pem, const char *as, gboolean same)
{
  g_autofree char *text = dps_http_roots_describe (system, pem);

  g_assert_cmpint (strcmp (text, as) == 0, ==, same);
}

static void
test_description (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = g_dir_make_tmp ("dps-roots-XXXXXX", &error);
  g_autofree char *file = g_build_filename (dir, "0a1b2c3d.0", NULL);
  g_autoptr (GBytes) a = g_bytes_new_static ("a", 1);
  g_autoptr (GBytes) b = g_bytes_new_static ("b", 1);
  g_autofree char *with = dps_http_roots_describe (dir, a);
  g_autofree char *without = dps_http_roots_describe (dir, NULL);

  g_assert_no_error (error);
  assert_described (dir, a, with, TRUE);
  assert_described (dir, b, with, FALSE);
  assert_described (dir, NULL, with, FALSE);
  assert_described ("/nonexistent", a, with, FALSE);
  assert_described (dir, NULL, without, TRUE);

  /* A root that is taken away, or comes. */
  g_assert_true (g_file_set_contents (file, "", 0, &error));
  assert_described (dir, a, with, FALSE);
  g_unlink (file);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-sessions/resumes", test_resumes);
  g_test_add_func ("/http-sessions/needs-sessions", test_needs_sessions);
  g_test_add_func ("/http-sessions/cleared", test_cleared);
  g_test_add_func ("/http-sessions/distrusted", test_distrusted);
  g_test_add_func ("/http-sessions/more-roots", test_more_roots);
  g_test_add_func ("/http-sessions/failure-clears", test_failure_clears);
  g_test_add_func ("/http-sessions/other-server", test_other_server);
  g_test_add_func ("/http-sessions/threads", test_threads);
  g_test_add_func ("/http-sessions/age", test_age);
  g_test_add_func ("/http-sessions/identities", test_identities);
  g_test_add_func ("/http-sessions/description", test_description);
  return g_test_run ();
}
