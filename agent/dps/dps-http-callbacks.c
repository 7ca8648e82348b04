/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-private.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

static size_t
on_body (char *data, size_t size, size_t count, void *user_data)
{
  DpsHttp *self = user_data;
  gsize length = size * count;

  if (length > DPS_HTTP_BODY_MAX - self->body->len)
    {
      if (self->request->ignore_body)
        self->body_dropped = TRUE;
      else
        self->too_large = TRUE;
      return 0;
    }
  g_byte_array_append (self->body, (const guint8 *) data, (guint) length);
  return length;
}

/* All header bytes of the exchange, those of 1xx answers and trailers too. */
static size_t
on_header (char *data, size_t size, size_t count, void *user_data)
{
  DpsHttp *self = user_data;
  gsize length = size * count;

  if (length > DPS_HTTP_HEADERS_MAX - self->header_bytes)
    {
      self->too_large = TRUE;
      return 0;
    }
  self->header_bytes += length;
  if (!dps_http_head_take (&self->head, data, length))
    {
      self->malformed = TRUE;
      return 0;
    }
  return length;
}

static int
on_progress (void *user_data,
             curl_off_t down_total,
             curl_off_t down,
             curl_off_t up_total,
             curl_off_t up)
{
  DpsHttp *self = user_data;

  return g_cancellable_is_cancelled (self->cancellable) ? 1 : 0;
}

static curl_socket_t
on_open_socket (void *user_data, curlsocktype purpose, struct curl_sockaddr *address)
{
  DpsHttp *self = user_data;
  int fd;

  if (self->check_address != NULL &&
      !self->check_address (&address->addr, address->addrlen, self->check_data))
    {
      self->vetoed++;
      return CURL_SOCKET_BAD;
    }
  self->opened++;
  fd = socket (address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd >= 0)
    g_array_append_val (self->sockets, fd);
  return fd;
}

static int
on_close_socket (void *user_data, curl_socket_t socket)
{
  DpsHttp *self = user_data;

  for (guint i = 0; i < self->sockets->len; i++)
    if (g_array_index (self->sockets, int, i) == socket)
      {
        g_array_remove_index_fast (self->sockets, i);
        break;
      }
  return close (socket);
}

static void
on_tls_message (int sent,
                int version,
                int type,
                const void *data,
                size_t size,
                SSL *ssl,
                void *user_data)
{
  DpsHttp *self = user_data;

  if (!sent && type == SSL3_RT_HANDSHAKE)
    self->tls_begun = TRUE;
}

/* A handshake that fails without an alert from either side was cut off. */
static void
on_tls_event (const SSL *ssl, int where, int value)
{
  DpsHttp *self = SSL_CTX_get_app_data (SSL_get_SSL_CTX (ssl));

  if ((where & SSL_CB_ALERT) != 0)
    self->tls_alert = value & 0xff;
  if (where == SSL_CB_READ_ALERT)
    dps_http_identity_note_alert (self, value & 0xff);
}

/* libcurl's own loading would read a single file again at every connection. */
static CURLcode
on_ssl_context (CURL *curl, void *context, void *user_data)
{
  DpsHttp *self = user_data;

  SSL_CTX_set1_cert_store (context, self->roots);
  /* SSLKEYLOGFILE of the environment would give every token away. */
  SSL_CTX_set_keylog_callback (context, NULL);
  SSL_CTX_set_app_data (context, self);
  SSL_CTX_set_info_callback (context, on_tls_event);
  SSL_CTX_set_msg_callback (context, on_tls_message);
  SSL_CTX_set_msg_callback_arg (context, self);
  return dps_http_identity_apply (self, context) ? CURLE_OK : CURLE_SSL_CERTPROBLEM;
}

static guint
local_port_of (int fd)
{
  union
  {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } name = { .any.sa_family = AF_UNSPEC };
  socklen_t size = sizeof name;

  if (getsockname (fd, &name.any, &size) < 0)
    return 0;
  return ntohs (name.any.sa_family == AF_INET6 ? name.in6.sin6_port : name.in.sin_port);
}

/* libcurl does not tell which socket it is about to use, only its port. -1 = none. */
static int
find_socket (DpsHttp *self, guint local_port)
{
  for (guint i = 0; i < self->sockets->len; i++)
    if (local_port_of (g_array_index (self->sockets, int, i)) == local_port)
      return g_array_index (self->sockets, int, i);
  return -1;
}

/* Before it was asked: the rest of an answer, not the next one, or the peer's end. */
static gboolean
has_input (DpsHttp *self, SSL *ssl, guint local_port)
{
  struct pollfd input = { .fd = find_socket (self, local_port), .events = POLLIN };

  return input.fd < 0 || SSL_has_pending (ssl) || poll (&input, 1, 0) > 0;
}

/* Before the request goes out, on a kept connection too: the only time when the TLS
 * session can be asked for its facts. */
static int
on_ready (void *user_data, char *peer, char *local, int peer_port, int local_port)
{
  DpsHttp *self = user_data;
  struct curl_tlssessioninfo *info = NULL;
  SSL *ssl;

  /* A second time, where the kept connection turned out to be dead. */
  g_clear_pointer (&self->response->tls_version, g_free);
  g_clear_pointer (&self->response->tls_cipher, g_free);
  if (curl_easy_getinfo (self->curl, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK &&
      info != NULL && info->backend == CURLSSLBACKEND_OPENSSL && info->internals != NULL)
    {
      ssl = info->internals;
      self->stale = self->opened == 0 && has_input (self, ssl, (guint) local_port);
      if (self->stale)
        return CURL_PREREQFUNC_ABORT;
      self->response->tls_version = g_strdup (SSL_get_version (ssl));
      self->response->tls_cipher = g_strdup (SSL_get_cipher_name (ssl));
      self->response->tls_reused = SSL_session_reused (ssl) == 1;
    }
  return CURL_PREREQFUNC_OK;
}

gboolean
dps_http_set_callbacks (DpsHttp *self)
{
  return SET (WRITEFUNCTION, on_body) == CURLE_OK && SET (WRITEDATA, self) == CURLE_OK &&
         SET (HEADERFUNCTION, on_header) == CURLE_OK &&
         SET (HEADERDATA, self) == CURLE_OK &&
         SET (XFERINFOFUNCTION, on_progress) == CURLE_OK &&
         SET (XFERINFODATA, self) == CURLE_OK && SET (NOPROGRESS, 0L) == CURLE_OK &&
         SET (OPENSOCKETFUNCTION, on_open_socket) == CURLE_OK &&
         SET (OPENSOCKETDATA, self) == CURLE_OK &&
         SET (CLOSESOCKETFUNCTION, on_close_socket) == CURLE_OK &&
         SET (CLOSESOCKETDATA, self) == CURLE_OK &&
         SET (SSL_CTX_FUNCTION, on_ssl_context) == CURLE_OK &&
         SET (SSL_CTX_DATA, self) == CURLE_OK &&
         SET (PREREQFUNCTION, on_ready) == CURLE_OK && SET (PREREQDATA, self) == CURLE_OK;
}
