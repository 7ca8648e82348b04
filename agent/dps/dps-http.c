/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http.h"
#include "dps/dps-http-headers.h"
#include "dps/dps-http-pin.h"
#include "dps/dps-http-roots.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#define CONNECT_TIMEOUT_MS 15000
#define REQUEST_TIMEOUT_MS 30000
#define HEADER_VALUE_MAX 512

G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_STORE, X509_STORE_free)

struct _DpsHttp
{
  CURL *curl;
  X509_STORE *roots;
  DpsHttpSessions *sessions;
  DpsHttpShare *share;
  struct curl_slist *connect_to;
  DpsHttpAddressCheck check_address;
  gpointer check_data;
  char message[CURL_ERROR_SIZE];

  /* Of the request under way. */
  const DpsHttpRequest *request;
  GCancellable *cancellable;
  DpsHttpResponse *response;
  GByteArray *body;
  gsize header_bytes;
  gboolean header_complete;
  gboolean tls_alert;
  gboolean body_dropped;
  gboolean too_large;
  guint vetoed;
  guint opened;
};

/* ---- what libcurl calls ---- */

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
  /* libcurl takes the end of the connection for the end of the header. */
  if (length >= 5 && memcmp (data, "HTTP/", 5) == 0)
    self->header_complete = FALSE;
  else if (data[0] == '\r' || data[0] == '\n')
    self->header_complete = TRUE;
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

  if (self->check_address != NULL &&
      !self->check_address (&address->addr, address->addrlen, self->check_data))
    {
      self->vetoed++;
      return CURL_SOCKET_BAD;
    }
  self->opened++;
  return socket (address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A handshake that fails without an alert from either side was cut off. */
static void
on_tls_event (const SSL *ssl, int where, int value)
{
  DpsHttp *self = SSL_CTX_get_app_data (SSL_get_SSL_CTX (ssl));

  if ((where & SSL_CB_ALERT) != 0)
    self->tls_alert = TRUE;
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
  return CURLE_OK;
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
      self->response->tls_version = g_strdup (SSL_get_version (ssl));
      self->response->tls_cipher = g_strdup (SSL_get_cipher_name (ssl));
      self->response->tls_reused = SSL_session_reused (ssl) == 1;
    }
  return CURL_PREREQFUNC_OK;
}

/* ---- making one ---- */

static gboolean
add_pin (DpsHttp *self, const char *pin, GError **error)
{
  g_autofree char *entry = dps_http_pin_parse (pin, error);

  if (entry == NULL)
    return FALSE;
  self->connect_to = curl_slist_append (self->connect_to, entry);
  return TRUE;
}

#define SET(option, value) curl_easy_setopt (self->curl, CURLOPT_##option, value)

/* What may be spoken, and to whom. */
static gboolean
set_limits (DpsHttp *self)
{
  return SET (PROTOCOLS_STR, "https") == CURLE_OK &&
         SET (HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1) == CURLE_OK &&
         SET (HTTP09_ALLOWED, 0L) == CURLE_OK && SET (FOLLOWLOCATION, 0L) == CURLE_OK &&
         SET (PROXY, "") == CURLE_OK &&
         SET (NETRC, (long) CURL_NETRC_IGNORED) == CURLE_OK &&
         SET (PATH_AS_IS, 1L) == CURLE_OK &&
         SET (HTTP_CONTENT_DECODING, 0L) == CURLE_OK &&
         SET (SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
         SET (SSL_VERIFYPEER, 1L) == CURLE_OK && SET (SSL_VERIFYHOST, 2L) == CURLE_OK &&
         SET (CAINFO, NULL) == CURLE_OK && SET (CAPATH, NULL) == CURLE_OK &&
         SET (CA_CACHE_TIMEOUT, 0L) == CURLE_OK;
}

static gboolean
set_callbacks (DpsHttp *self)
{
  return SET (WRITEFUNCTION, on_body) == CURLE_OK && SET (WRITEDATA, self) == CURLE_OK &&
         SET (HEADERFUNCTION, on_header) == CURLE_OK &&
         SET (HEADERDATA, self) == CURLE_OK &&
         SET (XFERINFOFUNCTION, on_progress) == CURLE_OK &&
         SET (XFERINFODATA, self) == CURLE_OK && SET (NOPROGRESS, 0L) == CURLE_OK &&
         SET (OPENSOCKETFUNCTION, on_open_socket) == CURLE_OK &&
         SET (OPENSOCKETDATA, self) == CURLE_OK &&
         SET (SSL_CTX_FUNCTION, on_ssl_context) == CURLE_OK &&
         SET (SSL_CTX_DATA, self) == CURLE_OK &&
         SET (PREREQFUNCTION, on_ready) == CURLE_OK && SET (PREREQDATA, self) == CURLE_OK;
}

static gboolean
set_options (DpsHttp *self, const DpsHttpOptions *options)
{
  guint connect_ms = options->connect_timeout_ms;
  guint request_ms = options->request_timeout_ms;

  return SET (ERRORBUFFER, self->message) == CURLE_OK && SET (NOSIGNAL, 1L) == CURLE_OK &&
         SET (TCP_NODELAY, 1L) == CURLE_OK &&
         /* A cancelled request does not wait for a name server. */
         SET (QUICK_EXIT, 1L) == CURLE_OK &&
         SET (CONNECTTIMEOUT_MS,
              (long) (connect_ms != 0 ? connect_ms : CONNECT_TIMEOUT_MS)) == CURLE_OK &&
         SET (TIMEOUT_MS, (long) (request_ms != 0 ? request_ms : REQUEST_TIMEOUT_MS)) ==
             CURLE_OK &&
         SET (USERAGENT, options->user_agent) == CURLE_OK &&
         SET (CONNECT_TO, self->connect_to) == CURLE_OK &&
         (self->share == NULL ||
          SET (SHARE, dps_http_share_get_handle (self->share)) == CURLE_OK);
}

/* Described before they are loaded: roots that change in between are then not taken for
 * those that the sessions were gained under. */
static gboolean
load_roots (DpsHttp *self, const DpsHttpOptions *options, GError **error)
{
  g_autofree char *trust =
      dps_http_roots_describe (options->system_ca_file, options->ca_pem);

  self->roots = dps_http_roots_load (options->system_ca_file, options->ca_pem, error);
  if (self->roots == NULL)
    return FALSE;
  if (options->sessions == NULL)
    return TRUE;
  self->sessions = dps_http_sessions_ref (options->sessions);
  self->share = dps_http_sessions_get (self->sessions, trust, g_get_monotonic_time ());
  return TRUE;
}

DpsHttp *
dps_http_new (const DpsHttpOptions *options, GError **error)
{
  static gsize once = 0;
  g_autoptr (DpsHttp) self = NULL;

  g_return_val_if_fail (options != NULL, NULL);

  if (g_once_init_enter (&once))
    g_once_init_leave (&once, curl_global_init (CURL_GLOBAL_DEFAULT) == CURLE_OK ? 1 : 2);

  self = g_new0 (DpsHttp, 1);
  self->check_address = options->check_address;
  self->check_data = options->check_data;
  if (!load_roots (self, options, error))
    return NULL;
  for (gsize i = 0; options->pins != NULL && options->pins[i] != NULL; i++)
    if (!add_pin (self, options->pins[i], error))
      return NULL;

  self->curl = once == 1 ? curl_easy_init () : NULL;
  if (self->curl == NULL || !set_limits (self) || !set_callbacks (self) ||
      !set_options (self, options))
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_FAILED, "libcurl cannot be set up");
      return NULL;
    }
  return g_steal_pointer (&self);
}

void
dps_http_free (DpsHttp *self)
{
  if (self == NULL)
    return;
  if (self->curl != NULL)
    curl_easy_cleanup (self->curl);
  g_clear_pointer (&self->share, dps_http_share_unref);
  g_clear_pointer (&self->sessions, dps_http_sessions_unref);
  curl_slist_free_all (self->connect_to);
  X509_STORE_free (self->roots);
  g_free (self);
}

/* ---- a request ---- */

static CURLcode
perform (DpsHttp *self, const DpsHttpRequest *request)
{
  g_autofree char *url = g_strdup_printf ("https://%s%s", request->host, request->path);
  struct curl_slist *headers = dps_http_headers_make (request);
  CURLcode result;

  SET (URL, url);
  SET (HTTPHEADER, headers);
  /* Not CURLOPT_UPLOAD: only a body given like this leaves together with the headers. */
  if (request->body != NULL)
    {
      SET (POST, 1L);
      SET (POSTFIELDS, request->body);
      SET (POSTFIELDSIZE, (long) strlen (request->body));
    }
  else
    {
      SET (POSTFIELDS, NULL);
      SET (HTTPGET, 1L);
    }
  SET (CUSTOMREQUEST, request->method);
  SET (MAXFILESIZE, request->ignore_body ? 0L : (long) DPS_HTTP_BODY_MAX);
  self->message[0] = '\0';
  result = curl_easy_perform (self->curl);
  SET (HTTPHEADER, NULL);
  SET (POSTFIELDS, NULL);
  dps_http_headers_wipe (headers);
  return result;
}

/* ---- what came of it ---- */

static char *
copy_header (DpsHttp *self, const char *name)
{
  struct curl_header *header;

  if (curl_easy_header (self->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
      !dps_name_check_text (header->value, HEADER_VALUE_MAX, name, NULL))
    return NULL;
  return g_strdup (header->value);
}

static gint64
get_time (DpsHttp *self, CURLINFO info)
{
  curl_off_t value = 0;

  curl_easy_getinfo (self->curl, info, &value);
  return value;
}

static void
collect (DpsHttp *self, DpsHttpResponse *response)
{
  const char *address = NULL;
  long number = 0;

  curl_easy_getinfo (self->curl, CURLINFO_RESPONSE_CODE, &number);
  response->status = (guint) number;
  number = 0;
  curl_easy_getinfo (self->curl, CURLINFO_PRIMARY_PORT, &number);
  response->port = (guint) number;
  number = 0;
  curl_easy_getinfo (self->curl, CURLINFO_NUM_CONNECTS, &number);
  response->connections = (guint) number;
  curl_easy_getinfo (self->curl, CURLINFO_SSL_VERIFYRESULT, &response->verify_result);
  curl_easy_getinfo (self->curl, CURLINFO_PRIMARY_IP, &address);
  if (address != NULL && address[0] != '\0')
    response->address = g_strdup (address);
  response->tls_ready = get_time (self, CURLINFO_APPCONNECT_TIME_T);
  response->total = get_time (self, CURLINFO_TOTAL_TIME_T);
  response->content_type = copy_header (self, "Content-Type");
  response->retry_after = copy_header (self, "Retry-After");
  response->date = copy_header (self, "Date");
  response->request_id = copy_header (self, "x-ms-request-id");
  response->error_code = copy_header (self, "x-ms-error-code");
  response->location = copy_header (self, "Location");
}

static DpsHttpFailure
connect_failure (DpsHttp *self)
{
  long os_errno = 0;

  if (self->vetoed > 0 && self->opened == 0)
    return DPS_HTTP_FAILURE_ADDRESS_REFUSED;
  curl_easy_getinfo (self->curl, CURLINFO_OS_ERRNO, &os_errno);
  switch (os_errno)
    {
    case ECONNREFUSED:
      return DPS_HTTP_FAILURE_CONNECT_REFUSED;
    case ETIMEDOUT:
      return DPS_HTTP_FAILURE_CONNECT_TIMEOUT;
    case ECONNRESET:
      return DPS_HTTP_FAILURE_CLOSED;
    default:
      return DPS_HTTP_FAILURE_CONNECT_UNREACHABLE;
    }
}

static DpsHttpFailure
timeout_failure (DpsHttp *self)
{
  if (self->response->connections > 0 || self->opened > 0)
    return get_time (self, CURLINFO_CONNECT_TIME_T) == 0
               ? DPS_HTTP_FAILURE_CONNECT_TIMEOUT
               : DPS_HTTP_FAILURE_TIMEOUT;
  return get_time (self, CURLINFO_PRETRANSFER_TIME_T) == 0 ? DPS_HTTP_FAILURE_RESOLVE
                                                           : DPS_HTTP_FAILURE_TIMEOUT;
}

static DpsHttpFailure
verify_failure (const DpsHttpResponse *response)
{
  switch (response->verify_result)
    {
    case X509_V_ERR_UNSPECIFIED: /* libcurl checks the name before it asks for this */
    case X509_V_OK:
      return DPS_HTTP_FAILURE_TLS_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return DPS_HTTP_FAILURE_TLS_TIME;
    default:
      return DPS_HTTP_FAILURE_TLS_UNTRUSTED;
    }
}

/* libcurl says "unspecified" wherever it did not come to asking. */
static void
tidy_verify_result (DpsHttpResponse *response)
{
  if (response->failure == DPS_HTTP_FAILURE_TLS_NAME)
    response->verify_result = X509_V_ERR_HOSTNAME_MISMATCH;
  else if (response->verify_result == X509_V_ERR_UNSPECIFIED)
    response->verify_result = X509_V_OK;
}

static DpsHttpFailure
classify (DpsHttp *self, CURLcode result)
{
  if (self->too_large)
    return DPS_HTTP_FAILURE_TOO_LARGE;
  switch (result)
    {
    case CURLE_OK:
      return self->header_complete ? DPS_HTTP_FAILURE_NONE : DPS_HTTP_FAILURE_CLOSED;
    case CURLE_COULDNT_RESOLVE_HOST:
      return DPS_HTTP_FAILURE_RESOLVE;
    case CURLE_COULDNT_CONNECT:
      return connect_failure (self);
    case CURLE_OPERATION_TIMEDOUT:
      return timeout_failure (self);
    case CURLE_PEER_FAILED_VERIFICATION:
      return verify_failure (self->response);
    case CURLE_SSL_CONNECT_ERROR:
      return self->tls_alert ? DPS_HTTP_FAILURE_TLS_OTHER : DPS_HTTP_FAILURE_CLOSED;
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CERTPROBLEM:
      return DPS_HTTP_FAILURE_TLS_OTHER;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
      return DPS_HTTP_FAILURE_CLOSED;
    case CURLE_FILESIZE_EXCEEDED:
      return DPS_HTTP_FAILURE_TOO_LARGE;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR:
      return DPS_HTTP_FAILURE_MALFORMED;
    case CURLE_ABORTED_BY_CALLBACK:
      return DPS_HTTP_FAILURE_CANCELLED;
    default:
      return DPS_HTTP_FAILURE_LOCAL;
    }
}

/* What has just failed may have failed by them. */
static void
forget_sessions (DpsHttp *self, DpsHttpFailure failure)
{
  if (self->sessions != NULL && failure != DPS_HTTP_FAILURE_NONE &&
      failure != DPS_HTTP_FAILURE_CANCELLED)
    dps_http_sessions_clear (self->sessions);
}

static void
begin (DpsHttp *self, const DpsHttpRequest *request, GCancellable *cancellable)
{
  self->request = request;
  self->cancellable = cancellable;
  self->response = g_new0 (DpsHttpResponse, 1);
  self->body = g_byte_array_new ();
  self->header_bytes = 0;
  self->header_complete = FALSE;
  self->tls_alert = FALSE;
  self->body_dropped = FALSE;
  self->too_large = FALSE;
  self->vetoed = 0;
  self->opened = 0;
  self->message[0] = '\0';
}

gboolean
dps_http_perform (DpsHttp *self,
                  const DpsHttpRequest *request,
                  GCancellable *cancellable,
                  DpsHttpResponse **response,
                  GError **error)
{
  CURLcode result;
  gboolean answered = FALSE;

  g_return_val_if_fail (self != NULL && request != NULL && response != NULL, FALSE);

  begin (self, request, cancellable);
  if (g_cancellable_is_cancelled (cancellable))
    {
      self->response->failure = DPS_HTTP_FAILURE_CANCELLED;
      dps_http_failure_set_error (self->response->failure,
                                  request->host,
                                  self->message,
                                  error);
    }
  else if (!dps_http_headers_check (request, error))
    self->response->failure = DPS_HTTP_FAILURE_LOCAL;
  else
    {
      result = perform (self, request);
      collect (self, self->response);
      /* We stopped reading what nobody asked for; the answer was there. */
      if (self->body_dropped)
        result = CURLE_OK;
      self->response->failure = classify (self, result);
      tidy_verify_result (self->response);
      answered = self->response->failure == DPS_HTTP_FAILURE_NONE;
      forget_sessions (self, self->response->failure);
      if (!answered)
        dps_http_failure_set_error (self->response->failure,
                                    request->host,
                                    self->message,
                                    error);
    }
  if (request->ignore_body)
    g_byte_array_set_size (self->body, 0);
  self->response->body = g_byte_array_free_to_bytes (g_steal_pointer (&self->body));
  *response = g_steal_pointer (&self->response);
  self->request = NULL;
  self->cancellable = NULL;
  return answered;
}

void
dps_http_response_free (DpsHttpResponse *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->body, g_bytes_unref);
  g_free (self->content_type);
  g_free (self->retry_after);
  g_free (self->date);
  g_free (self->request_id);
  g_free (self->error_code);
  g_free (self->location);
  g_free (self->address);
  g_free (self->tls_version);
  g_free (self->tls_cipher);
  g_free (self);
}
