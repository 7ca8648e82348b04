/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http.h"
#include "dps/dps-http-private.h"
#include "dps/dps-http-pin.h"
#include "dps/dps-http-request.h"
#include "dps/dps-http-roots.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#define CONNECT_TIMEOUT_MS 15000
#define REQUEST_TIMEOUT_MS 30000
#define POLL_MS 1000
#define HEADER_VALUE_MAX 512

G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_STORE, X509_STORE_free)

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
         SET (CONNECT_TO, self->connect_to) == CURLE_OK;
}

static gboolean
fail_setting_up (GError **error)
{
  g_set_error (error, DPS_ERROR, DPS_ERROR_FAILED, "libcurl cannot be set up");
  return FALSE;
}

/* Described before they are loaded: roots that change in between are then not taken for
 * those that the sessions were gained under. */
static gboolean
load_roots (DpsHttp *self, const DpsHttpOptions *options, GError **error)
{
  g_autofree char *trust =
      dps_http_roots_describe (options->system_ca_file, options->ca_pem);
  const char *fingerprint = NULL;

  if (self->identity != NULL)
    fingerprint = dps_certificate_chain_get_fingerprint (
        dps_tls_identity_get_chain (self->identity));
  self->roots = dps_http_roots_load (options->system_ca_file, options->ca_pem, error);
  if (self->roots == NULL)
    return FALSE;
  self->sessions = options->sessions ? dps_http_sessions_ref (options->sessions)
                                     : dps_http_sessions_new ();
  self->share =
      dps_http_sessions_get (self->sessions, trust, fingerprint, g_get_monotonic_time ());
  if (self->share == NULL)
    return fail_setting_up (error);
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
  self->sockets = g_array_new (FALSE, FALSE, sizeof (int));
  self->check_address = options->check_address;
  self->check_data = options->check_data;
  if (options->identity != NULL)
    self->identity = dps_tls_identity_ref (options->identity);
  if (!load_roots (self, options, error))
    return NULL;
  for (gsize i = 0; options->pins != NULL && options->pins[i] != NULL; i++)
    if (!add_pin (self, options->pins[i], error))
      return NULL;

  self->multi = once == 1 ? curl_multi_init () : NULL;
  self->curl = once == 1 ? curl_easy_init () : NULL;
  if (self->multi == NULL || self->curl == NULL || !set_limits (self) ||
      !dps_http_set_callbacks (self) || !set_options (self, options))
    return fail_setting_up (error), NULL;
  self->model = g_steal_pointer (&self->curl);
  return g_steal_pointer (&self);
}

void
dps_http_free (DpsHttp *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->curl, curl_easy_cleanup);
  g_clear_pointer (&self->model, curl_easy_cleanup);
  g_clear_pointer (&self->multi, curl_multi_cleanup);
  g_clear_pointer (&self->share, dps_http_share_unref);
  g_clear_pointer (&self->sessions, dps_http_sessions_unref);
  curl_slist_free_all (self->connect_to);
  X509_STORE_free (self->roots);
  dps_tls_identity_unref (self->identity);
  g_clear_error (&self->key_error);
  g_array_unref (self->sockets);
  g_free (self);
}

/* ---- a request ---- */

/* A handle of its own for each request: where an answer begins with a folded line libcurl
 * before 8.1 writes to the last header of the answer before, which it has freed. */
static gboolean
renew_handle (DpsHttp *self)
{
  g_clear_pointer (&self->curl, curl_easy_cleanup);
  self->curl = curl_easy_duphandle (self->model);
  return self->curl != NULL &&
         SET (SHARE, dps_http_share_get_handle (self->share)) == CURLE_OK;
}

static void
on_cancelled (GCancellable *cancellable, gpointer multi)
{
  curl_multi_wakeup (multi);
}

static CURLcode
take_result (DpsHttp *self)
{
  CURLcode result = CURLE_FAILED_INIT;
  const CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read (self->multi, &left)) != NULL)
    if (message->msg == CURLMSG_DONE)
      result = message->data.result;
  return result;
}

/* As curl_easy_perform(), with the connection of the requests before. */
static CURLcode
run_handle (DpsHttp *self)
{
  CURLcode result;
  int running = 1;

  if (curl_multi_add_handle (self->multi, self->curl) != CURLM_OK)
    return CURLE_FAILED_INIT;
  while (curl_multi_perform (self->multi, &running) == CURLM_OK && running > 0 &&
         curl_multi_poll (self->multi, NULL, 0, POLL_MS, NULL) == CURLM_OK)
    ;
  result = take_result (self);
  curl_multi_remove_handle (self->multi, self->curl);
  return result;
}

static CURLcode
perform (DpsHttp *self, const DpsHttpRequest *request)
{
  g_autofree char *url = g_strdup_printf ("https://%s%s", request->host, request->path);
  struct curl_slist *headers;
  CURLcode result;
  gulong handler;

  if (!renew_handle (self))
    return CURLE_FAILED_INIT;
  headers = dps_http_request_headers (request);
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
    SET (HTTPGET, 1L);
  SET (CUSTOMREQUEST, request->method);
  SET (MAXFILESIZE, request->ignore_body ? 0L : (long) DPS_HTTP_BODY_MAX);
  self->message[0] = '\0';
  handler = self->cancellable == NULL ? 0
                                      : g_cancellable_connect (self->cancellable,
                                                               G_CALLBACK (on_cancelled),
                                                               self->multi,
                                                               NULL);
  result = run_handle (self);
  if (self->stale)
    {
      SET (FRESH_CONNECT, 1L);
      result = run_handle (self);
    }
  g_cancellable_disconnect (self->cancellable, handler);
  SET (HTTPHEADER, NULL);
  SET (POSTFIELDS, NULL);
  dps_http_request_free_headers (headers);
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

/* A type that cannot be read is not the same as none: what is no text in it becomes '?'.
 */
static char *
copy_content_type (DpsHttp *self)
{
  struct curl_header *header;
  char *type;

  if (curl_easy_header (self->curl, "Content-Type", 0, CURLH_HEADER, -1, &header) !=
      CURLHE_OK)
    return NULL;
  type = g_strndup (header->value, HEADER_VALUE_MAX);
  for (char *p = type; *p != '\0'; p++)
    if (!g_ascii_isprint (*p))
      *p = '?';
  return type;
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
  response->content_type = copy_content_type (self);
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
  /* libcurl checks the name before it asks for this */
  if (response->verify_result == X509_V_ERR_UNSPECIFIED ||
      response->verify_result == X509_V_OK)
    return DPS_HTTP_FAILURE_TLS_NAME;
  return dps_http_failure_of_verify (response->verify_result);
}

/* Before a version was agreed on there are only alerts, or nothing. */
static DpsHttpFailure
handshake_failure (DpsHttp *self)
{
  if (self->tls_alert == SSL_AD_PROTOCOL_VERSION)
    return DPS_HTTP_FAILURE_TLS_VERSION;
  if (self->tls_alert != NO_ALERT)
    return DPS_HTTP_FAILURE_TLS_OTHER;
  return self->tls_begun ? DPS_HTTP_FAILURE_TLS_CUT : DPS_HTTP_FAILURE_CLOSED;
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
  if (self->malformed)
    return DPS_HTTP_FAILURE_MALFORMED;
  switch (result)
    {
    case CURLE_OK:
      /* libcurl takes the end of the connection for the end of the head. */
      return self->head.complete ? DPS_HTTP_FAILURE_NONE : DPS_HTTP_FAILURE_CLOSED;
    case CURLE_COULDNT_RESOLVE_HOST:
      return DPS_HTTP_FAILURE_RESOLVE;
    case CURLE_COULDNT_CONNECT:
      return connect_failure (self);
    case CURLE_OPERATION_TIMEDOUT:
      return timeout_failure (self);
    case CURLE_PEER_FAILED_VERIFICATION:
      return verify_failure (self->response);
    case CURLE_SSL_CONNECT_ERROR:
      return handshake_failure (self);
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
    case CURLE_OUT_OF_MEMORY: /* a line beyond libcurl's own limit; GLib aborts for real
                               */
      return DPS_HTTP_FAILURE_TOO_LARGE;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR:
      return DPS_HTTP_FAILURE_MALFORMED;
    case CURLE_ABORTED_BY_CALLBACK:
      return DPS_HTTP_FAILURE_CANCELLED;
    default: /* of reading what had begun to come is no fault of ours */
      return self->head.begun ? DPS_HTTP_FAILURE_MALFORMED : DPS_HTTP_FAILURE_LOCAL;
    }
}

/* What has just failed may have failed by them. */
static void
forget_sessions (DpsHttp *self, DpsHttpFailure failure)
{
  if (failure != DPS_HTTP_FAILURE_NONE && failure != DPS_HTTP_FAILURE_CANCELLED)
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
  self->head = (DpsHttpHead){ 0 };
  self->malformed = FALSE;
  self->stale = FALSE;
  self->tls_alert = NO_ALERT;
  self->tls_begun = FALSE;
  dps_http_identity_begin (self);
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
      dps_http_identity_set_error (self, error);
    }
  else if (!dps_http_request_check (request, error))
    self->response->failure = DPS_HTTP_FAILURE_LOCAL;
  else
    {
      result = perform (self, request);
      collect (self, self->response);
      /* We stopped reading what nobody asked for; the answer was there. */
      if (self->body_dropped)
        result = CURLE_OK;
      self->response->failure =
          dps_http_identity_classify (self, classify (self, result));
      tidy_verify_result (self->response);
      answered = self->response->failure == DPS_HTTP_FAILURE_NONE;
      forget_sessions (self, self->response->failure);
      if (!answered)
        dps_http_identity_set_error (self, error);
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
