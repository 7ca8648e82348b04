/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-exchange.h"

#include "em-x509.h"

#include <string.h>
#include <sys/socket.h>

#include <linux/tcp.h>
#include <netinet/in.h>

#define BLOCK_SIZE (16 * 1024)

/* The server name the client asked for, or NULL. */
static char *
server_name (gnutls_session_t session)
{
  char name[256];
  size_t len = sizeof name;
  unsigned int type;

  if (gnutls_server_name_get (session, name, &len, &type, 0) != GNUTLS_E_SUCCESS)
    return NULL;
  return g_strndup (name, len);
}

/* A resumed session has it from its ticket. */
static GPtrArray *
peer_chain (gnutls_session_t session)
{
  unsigned int n = 0;
  const gnutls_datum_t *certificates = gnutls_certificate_get_peers (session, &n);
  GPtrArray *chain;

  if (certificates == NULL || n == 0)
    return NULL;

  chain = em_chain_new ();
  for (unsigned int i = 0; i < n; i++)
    if (!em_chain_add_der (chain, certificates[i].data, certificates[i].size))
      break;
  return chain;
}

/* The client's Finished ends the handshake in every version. */
static int
on_finished (gnutls_session_t session,
             unsigned int type,
             unsigned int when,
             unsigned int incoming,
             const gnutls_datum_t *message)
{
  EmConnection *self = gnutls_db_get_ptr (session);

  if (!incoming)
    return 0;

  self->tls = gnutls_protocol_get_name (gnutls_protocol_get_version (session));
  self->resumed = gnutls_session_is_resumed (session) != 0;
  g_free (self->server_name);
  self->server_name = server_name (session);
  g_clear_pointer (&self->chain, g_ptr_array_unref);
  self->chain = peer_chain (session);
  return 0;
}

/* A new connection has a session but no handshake yet: the moment to allow tickets, for
 * which libmicrohttpd has no option, and to ask for a certificate, for which it wants
 * CAs: their names would keep clients from showing any other. When it tells of the end
 * the session is gone, so what the log wants is noted at the handshake. The pointer of
 * the session cache, of which there is none, is the one that libmicrohttpd leaves to us.
 */
EmConnection *
em_connection_new (guint64 id,
                   struct MHD_Connection *mhd,
                   const gnutls_datum_t *ticket_key)
{
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  EmConnection *self = g_new0 (EmConnection, 1);

  self->id = id;
  gnutls_db_set_ptr (info->tls_session, self);
  gnutls_handshake_set_hook_function (info->tls_session,
                                      GNUTLS_HANDSHAKE_FINISHED,
                                      GNUTLS_HOOK_POST,
                                      on_finished);
  gnutls_certificate_server_set_request (info->tls_session, GNUTLS_CERT_REQUEST);
  if (ticket_key != NULL)
    gnutls_session_ticket_enable_server (info->tls_session, ticket_key);
  return self;
}

void
em_connection_free (EmConnection *self)
{
  g_free (self->server_name);
  g_clear_pointer (&self->chain, g_ptr_array_unref);
  g_free (self);
}

static void
add_string (JsonObject *line, const char *member, const char *value)
{
  g_autofree char *text = value != NULL ? g_utf8_make_valid (value, -1) : NULL;

  if (text != NULL)
    json_object_set_string_member (line, member, text);
  else
    json_object_set_null_member (line, member);
}

/* How many certificates the client showed, and which one is its own. */
static void
add_chain (JsonObject *line, GPtrArray *chain)
{
  g_autofree char *thumbprint =
      chain != NULL && chain->len > 0 ? em_x509_thumbprint_text (chain->pdata[0]) : NULL;

  json_object_set_int_member (line,
                              "certificates",
                              chain != NULL ? (gint64) chain->len : 0);
  add_string (line, "thumbprint", thumbprint);
}

static void
add_connection (JsonObject *line, const EmConnection *connection)
{
  json_object_set_int_member (line, "connection", (gint64) connection->id);
  add_string (line, "tls", connection->tls);
  json_object_set_boolean_member (line, "resumed", connection->resumed);
  add_string (line, "sni", connection->server_name);
}

/* The bytes of the TCP stream in both directions, TLS included. */
static void
add_wire_bytes (JsonObject *line, struct MHD_Connection *mhd)
{
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct tcp_info tcp = { 0 };
  socklen_t len = sizeof tcp;

  if (info == NULL ||
      getsockopt (info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) < 0 ||
      len <
          offsetof (struct tcp_info, tcpi_bytes_retrans) + sizeof tcp.tcpi_bytes_retrans)
    return;

  json_object_set_int_member (line, "wireIn", (gint64) tcp.tcpi_bytes_received);
  json_object_set_int_member (line,
                              "wireOut",
                              (gint64) (tcp.tcpi_bytes_sent - tcp.tcpi_bytes_retrans));
}

void
em_connection_log_close (EmConnection *self, struct MHD_Connection *mhd, EmLog *log)
{
  JsonObject *line = em_log_line ("close", g_get_real_time ());

  json_object_set_boolean_member (line, "handshake", self->tls != NULL);
  add_connection (line, self);
  json_object_set_int_member (line, "requests", self->requests);
  add_wire_bytes (line, mhd);
  em_log_write (log, line);
}

EmExchange *
em_exchange_new (const char *target, EmConnection *connection)
{
  EmExchange *self = g_new0 (EmExchange, 1);

  self->request.target = g_strdup (target);
  self->request.body = g_string_new (NULL);
  self->connection = connection;
  self->arrived = g_get_real_time ();
  return self;
}

void
em_exchange_free (EmExchange *self)
{
  g_free (self->request.target);
  g_string_free (self->request.body, TRUE);
  g_clear_pointer (&self->reply, em_reply_free);
  g_free (self);
}

static const char *
header (struct MHD_Connection *mhd, const char *name)
{
  return MHD_lookup_connection_value (mhd, MHD_HEADER_KIND, name);
}

void
em_exchange_read_headers (EmExchange *self,
                          struct MHD_Connection *mhd,
                          const char *method)
{
  self->headers_seen = TRUE;
  self->request.method = method;
  self->request.host = header (mhd, MHD_HTTP_HEADER_HOST);
  self->request.authorization = header (mhd, MHD_HTTP_HEADER_AUTHORIZATION);
  self->request.content_type = header (mhd, MHD_HTTP_HEADER_CONTENT_TYPE);
  self->request.chain = self->connection->chain;
  self->connection->requests++;
}

void
em_exchange_read_body (EmExchange *self, const char *data, gsize len)
{
  self->request.body_len += len;
  if (self->request.body_len <= EM_BODY_MAX)
    g_string_append_len (self->request.body, data, (gssize) len);
}

/* Never the credential: only what the check said of it. */
void
em_exchange_log (EmExchange *self, struct MHD_Connection *mhd, EmLog *log)
{
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
  JsonObject *line = em_log_line ("request", self->arrived);
  const EmReply *reply = self->reply;

  add_connection (line, self->connection);
  add_string (line, "method", self->request.method);
  add_string (line, "host", self->request.host);
  add_string (line, "path", self->request.target);
  json_object_set_int_member (line, "status", reply->reset ? 0 : reply->status);
  json_object_set_int_member (line,
                              "requestHeader",
                              info != NULL ? (gint64) info->header_size : 0);
  json_object_set_int_member (line, "requestBody", (gint64) self->request.body_len);
  json_object_set_int_member (line,
                              "responseBody",
                              reply->reset ? 0 : (gint64) reply->body_len);
  add_string (line, "sas", reply->sas);
  add_string (line, "certificate", reply->certificate);
  add_chain (line, self->connection->chain);
  add_string (line, "fault", reply->fault);
  add_string (line, "userAgent", header (mhd, MHD_HTTP_HEADER_USER_AGENT));
  em_log_write (log, line);
}

/* Disconnecting a TCP socket sends a RST at once, ahead of the farewell TLS would send.
 */
static void
reset_connection (struct MHD_Connection *mhd)
{
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

  if (connect (info->connect_fd, &nowhere, sizeof nowhere) < 0)
    g_warning ("resetting a connection: %s", g_strerror (errno));
}

/* The body of a streamed answer, in pieces of a given size. */
typedef struct
{
  char *data;
  gsize len;
  gsize piece;
} Stream;

static ssize_t
on_stream_read (void *data, uint64_t pos, char *buffer, size_t max)
{
  Stream *stream = data;
  gsize len = MIN (MIN (stream->len - pos, max), stream->piece);

  if (len == 0)
    return MHD_CONTENT_READER_END_OF_STREAM;
  memcpy (buffer, stream->data + pos, len);
  return (ssize_t) len;
}

static void
on_stream_free (void *data)
{
  Stream *stream = data;

  g_free (stream->data);
  g_free (stream);
}

static struct MHD_Response *
stream_response (const EmReply *reply)
{
  Stream *stream = g_new0 (Stream, 1);

  stream->data = g_memdup2 (reply->body, reply->body_len);
  stream->len = reply->body_len;
  stream->piece = reply->chunk_size > 0 ? reply->chunk_size : BLOCK_SIZE;
  return MHD_create_response_from_callback (MHD_SIZE_UNKNOWN,
                                            MIN (stream->piece, BLOCK_SIZE),
                                            on_stream_read,
                                            stream,
                                            on_stream_free);
}

static struct MHD_Response *
make_response (const EmReply *reply, EmFraming framing)
{
  struct MHD_Response *response;

  /* 204 and 304 have no body, so there is nothing to frame. */
  if (framing == EM_FRAMING_LENGTH || reply->status == 204 || reply->status == 304)
    return MHD_create_response_from_buffer (reply->body_len,
                                            reply->body,
                                            MHD_RESPMEM_MUST_COPY);

  response = stream_response (reply);
  if (framing == EM_FRAMING_CLOSE)
    MHD_set_response_options (response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
  return response;
}

enum MHD_Result
em_exchange_send (EmExchange *self, struct MHD_Connection *mhd, EmFraming default_framing)
{
  EmReply *reply = self->reply;
  EmFraming framing = reply->framing;
  struct MHD_Response *response;
  enum MHD_Result result;

  if (reply->reset)
    {
      reset_connection (mhd);
      return MHD_NO;
    }

  if (framing == EM_FRAMING_DEFAULT)
    framing = default_framing;
  response = make_response (reply, framing);
  for (guint i = 0; i < reply->headers->len; i += 2)
    if (MHD_add_response_header (response,
                                 reply->headers->pdata[i],
                                 reply->headers->pdata[i + 1]) != MHD_YES)
      g_warning ("cannot send header %s", (char *) reply->headers->pdata[i]);
  if (reply->close)
    MHD_add_response_header (response, MHD_HTTP_HEADER_CONNECTION, "close");

  result = MHD_queue_response (mhd, reply->status, response);
  MHD_destroy_response (response);
  return result;
}
