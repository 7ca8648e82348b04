/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "dps/dps-http-failure.h"
#include "dps/dps-http-sessions.h"
#include "dps/dps-tls-identity.h"

#include <gio/gio.h>
#include <sys/socket.h>

/* The HTTP seam: one DpsHttp is one libcurl handle, so one kept connection, for one
 * attempt. Blocking; for one thread at a time, a worker and not the main loop. HTTPS on
 * port 443 with HTTP/1.1 and TLS 1.2 or later; names and chains are always checked (a
 * resumed session's chain when the session was made), SNI always sent. No redirects, no
 * environment (proxies, .netrc, TLS key log), no cookies, no decompression. */

#define DPS_HTTP_BODY_MAX (64u * 1024u)
#define DPS_HTTP_HEADERS_MAX (16u * 1024u)

typedef struct _DpsHttp DpsHttp;

/* Sees every real address before a socket to it exists; FALSE vetoes it, and the next one
 * of the name is tried. Called in the thread of dps_http_perform(). */
typedef gboolean (*DpsHttpAddressCheck) (const struct sockaddr *address,
                                         socklen_t length,
                                         gpointer data);

/* Only read during dps_http_new(); NULL or 0 = none, or the default. */
typedef struct
{
  const char *user_agent;
  const char *system_ca_file; /* DPS_SYSTEM_CA_FILE */
  GBytes *ca_pem;             /* PEM, private roots beside the system's */
  const char *const *pins;    /* HOST=ADDRESS[:PORT], IPv6 with port in brackets */
  DpsHttpSessions
      *sessions;            /* to resume from and to add to; referenced. NULL = its own */
  DpsTlsIdentity *identity; /* shown to a server that asks, at the handshake or after a
                               request; referenced. NULL = no client certificate */
  DpsHttpAddressCheck check_address;
  gpointer check_data;
  guint connect_timeout_ms; /* 15 s */
  guint request_timeout_ms; /* 30 s */
} DpsHttpOptions;

/* Also loads the roots: the system's, where there are any, and ca_pem. NULL with
 * DPS_ERROR_INVALID_ARGUMENT for a pin that is none, DPS_ERROR_NOT_CONFIGURED for roots
 * that cannot be loaded, or DPS_ERROR_FAILED. */
DpsHttp *dps_http_new (const DpsHttpOptions *options, GError **error);
void dps_http_free (DpsHttp *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsHttp, dps_http_free)

typedef struct
{
  const char *method;             /* "GET", "PUT", "POST" */
  const char *host;               /* a DNS name; port 443 */
  const char *path;               /* from '/', percent-encoded, with query */
  const char *body;               /* JSON text, or NULL for none */
  const DpsSecret *authorization; /* the header's value, or NULL for none */
  gboolean ignore_body; /* read at most DPS_HTTP_BODY_MAX of the answer and drop it; more
                           is not an error */
} DpsHttpRequest;

/* An answer, or as much as is known where there is none. Texts are NULL where absent or
 * unreadable, and UTF-8 without control characters. */
typedef struct
{
  DpsHttpFailure failure;
  guint status;       /* also set where the body failed; 0 = no status line */
  GBytes *body;       /* never NULL */
  char *content_type; /* what is not printable in it is '?' */
  char *retry_after;
  char *date;
  char *request_id; /* x-ms-request-id */
  char *error_code; /* x-ms-error-code */
  char *location;

  char *address;       /* of the peer */
  guint port;          /* of the peer */
  guint connections;   /* made anew for this request: 0 = the kept one was used */
  char *tls_version;   /* "TLSv1.3" */
  char *tls_cipher;    /* OpenSSL's name */
  gboolean tls_reused; /* a resumed session */
  long verify_result; /* X509_V_…; OK unless the failure is TLS_NAME, _UNTRUSTED, _TIME */
  gint64 tls_ready;   /* µs from start until the TLS handshake was done, 0 = kept */
  gint64 total;       /* µs */
} DpsHttpResponse;

void dps_http_response_free (DpsHttpResponse *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsHttpResponse, dps_http_response_free)

/* Sends and waits for the whole answer, whatever its status. *response (the caller's) is
 * always set, on failure with the cause and what was learnt of the connection. FALSE with
 * an error: G_IO_ERROR for the network (TIMED_OUT, CONNECTION_REFUSED, HOST_UNREACHABLE,
 * HOST_NOT_FOUND, CONNECTION_CLOSED, CANCELLED), DPS_ERROR_LIMITS_EXCEEDED for an answer
 * that is too large, DPS_ERROR_REJECTED for TLS and malformed answers,
 * DPS_ERROR_INVALID_ARGUMENT for the request; where the identity did not sign
 * (DPS_HTTP_FAILURE_CLIENT_KEY), the very error of its sign. Cancelling takes effect
 * within a second. */
gboolean dps_http_perform (DpsHttp *self,
                           const DpsHttpRequest *request,
                           GCancellable *cancellable,
                           DpsHttpResponse **response,
                           GError **error);
