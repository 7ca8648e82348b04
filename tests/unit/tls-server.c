/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-server.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define REQUEST_MAX (256 * 1024)

struct _TlsServer
{
  TlsServerOptions options;
  TlsServerHandler handler;
  gpointer data;
  SSL_CTX *context;
  EVP_PKEY *root_key;
  X509 *root;
  char *dir, *ca_file, *pin;
  guint port;
  int listener;
  GBytes *ca_pem;
  GThread *thread;

  GMutex lock;
  GCond changed;
  gboolean stopping;
  int connection;
  guint accepted, requests, whole_requests, stalled, sent;
  TlsServerPeers peers;

  /* Of the connection there is; the server's thread alone. */
  gboolean written; /* since the last read */
  guint turns;
};

static X509 *
make_certificate (const char *name,
                  EVP_PKEY *key,
                  X509 *issuer,
                  EVP_PKEY *issuer_key,
                  gint64 not_before,
                  gint64 not_after)
{
  X509 *cert = X509_new ();
  X509_NAME *subject = X509_get_subject_name (cert);
  g_autofree char *san = g_strdup_printf ("DNS:%s", name);
  X509V3_CTX v3;
  X509_EXTENSION *extension;

  X509_set_version (cert, 2);
  ASN1_INTEGER_set (X509_get_serialNumber (cert), issuer != NULL ? 2 : 1);
  X509_gmtime_adj (X509_getm_notBefore (cert), not_before);
  X509_gmtime_adj (X509_getm_notAfter (cert), not_after);
  X509_NAME_add_entry_by_txt (subject, "CN", MBSTRING_ASC, (guchar *) name, -1, -1, 0);
  X509_set_issuer_name (cert, issuer != NULL ? X509_get_subject_name (issuer) : subject);
  X509_set_pubkey (cert, key);
  X509V3_set_ctx (&v3, issuer != NULL ? issuer : cert, cert, NULL, NULL, 0);
  if (issuer == NULL)
    extension =
        X509V3_EXT_conf_nid (NULL, &v3, NID_basic_constraints, "critical,CA:TRUE");
  else
    extension = X509V3_EXT_conf_nid (NULL, &v3, NID_subject_alt_name, san);
  g_assert_nonnull (extension);
  X509_add_ext (cert, extension, -1);
  X509_EXTENSION_free (extension);
  g_assert_cmpint (X509_sign (cert, issuer_key, EVP_sha256 ()), >, 0);
  return cert;
}

/* ---- the peer's certificate ---- */

static void
note_certificates (TlsServer *self, STACK_OF (X509) * sent)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (int i = 0; i < sk_X509_num (sent); i++)
    {
      char name[65] = "";

      X509_NAME_get_text_by_NID (X509_get_subject_name (sk_X509_value (sent, i)),
                                 NID_commonName,
                                 name,
                                 sizeof name);
      g_string_append_printf (names, "%s%s", i > 0 ? " " : "", name);
    }
  g_mutex_lock (&self->lock);
  self->peers.certificates = (guint) sk_X509_num (sent);
  g_strlcpy (self->peers.names, names->str, sizeof self->peers.names);
  g_mutex_unlock (&self->lock);
}

static int
on_verify (X509_STORE_CTX *store, void *data)
{
  TlsServer *self = data;

  note_certificates (self, X509_STORE_CTX_get0_untrusted (store));
  if (self->options.refuse_with == 0)
    return X509_verify_cert (store);
  X509_STORE_CTX_set_error (store, self->options.refuse_with);
  return 0;
}

static int
on_hello (SSL *ssl, int *alert, void *data)
{
  TlsServer *self = data;

  if (self->options.refuse_hello == 0)
    return SSL_CLIENT_HELLO_SUCCESS;
  *alert = self->options.refuse_hello;
  return SSL_CLIENT_HELLO_ERROR;
}

static int
verify_mode (TlsServer *self)
{
  return SSL_VERIFY_PEER | (self->options.ask_only ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
}

static void
set_up_asking (TlsServer *self)
{
  const TlsServerOptions *o = &self->options;

  if (o->no_tickets)
    SSL_CTX_set_num_tickets (self->context, 0);
  SSL_CTX_set_session_id_context (self->context, (const guchar *) "test", 4);
  SSL_CTX_set_client_hello_cb (self->context, on_hello, self);
  SSL_CTX_set_cert_verify_callback (self->context, on_verify, self);
  if (o->client_root != NULL)
    X509_STORE_add_cert (SSL_CTX_get_cert_store (self->context), o->client_root);
  if (o->client_algorithms != NULL)
    g_assert_cmpint (SSL_CTX_set1_client_sigalgs_list (self->context,
                                                       o->client_algorithms),
                     ==,
                     1);
  if (o->ask == TLS_SERVER_ASK_HANDSHAKE)
    SSL_CTX_set_verify (self->context, verify_mode (self), NULL);
}

/* FALSE where the peer did not do as asked. */
static gboolean
ask_now (TlsServer *self, SSL *ssl)
{
  char nothing;

  SSL_set_verify (ssl, verify_mode (self), NULL);
  /* Resuming, it would ask for nothing. */
  SSL_set_options (ssl, SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
  if (SSL_version (ssl) == TLS1_3_VERSION)
    {
      if (SSL_verify_client_post_handshake (ssl) != 1)
        return FALSE;
    }
  else if (SSL_renegotiate (ssl) != 1)
    return FALSE;
  if (SSL_do_handshake (ssl) != 1)
    return FALSE;
  /* Reads what the peer has to say to it; whole answers, but no data, come of it. */
  SSL_clear_mode (ssl, SSL_MODE_AUTO_RETRY);
  SSL_peek (ssl, &nothing, 0);
  while (SSL_in_init (ssl) && SSL_do_handshake (ssl) == 1)
    ;
  SSL_set_mode (ssl, SSL_MODE_AUTO_RETRY);
  return self->options.ask_only || SSL_get0_peer_certificate (ssl) != NULL;
}

static void
note_handshake (TlsServer *self, SSL *ssl)
{
  int nid = NID_undef;

  if (SSL_get0_peer_certificate (ssl) != NULL)
    SSL_get_peer_signature_type_nid (ssl, &nid);
  g_mutex_lock (&self->lock);
  if (SSL_session_reused (ssl))
    self->peers.resumed++;
  else
    self->peers.handshakes++;
  if (nid != NID_undef)
    g_strlcpy (self->peers.algorithm, OBJ_nid2sn (nid), sizeof self->peers.algorithm);
  g_mutex_unlock (&self->lock);
}

/* Counts how often the server waits after it has spoken: the round trips of the peer. */
static long
on_bio (BIO *bio,
        int operation,
        const char *data,
        size_t size,
        int argument,
        long argument_long,
        int result,
        size_t *processed)
{
  TlsServer *self = (TlsServer *) BIO_get_callback_arg (bio);

  if (operation == BIO_CB_WRITE)
    self->written = TRUE;
  else if (operation == BIO_CB_READ && self->written)
    {
      self->turns++;
      self->written = FALSE;
    }
  return result;
}

/* A peer that hears of its refusal late has sent more meanwhile: closing now would reset
 * the connection, and lose the alert. */
static void
drain (int fd)
{
  char rest[256];

  shutdown (fd, SHUT_WR);
  while (read (fd, rest, sizeof rest) > 0)
    ;
}

TlsServerPeers
tls_server_peers (TlsServer *self)
{
  TlsServerPeers peers;

  g_mutex_lock (&self->lock);
  peers = self->peers;
  g_mutex_unlock (&self->lock);
  return peers;
}

/* ---- its own certificate ---- */

static void
make_identity (TlsServer *self)
{
  g_autofree char *root_name = g_strdup_printf ("test root %u", g_random_int ());
  EVP_PKEY *key = EVP_EC_gen ("P-256");
  const char *name = self->options.name != NULL ? self->options.name : TLS_SERVER_HOST;
  gint64 not_before = self->options.not_before;
  gint64 not_after = self->options.not_after;
  X509 *cert;
  FILE *file;
  char *pem;
  gsize length;

  self->root_key = EVP_EC_gen ("P-256");
  self->root =
      make_certificate (root_name, self->root_key, NULL, self->root_key, -90000, 90000);
  cert = make_certificate (name,
                           key,
                           self->root,
                           self->root_key,
                           not_before != 0 ? not_before : -3600,
                           not_after != 0 ? not_after : 3600);
  self->dir = g_strdup ("/run/dps-test.XXXXXX");
  g_assert_nonnull (g_mkdtemp (self->dir));
  self->ca_file = g_build_filename (self->dir, "root.pem", NULL);
  file = fopen (self->ca_file, "w");
  g_assert_nonnull (file);
  g_assert_cmpint (PEM_write_X509 (file, self->root), ==, 1);
  fclose (file);
  g_assert_true (g_file_get_contents (self->ca_file, &pem, &length, NULL));
  self->ca_pem = g_bytes_new_take (pem, length);

  self->context = SSL_CTX_new (TLS_server_method ());
  g_assert_cmpint (SSL_CTX_use_certificate (self->context, cert), ==, 1);
  g_assert_cmpint (SSL_CTX_use_PrivateKey (self->context, key), ==, 1);
  if (self->options.max_version != 0)
    {
      SSL_CTX_set_cipher_list (self->context, "ALL:@SECLEVEL=0");
      SSL_CTX_set_min_proto_version (self->context, 0);
      SSL_CTX_set_max_proto_version (self->context, self->options.max_version);
    }
  X509_free (cert);
  EVP_PKEY_free (key);
  set_up_asking (self);
}

/* ---- requests ---- */

static void
note_stall (TlsServer *self)
{
  g_mutex_lock (&self->lock);
  self->stalled++;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* Until the peer leaves or tls_server_free() shuts the socket. */
static void
stall (TlsServer *self, int fd)
{
  char rest[256];

  note_stall (self);
  while (read (fd, rest, sizeof rest) > 0)
    ;
}

static gsize
request_size (const char *text)
{
  const char *end = strstr (text, "\r\n\r\n");
  const char *length = strstr (text, "Content-Length: ");
  gsize size;

  if (end == NULL)
    return G_MAXSIZE;
  size = (gsize) (end - text) + 4;
  if (length != NULL && length < end)
    size += g_ascii_strtoull (length + strlen ("Content-Length: "), NULL, 10);
  return size;
}

static gboolean
read_request (TlsServer *self, SSL *ssl, GString *request)
{
  char buffer[17000];
  guint reads = 0;

  g_string_truncate (request, 0);
  while (request->len < request_size (request->str))
    {
      int n = SSL_read (ssl, buffer, sizeof buffer);

      if (n <= 0 || request->len > REQUEST_MAX)
        return FALSE;
      g_string_append_len (request, buffer, n);
      reads++;
    }
  g_mutex_lock (&self->lock);
  self->requests++;
  self->whole_requests += reads == 1;
  self->peers.turns = self->turns;
  g_mutex_unlock (&self->lock);
  return TRUE;
}

static gboolean
send_answer (SSL *ssl, const TlsServerAnswer *answer)
{
  gsize piece = answer->piece != 0 ? answer->piece : answer->bytes->len;

  for (gsize at = 0; at < answer->bytes->len; at += piece)
    if (SSL_write (ssl,
                   answer->bytes->str + at,
                   (int) MIN (piece, answer->bytes->len - at)) <= 0)
      return FALSE;
  return TRUE;
}

static void
note_sent (TlsServer *self)
{
  g_mutex_lock (&self->lock);
  self->sent++;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static void
serve (TlsServer *self, SSL *ssl, int fd)
{
  g_autoptr (GString) request = g_string_new (NULL);
  TlsServerNext next = TLS_SERVER_KEEP;
  gboolean asked = self->options.ask != TLS_SERVER_ASK_REQUEST;

  while (next == TLS_SERVER_KEEP && read_request (self, ssl, request))
    {
      TlsServerAnswer answer = { .bytes = NULL };

      if (!asked && !ask_now (self, ssl))
        {
          drain (fd);
          return;
        }
      if (!asked)
        note_handshake (self, ssl);
      asked = TRUE;
      answer.bytes = g_string_new (NULL);
      self->handler (request->str, &answer, self->data);
      next = send_answer (ssl, &answer) ? answer.next : TLS_SERVER_CLOSE;
      note_sent (self);
      g_string_free (answer.bytes, TRUE);
    }
  if (next == TLS_SERVER_STALL)
    stall (self, fd);
  if (next != TLS_SERVER_CUT)
    SSL_shutdown (ssl);
}

static void
serve_connection (TlsServer *self, int fd)
{
  SSL *ssl;

  if (self->options.stall_handshake)
    stall (self, fd);
  if (self->options.stall_handshake || self->options.drop_handshake)
    return;
  ssl = SSL_new (self->context);
  SSL_set_fd (ssl, fd);
  self->written = FALSE;
  self->turns = 0;
  BIO_set_callback_arg (SSL_get_rbio (ssl), (char *) self);
  BIO_set_callback_ex (SSL_get_rbio (ssl), on_bio);
  if (SSL_accept (ssl) == 1)
    {
      note_handshake (self, ssl);
      serve (self, ssl, fd);
    }
  else
    drain (fd);
  SSL_free (ssl);
}

static gpointer
run (gpointer data)
{
  TlsServer *self = data;
  int fd;

  while ((fd = accept (self->listener, NULL, NULL)) >= 0)
    {
      gboolean stopping;
      int on = 1;

      /* Answers in pieces would wait for delayed acknowledgements. */
      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      g_mutex_lock (&self->lock);
      self->accepted++;
      self->connection = fd;
      stopping = self->stopping;
      g_mutex_unlock (&self->lock);
      if (!stopping)
        serve_connection (self, fd);
      g_mutex_lock (&self->lock);
      self->connection = -1;
      close (fd);
      g_cond_broadcast (&self->changed);
      g_mutex_unlock (&self->lock);
    }
  return NULL;
}

TlsServer *
tls_server_new (const TlsServerOptions *options, TlsServerHandler handler, gpointer data)
{
  TlsServer *self = g_new0 (TlsServer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t length = sizeof address;

  signal (SIGPIPE, SIG_IGN);
  if (options != NULL)
    self->options = *options;
  self->handler = handler;
  self->data = data;
  self->connection = -1;
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  make_identity (self);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  self->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (self->listener, (void *) &address, length), ==, 0);
  g_assert_cmpint (listen (self->listener, 8), ==, 0);
  g_assert_cmpint (getsockname (self->listener, (void *) &address, &length), ==, 0);
  self->port = ntohs (address.sin_port);
  self->pin = g_strdup_printf (TLS_SERVER_HOST "=127.0.0.1:%u", self->port);
  self->thread = g_thread_new ("tls-server", run, self);
  return self;
}

void
tls_server_free (TlsServer *self)
{
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  shutdown (self->listener, SHUT_RDWR);
  if (self->connection >= 0)
    shutdown (self->connection, SHUT_RDWR);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
  close (self->listener);
  SSL_CTX_free (self->context);
  X509_free (self->root);
  EVP_PKEY_free (self->root_key);
  g_unlink (self->ca_file);
  g_rmdir (self->dir);
  g_free (self->dir);
  g_free (self->ca_file);
  g_bytes_unref (self->ca_pem);
  g_free (self->pin);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

const char *
tls_server_ca_file (TlsServer *self)
{
  return self->ca_file;
}

GBytes *
tls_server_ca_pem (TlsServer *self)
{
  return self->ca_pem;
}

const char *
tls_server_pin (TlsServer *self)
{
  return self->pin;
}

guint
tls_server_port (TlsServer *self)
{
  return self->port;
}

static guint
read_counter (TlsServer *self, const guint *counter)
{
  guint value;

  g_mutex_lock (&self->lock);
  value = *counter;
  g_mutex_unlock (&self->lock);
  return value;
}

guint
tls_server_accepted (TlsServer *self)
{
  return read_counter (self, &self->accepted);
}

guint
tls_server_requests (TlsServer *self)
{
  return read_counter (self, &self->requests);
}

guint
tls_server_whole_requests (TlsServer *self)
{
  return read_counter (self, &self->whole_requests);
}

void
tls_server_wait_stalled (TlsServer *self, guint n)
{
  g_mutex_lock (&self->lock);
  while (self->stalled < n)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
tls_server_wait_closed (TlsServer *self)
{
  g_mutex_lock (&self->lock);
  while (self->connection >= 0)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

void
tls_server_wait_sent (TlsServer *self, guint n)
{
  g_mutex_lock (&self->lock);
  while (self->sent < n)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}
