/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-server.h"

#include "em-certs.h"
#include "em-exchange.h"
#include "em-hub.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#define CONNECTIONS_MAX 4000
/* Descriptors left to the process itself: its log, its files when they are read again. */
#define FILES_KEPT 32
#define BACKLOG 1024
#define IDLE_SECONDS 300
#define HEADERS_MAX (64 * 1024)

struct _EmServer
{
  const EmServerOptions *options;
  EmLog *log;
  struct MHD_Daemon *daemon;
  gnutls_datum_t ticket_key;
  guint64 connections; /* of the server's thread alone */
  gsize header_max;

  GMutex lock; /* what follows is shared with the server's thread */
  EmEnrolments *enrolments;
  EmScenario *scenario;
  EmRegistry *registry;
  EmTpm *tpm;
  EmIssuer *issuer;
  GHashTable *delays; /* suspended MHD_Connection → id of its timer */
  gboolean stopping;
};

/* A connection that waits for its answer to be due. */
typedef struct
{
  EmServer *server;
  struct MHD_Connection *mhd;
} Delay;

EmServer *
em_server_new (const EmServerOptions *options, EmLog *log, EmLog *reveal)
{
  EmServer *self = g_new0 (EmServer, 1);

  self->options = options;
  self->log = log;
  g_mutex_init (&self->lock);
  self->enrolments = em_enrolments_new ();
  self->scenario = em_scenario_new ();
  self->registry = em_registry_new ();
  self->tpm = em_tpm_new (reveal);
  self->delays = g_hash_table_new (NULL, NULL);
  return self;
}

/* libmicrohttpd must not be stopped with a connection suspended. */
static void
stop (EmServer *self)
{
  GHashTableIter iter;
  gpointer mhd, timer;

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  g_mutex_unlock (&self->lock);

  g_hash_table_iter_init (&iter, self->delays);
  while (g_hash_table_iter_next (&iter, &mhd, &timer))
    {
      g_source_remove (GPOINTER_TO_UINT (timer));
      MHD_resume_connection (mhd);
    }
  MHD_stop_daemon (self->daemon);
}

void
em_server_free (EmServer *self)
{
  if (self->daemon != NULL)
    stop (self);
  g_hash_table_unref (self->delays);
  gnutls_memset (self->ticket_key.data, 0, self->ticket_key.size);
  gnutls_free (self->ticket_key.data);
  em_tpm_free (self->tpm);
  g_clear_pointer (&self->issuer, em_issuer_free);
  em_registry_free (self->registry);
  em_scenario_free (self->scenario);
  em_enrolments_free (self->enrolments);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static EmScenario *
load_scenario (EmServer *self, GError **error)
{
  g_autoptr (EmScenario) scenario = NULL;

  if (self->options->scenario_path == NULL)
    return em_scenario_new ();

  scenario = em_scenario_load (self->options->scenario_path, error);
  if (scenario == NULL)
    return NULL;
  if (self->daemon != NULL && em_scenario_header_max (scenario) > self->header_max)
    {
      g_set_error_literal (error,
                           G_IO_ERROR,
                           G_IO_ERROR_INVALID_DATA,
                           "header-size may not grow while the server runs");
      return NULL;
    }
  return g_steal_pointer (&scenario);
}

gboolean
em_server_load (EmServer *self, GError **error)
{
  const char *path = self->options->enrolments_path;
  EmEnrolments *enrolments =
      path != NULL ? em_enrolments_load (path, error) : em_enrolments_new ();
  EmScenario *scenario;

  if (enrolments == NULL)
    return FALSE;
  scenario = load_scenario (self, error);
  if (scenario == NULL)
    {
      em_enrolments_free (enrolments);
      return FALSE;
    }

  g_mutex_lock (&self->lock);
  em_enrolments_free (self->enrolments);
  self->enrolments = enrolments;
  em_scenario_free (self->scenario);
  self->scenario = scenario;
  g_mutex_unlock (&self->lock);
  return TRUE;
}

static gboolean
is_hub (EmServer *self, const char *host)
{
  for (guint i = 0; self->options->hub_hosts[i] != NULL; i++)
    if (g_ascii_strcasecmp (self->options->hub_hosts[i], host) == 0)
      return TRUE;

  return FALSE;
}

static EmReply *
route (EmServer *self, const EmRequest *request)
{
  g_autofree char *host = em_request_host_name (request);
  gboolean hub = is_hub (self, host);
  const char *name = NULL;
  const EmAnswer *answer =
      em_scenario_match (self->scenario, hub, request->method, request->target, &name);
  const EmDps dps = {
    .options = &self->options->dps,
    .enrolments = self->enrolments,
    .registry = self->registry,
    .tpm = self->tpm,
    .issuer = self->issuer,
  };
  EmReply *reply = answer != NULL ? em_answer_replace (answer) : NULL;

  if (reply != NULL)
    reply->sas = request->authorization != NULL ? "unchecked" : "absent";
  else if (hub)
    reply = em_hub_handle (self->registry, host, request);
  else
    reply = em_dps_handle (&dps, request, answer);

  if (answer != NULL)
    {
      em_answer_bend (answer, reply);
      reply->fault = g_strdup (name);
    }
  return reply;
}

static gboolean
on_delay_over (gpointer data)
{
  Delay *delay = data;

  g_mutex_lock (&delay->server->lock);
  g_hash_table_remove (delay->server->delays, delay->mhd);
  g_mutex_unlock (&delay->server->lock);

  MHD_resume_connection (delay->mhd);
  return G_SOURCE_REMOVE;
}

/* Suspended first: a timer that fires before would resume nothing. */
static void
delay_answer (EmServer *self, struct MHD_Connection *mhd, guint delay_ms)
{
  Delay *delay;
  guint timer;

  MHD_suspend_connection (mhd);
  g_mutex_lock (&self->lock);
  if (self->stopping)
    MHD_resume_connection (mhd);
  else
    {
      delay = g_new0 (Delay, 1);
      delay->server = self;
      delay->mhd = mhd;
      timer =
          g_timeout_add_full (G_PRIORITY_DEFAULT, delay_ms, on_delay_over, delay, g_free);
      g_hash_table_insert (self->delays, mhd, GUINT_TO_POINTER (timer));
    }
  g_mutex_unlock (&self->lock);
}

static enum MHD_Result
answer (EmServer *self, EmExchange *exchange, struct MHD_Connection *mhd)
{
  if (exchange->reply == NULL)
    {
      g_mutex_lock (&self->lock);
      exchange->reply = route (self, &exchange->request);
      g_mutex_unlock (&self->lock);
      /* Ahead of the answer, so that who has the answer can read the log. */
      em_exchange_log (exchange, mhd, self->log);
    }

  if (exchange->reply->delay_ms > 0 && !exchange->delayed)
    {
      exchange->delayed = TRUE;
      delay_answer (self, mhd, exchange->reply->delay_ms);
      return MHD_YES;
    }

  return em_exchange_send (exchange,
                           mhd,
                           self->options->chunked ? EM_FRAMING_CHUNKED
                                                  : EM_FRAMING_LENGTH);
}

static enum MHD_Result
on_request (void *data,
            struct MHD_Connection *mhd,
            const char *url,
            const char *method,
            const char *version,
            const char *upload,
            size_t *upload_len,
            void **context)
{
  EmServer *self = data;
  EmExchange *exchange = *context;

  if (!exchange->headers_seen)
    {
      em_exchange_read_headers (exchange, mhd, method);
      return MHD_YES;
    }
  if (*upload_len > 0)
    {
      em_exchange_read_body (exchange, upload, *upload_len);
      *upload_len = 0;
      return MHD_YES;
    }

  return answer (self, exchange, mhd);
}

/* The only place that sees the target as it was sent. */
static void *
on_target (void *data, const char *target, struct MHD_Connection *mhd)
{
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

  return em_exchange_new (target, info->socket_context);
}

static void
on_completed (void *data,
              struct MHD_Connection *mhd,
              void **context,
              enum MHD_RequestTerminationCode code)
{
  g_clear_pointer ((EmExchange **) context, em_exchange_free);
}

static void
on_connection (void *data,
               struct MHD_Connection *mhd,
               void **context,
               enum MHD_ConnectionNotificationCode code)
{
  EmServer *self = data;
  EmConnection *connection = *context;

  if (code == MHD_CONNECTION_NOTIFY_STARTED)
    {
      *context = em_connection_new (++self->connections,
                                    mhd,
                                    self->options->no_tickets ? NULL : &self->ticket_key);
      return;
    }

  em_connection_log_close (connection, mhd, self->log);
  em_connection_free (connection);
  *context = NULL;
}

static GStrv
certificate_names (const EmServerOptions *options)
{
  static const char *const always[] = { "localhost", "testhost", "127.0.0.1", NULL };
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();

  g_strv_builder_addv (names, (const char **) options->endpoint_hosts);
  g_strv_builder_addv (names, (const char **) options->hub_hosts);
  g_strv_builder_addv (names, (const char **) always);
  if (!g_strv_contains (always, options->address))
    g_strv_builder_add (names, options->address);
  return g_strv_builder_end (names);
}

static GSocketAddress *
parse_address (const EmServerOptions *options, GError **error)
{
  GSocketAddress *address =
      g_inet_socket_address_new_from_string (options->address, (guint) options->port);

  if (address == NULL)
    g_set_error (error,
                 G_IO_ERROR,
                 G_IO_ERROR_INVALID_ARGUMENT,
                 "'%s' is not an IP address",
                 options->address);
  return address;
}

/* A connection takes one descriptor; those too many wait to be accepted. */
static unsigned int
connections_max (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) < 0 ||
      limit.rlim_cur >= CONNECTIONS_MAX + FILES_KEPT)
    return CONNECTIONS_MAX;
  return limit.rlim_cur > FILES_KEPT ? (unsigned int) limit.rlim_cur - FILES_KEPT : 1;
}

static struct MHD_Daemon *
start_daemon (EmServer *self,
              const struct sockaddr *address,
              const char *cert,
              const char *key)
{
  /* Not epoll: where exactly as many events are ready as libmicrohttpd 0.9.75 reads at a
   * time, 128, it waits for one more before it looks at them. */
  unsigned int flags = MHD_USE_TLS | MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD |
                       MHD_ALLOW_SUSPEND_RESUME;

  if (address->sa_family == AF_INET6)
    flags |= MHD_USE_IPv6;

  return MHD_start_daemon (flags,
                           0,
                           NULL,
                           NULL,
                           on_request,
                           self,
                           MHD_OPTION_SOCK_ADDR,
                           address,
                           MHD_OPTION_HTTPS_MEM_CERT,
                           cert,
                           MHD_OPTION_HTTPS_MEM_KEY,
                           key,
                           MHD_OPTION_HTTPS_PRIORITIES,
                           self->options->priorities,
                           MHD_OPTION_NOTIFY_CONNECTION,
                           on_connection,
                           self,
                           MHD_OPTION_NOTIFY_COMPLETED,
                           on_completed,
                           NULL,
                           MHD_OPTION_URI_LOG_CALLBACK,
                           on_target,
                           NULL,
                           MHD_OPTION_CONNECTION_LIMIT,
                           connections_max (),
                           MHD_OPTION_LISTEN_BACKLOG_SIZE,
                           (unsigned int) BACKLOG,
                           MHD_OPTION_CONNECTION_TIMEOUT,
                           (unsigned int) IDLE_SECONDS,
                           MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                           (size_t) HEADERS_MAX + self->header_max,
                           MHD_OPTION_END);
}

/* Accepted connections inherit it. Without, a handshake sent in pieces waits a round trip
 * for the acknowledgement of the first, which the service's does not. */
static void
send_at_once (struct MHD_Daemon *daemon)
{
  int fd = MHD_get_daemon_info (daemon, MHD_DAEMON_INFO_LISTEN_FD)->listen_fd;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof (int));
}

gboolean
em_server_start (EmServer *self, GError **error)
{
  g_auto (GStrv) names = certificate_names (self->options);
  g_autoptr (GSocketAddress) address = parse_address (self->options, error);
  g_autofree char *cert = NULL;
  g_autofree char *key = NULL;
  struct sockaddr_storage native;

  if (address == NULL ||
      !g_socket_address_to_native (address, &native, sizeof native, error) ||
      !em_certs_prepare (self->options->state_dir,
                         (const char *const *) names,
                         &cert,
                         &key,
                         error))
    return FALSE;

  self->issuer = em_issuer_open (self->options->state_dir, error);
  if (self->issuer == NULL)
    return FALSE;

  gnutls_session_ticket_key_generate (&self->ticket_key);
  self->header_max = em_scenario_header_max (self->scenario);
  self->daemon = start_daemon (self, (struct sockaddr *) &native, cert, key);
  if (self->daemon == NULL)
    {
      g_set_error (error,
                   G_IO_ERROR,
                   g_io_error_from_errno (errno),
                   "listening on %s port %d: %s",
                   self->options->address,
                   self->options->port,
                   g_strerror (errno));
      return FALSE;
    }
  send_at_once (self->daemon);
  return TRUE;
}

guint
em_server_get_port (EmServer *self)
{
  return MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}
