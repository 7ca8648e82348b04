/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "dps/dps-http.h"
#include "test-pki.h"
#include "tls-server.h"

#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static char nothing[] = "HTTP/1.1 204 No Content\r\n\r\n";

/* An identity with an intermediate below root, and who signs for it. */
typedef struct
{
  TestPkiSigner signer;
  EVP_PKEY *root_key, *middle_key;
  X509 *root;
  DpsTlsIdentity *identity;
  DpsHttpSessions *sessions;
} Fixture;

static void
set_up (Fixture *f, const char *kind)
{
  X509 *middle, *leaf;
  g_autofree char *root_name = g_strdup_printf ("root %u", g_random_int ());
  g_autoptr (GPtrArray) list =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (DpsCertificateChain) chain = NULL;
  g_autoptr (GError) error = NULL;

  *f = (Fixture){ .signer = { .key = test_pki_key (kind) } };
  f->root_key = test_pki_key ("P-256");
  f->middle_key = test_pki_key ("P-256");
  f->root = test_pki_certificate (
      &(TestPkiRequest){ root_name, f->root_key, NULL, NULL, TRUE });
  middle = test_pki_certificate (
      &(TestPkiRequest){ "middle", f->middle_key, f->root, f->root_key, TRUE });
  leaf = test_pki_certificate (
      &(TestPkiRequest){ "edge-0001", f->signer.key, middle, f->middle_key, FALSE });
  g_ptr_array_add (list, test_pki_der (leaf));
  g_ptr_array_add (list, test_pki_der (middle));
  chain = dps_certificate_chain_new_from_der (list, &error);
  g_assert_no_error (error);
  f->identity =
      dps_tls_identity_new (chain, test_pki_signer_sign, &f->signer, NULL, &error);
  g_assert_no_error (error);
  f->sessions = dps_http_sessions_new ();
  X509_free (middle);
  X509_free (leaf);
}

static void
tear_down (Fixture *f)
{
  dps_http_sessions_unref (f->sessions);
  dps_tls_identity_unref (f->identity);
  X509_free (f->root);
  EVP_PKEY_free (f->root_key);
  EVP_PKEY_free (f->middle_key);
  EVP_PKEY_free (f->signer.key);
}

static void
answer_keep (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_string_append (answer->bytes, data);
}

static void
answer_close (const char *request, TlsServerAnswer *answer, gpointer data)
{
  g_string_append (answer->bytes, data);
  answer->next = TLS_SERVER_CLOSE;
}

static DpsHttp *
http_for (TlsServer *server, DpsTlsIdentity *identity, DpsHttpSessions *sessions)
{
  const char *pins[] = { tls_server_pin (server), NULL };
  DpsHttpOptions options = { .user_agent = "dps-agent/test",
                             .system_ca_file = "/nonexistent/ca.crt",
                             .ca_pem = tls_server_ca_pem (server),
                             .pins = pins,
                             .identity = identity,
                             .sessions = sessions };
  g_autoptr (GError) error = NULL;
  DpsHttp *http = dps_http_new (&options, &error);

  g_assert_no_error (error);
  return http;
}

static DpsHttpResponse *
get (DpsHttp *http, GError **error)
{
  DpsHttpRequest request = { .method = "GET", .host = TLS_SERVER_HOST, .path = "/" };
  DpsHttpResponse *response = NULL;

  dps_http_perform (http, &request, NULL, &response, error);
  return response;
}

/* One request over a connection of its own, which is answered; whether it resumed. */
static gboolean
ask (TlsServer *server, DpsTlsIdentity *identity, DpsHttpSessions *sessions)
{
  g_autoptr (DpsHttp) http = http_for (server, identity, sessions);
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsHttpResponse) response = get (http, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (response->status, ==, 204);
  return response->tls_reused;
}

/* One that is not answered. */
static void
ask_fails (TlsServer *server,
           DpsTlsIdentity *identity,
           DpsHttpFailure failure,
           GError **error)
{
  g_autoptr (DpsHttp) http = http_for (server, identity, NULL);
  g_autoptr (DpsHttpResponse) response = get (http, error);

  g_assert_cmpstr (dps_http_failure_to_string (response->failure),
                   ==,
                   dps_http_failure_to_string (failure));
  g_assert_cmpuint (response->status, ==, 0);
  g_assert_nonnull (*error);
  g_test_message ("%s", (*error)->message);
}

/* ---- shown to whoever asks ---- */

static const struct
{
  const char *kind;
  int version;
  const char *asked; /* what the server asks for, NULL = all */
  const char *mechanism;
} handshakes[] = {
  { "RSA-2048", TLS1_2_VERSION, "RSA+SHA256", DPS_TLS_RSA_PKCS1_SHA256 },
  { "RSA-2048", TLS1_2_VERSION, "rsa_pss_rsae_sha256", DPS_TLS_RSA_PSS_SHA256 },
  { "RSA-2048", TLS1_2_VERSION, NULL, DPS_TLS_RSA_PSS_SHA256 },
  { "RSA-2048", TLS1_3_VERSION, NULL, DPS_TLS_RSA_PSS_SHA256 },
  { "P-256", TLS1_2_VERSION, NULL, DPS_TLS_ECDSA_SHA256 },
  { "P-256", TLS1_3_VERSION, NULL, DPS_TLS_ECDSA_SHA256 },
  { "P-384", TLS1_2_VERSION, NULL, DPS_TLS_ECDSA_SHA384 },
  { "P-384", TLS1_3_VERSION, NULL, DPS_TLS_ECDSA_SHA384 },
};

static void
show (gsize row, TlsServerAsk when)
{
  Fixture f;

  set_up (&f, handshakes[row].kind);
  {
    g_autoptr (TlsServer) server =
        tls_server_new (&(TlsServerOptions){ .max_version = handshakes[row].version,
                                             .ask = when,
                                             .client_root = f.root,
                                             .client_algorithms = handshakes[row].asked },
                        answer_keep,
                        nothing);
    g_autoptr (DpsHttp) http = http_for (server, f.identity, NULL);
    TlsServerPeers peers;

    for (guint i = 0; i < 3; i++)
      {
        g_autoptr (GError) error = NULL;
        g_autoptr (DpsHttpResponse) response = get (http, &error);

        g_assert_no_error (error);
        g_assert_cmpuint (response->status, ==, 204);
        g_assert_cmpuint (response->connections, ==, i == 0 ? 1 : 0);
      }
    peers = tls_server_peers (server);
    g_test_message ("%s %x %s: %s, %d signature(s)",
                    handshakes[row].kind,
                    (guint) handshakes[row].version,
                    f.signer.mechanism,
                    peers.algorithm,
                    f.signer.calls);
    g_assert_cmpuint (peers.certificates, ==, 2);
    g_assert_cmpstr (peers.names, ==, "edge-0001 middle");
    g_assert_cmpint (f.signer.calls, ==, 1);
    g_assert_cmpstr (f.signer.mechanism, ==, handshakes[row].mechanism);
    g_assert_cmpuint (tls_server_accepted (server), ==, 1);
  }
  tear_down (&f);
}

static void
test_handshake (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (handshakes); i++)
    show (i, TLS_SERVER_ASK_HANDSHAKE);
}

static void
test_after_request (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (handshakes); i++)
    show (i, TLS_SERVER_ASK_REQUEST);
}

static void
test_not_asked (void)
{
  static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
  Fixture f;

  set_up (&f, "P-256");
  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      g_autoptr (TlsServer) server =
          tls_server_new (&(TlsServerOptions){ .max_version = versions[i] },
                          answer_close,
                          nothing);

      ask (server, f.identity, NULL);
      g_assert_cmpuint (tls_server_peers (server).certificates, ==, 0);
    }
  g_assert_cmpint (f.signer.calls, ==, 0);
  tear_down (&f);
}

/* An identity shows what it has, and no root of this host's in addition. */
static void
test_no_more (void)
{
  Fixture f;

  set_up (&f, "P-256");
  {
    X509 *leaf = test_pki_certificate (
        &(TestPkiRequest){ "edge-0002", f.signer.key, f.root, f.root_key, FALSE });
    g_autofree char *leaf_pem = test_pki_pem (leaf);
    g_autofree char *root_pem = test_pki_pem (f.root);
    g_autoptr (DpsCertificateChain) chain =
        dps_certificate_chain_new_from_pem (leaf_pem, strlen (leaf_pem), NULL);
    g_autoptr (DpsTlsIdentity) identity =
        dps_tls_identity_new (chain, test_pki_signer_sign, &f.signer, NULL, NULL);
    g_autoptr (TlsServer) server =
        tls_server_new (&(TlsServerOptions){ .ask = TLS_SERVER_ASK_HANDSHAKE,
                                             .client_root = f.root },
                        answer_close,
                        nothing);
    const char *pins[] = { tls_server_pin (server), NULL };
    g_autofree char *roots =
        g_strconcat (g_bytes_get_data (tls_server_ca_pem (server), NULL), root_pem, NULL);
    g_autoptr (GBytes) ca_pem = g_bytes_new (roots, strlen (roots));
    DpsHttpOptions options = { .system_ca_file = "/nonexistent/ca.crt",
                               .ca_pem = ca_pem,
                               .pins = pins,
                               .identity = identity };
    g_autoptr (DpsHttp) http = dps_http_new (&options, NULL);
    g_autoptr (DpsHttpResponse) response = get (http, NULL);

    g_assert_cmpuint (response->status, ==, 204);
    g_assert_cmpstr (tls_server_peers (server).names, ==, "edge-0002");
    X509_free (leaf);
  }
  tear_down (&f);
}

/* Where the key cannot do what is asked for, or not with the hash of its curve, which is
 * all that a TPM may know, nothing is shown: the server has to do without. */
static void
other_algorithms (const char *kind, const char *asked)
{
  Fixture f;

  set_up (&f, kind);
  {
    g_autoptr (TlsServer) server =
        tls_server_new (&(TlsServerOptions){ .max_version = TLS1_2_VERSION,
                                             .ask = TLS_SERVER_ASK_HANDSHAKE,
                                             .ask_only = TRUE,
                                             .client_root = f.root,
                                             .client_algorithms = asked },
                        answer_close,
                        nothing);

    ask (server, f.identity, NULL);
    g_assert_cmpuint (tls_server_peers (server).certificates, ==, 0);
    g_assert_cmpint (f.signer.calls, ==, 0);
  }
  tear_down (&f);
}

static void
test_other_algorithms (void)
{
  other_algorithms ("RSA-2048", "RSA+SHA512:rsa_pss_rsae_sha512:ECDSA+SHA256");
  other_algorithms ("P-256", "RSA+SHA256:ECDSA+SHA384");
  other_algorithms ("P-384", "RSA+SHA256:ECDSA+SHA256");
}

/* ---- what it costs ---- */

static guint
count_turns (int version, TlsServerAsk when, Fixture *f)
{
  g_autoptr (TlsServer) server =
      tls_server_new (&(TlsServerOptions){ .max_version = version,
                                           .ask = when,
                                           .no_tickets = TRUE,
                                           .client_root = f->root },
                      answer_close,
                      nothing);

  ask (server, f->identity, NULL);
  return tls_server_peers (server).turns;
}

static void
test_round_trips (void)
{
  static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
  Fixture f;

  set_up (&f, "P-256");
  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      guint without = count_turns (versions[i], TLS_SERVER_ASK_NEVER, &f);
      guint with = count_turns (versions[i], TLS_SERVER_ASK_HANDSHAKE, &f);

      g_test_message ("FIGURE TLS 1.%d until the first request: %u round trips, %u with "
                      "a "
                      "client certificate",
                      versions[i] == TLS1_3_VERSION ? 3 : 2,
                      without,
                      with);
      g_assert_cmpuint (without, ==, versions[i] == TLS1_3_VERSION ? 1 : 2);
      g_assert_cmpuint (with, ==, without);
    }
  g_test_message ("FIGURE signatures per handshake: %d", f.signer.calls / 2);
  g_assert_cmpint (f.signer.calls, ==, 2);
  tear_down (&f);
}

/* ---- sessions ---- */

static void
test_sessions (void)
{
  static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    {
      Fixture f, other;

      set_up (&f, "P-256");
      set_up (&other, "P-384");
      {
        g_autoptr (TlsServer) server =
            tls_server_new (&(TlsServerOptions){ .max_version = versions[i],
                                                 .ask = TLS_SERVER_ASK_HANDSHAKE,
                                                 .ask_only = TRUE,
                                                 .client_root = f.root },
                            answer_close,
                            nothing);
        g_autoptr (TlsServer) none = tls_server_new (NULL, answer_close, nothing);
        TlsServerPeers peers;

        /* Another, or none, does not resume what one has; and does not end it. */
        g_assert_false (ask (server, f.identity, f.sessions));
        g_assert_false (ask (server, NULL, f.sessions));
        g_assert_true (ask (server, f.identity, f.sessions));
        g_assert_true (ask (server, NULL, f.sessions));
        g_assert_true (ask (server, f.identity, f.sessions));
        peers = tls_server_peers (server);
        g_assert_cmpuint (peers.handshakes, ==, 2);
        g_assert_cmpuint (peers.resumed, ==, 3);
        g_assert_cmpint (f.signer.calls, ==, 1);

        /* It leads to another root: it is refused, and not let in with what was gained.
         */
        {
          g_autoptr (DpsHttp) http = http_for (server, other.identity, f.sessions);
          g_autoptr (GError) error = NULL;
          g_autoptr (DpsHttpResponse) response = get (http, &error);

          g_assert_cmpint (response->failure, ==, DPS_HTTP_FAILURE_CLIENT_REFUSED);
          g_assert_false (response->tls_reused);
          g_assert_cmpint (other.signer.calls, ==, 1);
        }
        /* And a failure clears them all, as ever. */
        g_assert_false (ask (server, f.identity, f.sessions));
      }
      tear_down (&f);
      tear_down (&other);
    }
}

/* ---- failures ---- */

static void
test_key_fails (void)
{
  static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
  g_autoptr (GError) reason =
      g_error_new (G_FILE_ERROR, G_FILE_ERROR_NXIO, "the token was pulled out");

  for (gsize i = 0; i < G_N_ELEMENTS (versions); i++)
    for (guint when = TLS_SERVER_ASK_HANDSHAKE; when <= TLS_SERVER_ASK_REQUEST; when++)
      {
        Fixture f;

        set_up (&f, "P-256");
        f.signer.fails_with = reason;
        {
          g_autoptr (TlsServer) server =
              tls_server_new (&(TlsServerOptions){ .max_version = versions[i],
                                                   .ask = when,
                                                   .client_root = f.root },
                              answer_close,
                              nothing);
          g_autoptr (GError) error = NULL;

          ask_fails (server, f.identity, DPS_HTTP_FAILURE_CLIENT_KEY, &error);
          g_assert_error (error, G_FILE_ERROR, G_FILE_ERROR_NXIO);
          g_assert_cmpstr (error->message, ==, "the token was pulled out");
          g_assert_cmpint (f.signer.calls, ==, 1);

          /* The next time it works, and nobody remembers. */
          f.signer.fails_with = NULL;
          ask (server, f.identity, NULL);
        }
        tear_down (&f);
      }
}

static void
test_key_wrong (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (handshakes); i++)
    {
      Fixture f;

      set_up (&f, handshakes[i].kind);
      f.signer.spoil = TRUE;
      {
        g_autoptr (TlsServer) server =
            tls_server_new (&(TlsServerOptions){ .max_version = handshakes[i].version,
                                                 .ask = TLS_SERVER_ASK_HANDSHAKE,
                                                 .client_root = f.root },
                            answer_close,
                            nothing);
        g_autoptr (GError) error = NULL;

        ask_fails (server, f.identity, DPS_HTTP_FAILURE_CLIENT_KEY, &error);
        g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
        g_assert_nonnull (strstr (error->message, "does not verify"));
        g_assert_cmpuint (tls_server_requests (server), ==, 0);
      }
      tear_down (&f);
    }
}

/* Cancelled while somebody signs: no fault of the key. */
static GBytes *
sign_cancelled (gpointer data,
                const char *mechanism,
                const guint8 *digest,
                gsize size,
                GError **error)
{
  g_cancellable_cancel (data);
  g_cancellable_set_error_if_cancelled (data, error);
  return NULL;
}

static void
test_cancelled (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (DpsTlsIdentity) identity = NULL;
  Fixture f;

  set_up (&f, "P-256");
  identity = dps_tls_identity_new (dps_tls_identity_get_chain (f.identity),
                                   sign_cancelled,
                                   cancellable,
                                   NULL,
                                   NULL);
  {
    g_autoptr (TlsServer) server =
        tls_server_new (&(TlsServerOptions){ .ask = TLS_SERVER_ASK_HANDSHAKE,
                                             .client_root = f.root },
                        answer_close,
                        nothing);
    g_autoptr (DpsHttp) http = http_for (server, identity, NULL);
    DpsHttpRequest request = { .method = "GET", .host = TLS_SERVER_HOST, .path = "/" };
    g_autoptr (DpsHttpResponse) response = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_false (dps_http_perform (http, &request, cancellable, &response, &error));
    g_assert_cmpint (response->failure, ==, DPS_HTTP_FAILURE_CANCELLED);
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  }
  tear_down (&f);
}

static void
assert_refused (const TlsServerOptions *options,
                DpsTlsIdentity *identity,
                const char *alert)
{
  g_autoptr (TlsServer) server = tls_server_new (options, answer_close, nothing);
  g_autofree char *text = g_strdup_printf ("(TLS alert %s)", alert);
  g_autoptr (GError) error = NULL;

  ask_fails (server, identity, DPS_HTTP_FAILURE_CLIENT_REFUSED, &error);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
  g_assert_nonnull (strstr (error->message, text));
  g_assert_nonnull (strstr (error->message, TLS_SERVER_HOST));
}

static void
test_refused (void)
{
  static const struct
  {
    int verdict;
    const char *alert;
  } rows[] = {
    { X509_V_ERR_CERT_REJECTED, "bad_certificate" },
    { X509_V_ERR_INVALID_PURPOSE, "unsupported_certificate" },
    { X509_V_ERR_CERT_REVOKED, "certificate_revoked" },
    { X509_V_ERR_CERT_HAS_EXPIRED, "certificate_expired" },
    { X509_V_ERR_SUBJECT_ISSUER_MISMATCH, "certificate_unknown" },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "unknown_ca" },
  };
  static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
  Fixture f;

  set_up (&f, "P-256");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (versions); k++)
      for (guint when = TLS_SERVER_ASK_HANDSHAKE; when <= TLS_SERVER_ASK_REQUEST; when++)
        assert_refused (&(TlsServerOptions){ .max_version = versions[k],
                                             .ask = when,
                                             .client_root = f.root,
                                             .refuse_with = rows[i].verdict },
                        f.identity,
                        rows[i].alert);
  /* By its chain, without any help. */
  assert_refused (&(TlsServerOptions){ .ask = TLS_SERVER_ASK_HANDSHAKE },
                  f.identity,
                  "unknown_ca");
  tear_down (&f);
}

static void
test_alerts (void)
{
  assert_refused (&(TlsServerOptions){ .refuse_hello = SSL_AD_ACCESS_DENIED },
                  NULL,
                  "access_denied");
  assert_refused (&(TlsServerOptions){ .refuse_hello = SSL_AD_BAD_CERTIFICATE },
                  NULL,
                  "bad_certificate");
}

/* A server that cannot do without, and a host that has none. */
static void
test_required (void)
{
  Fixture f;

  set_up (&f, "P-256");
  assert_refused (&(TlsServerOptions){ .max_version = TLS1_3_VERSION,
                                       .ask = TLS_SERVER_ASK_HANDSHAKE,
                                       .client_root = f.root },
                  NULL,
                  "certificate_required");
  tear_down (&f);
}

/* Alerts that speak of something else. */
static void
test_other_alerts (void)
{
  static const int alerts[] = { SSL_AD_HANDSHAKE_FAILURE,
                                SSL_AD_INTERNAL_ERROR,
                                SSL_AD_PROTOCOL_VERSION,
                                SSL_AD_UNRECOGNIZED_NAME };
  Fixture f;

  set_up (&f, "P-256");
  for (gsize i = 0; i < G_N_ELEMENTS (alerts); i++)
    {
      g_autoptr (TlsServer) server =
          tls_server_new (&(TlsServerOptions){ .refuse_hello = alerts[i] },
                          answer_close,
                          nothing);
      g_autoptr (GError) error = NULL;

      ask_fails (server,
                 f.identity,
                 alerts[i] == SSL_AD_PROTOCOL_VERSION ? DPS_HTTP_FAILURE_TLS_VERSION
                                                      : DPS_HTTP_FAILURE_TLS_OTHER,
                 &error);
    }
  tear_down (&f);
}

/* OpenSSL of this host wants more of a chain than we do. */
static void
test_weak_chain (void)
{
  EVP_PKEY *weak_key = test_pki_key ("RSA-1024");
  TestPkiSigner signer = { .key = test_pki_key ("P-256") };
  X509 *weak =
      test_pki_certificate (&(TestPkiRequest){ "weak", weak_key, NULL, NULL, TRUE });
  X509 *leaf = test_pki_certificate (
      &(TestPkiRequest){ "edge", signer.key, weak, weak_key, FALSE });
  g_autoptr (GPtrArray) list =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (DpsCertificateChain) chain = NULL;
  g_autoptr (DpsTlsIdentity) identity = NULL;
  g_autoptr (TlsServer) server = tls_server_new (NULL, answer_close, nothing);
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (list, test_pki_der (leaf));
  g_ptr_array_add (list, test_pki_der (weak));
  chain = dps_certificate_chain_new_from_der (list, NULL);
  identity = dps_tls_identity_new (chain, test_pki_signer_sign, &signer, NULL, NULL);
  g_assert_nonnull (identity);
  ask_fails (server, identity, DPS_HTTP_FAILURE_CLIENT_KEY, &error);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
  g_assert_nonnull (strstr (error->message, "2048 bits"));
  X509_free (weak);
  X509_free (leaf);
  EVP_PKEY_free (weak_key);
  EVP_PKEY_free (signer.key);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/http-identity/shown/handshake", test_handshake);
  g_test_add_func ("/http-identity/shown/after-request", test_after_request);
  g_test_add_func ("/http-identity/shown/not-unless-asked", test_not_asked);
  g_test_add_func ("/http-identity/shown/no-more-than-it-has", test_no_more);
  g_test_add_func ("/http-identity/shown/other-algorithms", test_other_algorithms);
  g_test_add_func ("/http-identity/cost/round-trips", test_round_trips);
  g_test_add_func ("/http-identity/sessions/kept-apart", test_sessions);
  g_test_add_func ("/http-identity/key/error-comes-through", test_key_fails);
  g_test_add_func ("/http-identity/key/wrong-signature", test_key_wrong);
  g_test_add_func ("/http-identity/key/cancelled", test_cancelled);
  g_test_add_func ("/http-identity/refused/by-alert", test_refused);
  g_test_add_func ("/http-identity/refused/alerts", test_alerts);
  g_test_add_func ("/http-identity/refused/required", test_required);
  g_test_add_func ("/http-identity/refused/other-alerts", test_other_alerts);
  g_test_add_func ("/http-identity/refused/weak-chain", test_weak_chain);
  return g_test_run ();
}
