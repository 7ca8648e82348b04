/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Why there is no answer. */
typedef enum
{
  DPS_HTTP_FAILURE_NONE,
  DPS_HTTP_FAILURE_RESOLVE,
  DPS_HTTP_FAILURE_ADDRESS_REFUSED, /* the address check vetoed every address */
  DPS_HTTP_FAILURE_CONNECT_REFUSED,
  DPS_HTTP_FAILURE_CONNECT_UNREACHABLE,
  DPS_HTTP_FAILURE_CONNECT_TIMEOUT,
  DPS_HTTP_FAILURE_TLS_NAME,
  DPS_HTTP_FAILURE_TLS_UNTRUSTED,
  DPS_HTTP_FAILURE_TLS_TIME, /* expired or not yet valid, by this host's clock */
  DPS_HTTP_FAILURE_TLS_SELF_SIGNED,
  DPS_HTTP_FAILURE_TLS_ISSUER, /* not known here: another authority, or a gap */
  DPS_HTTP_FAILURE_TLS_WEAK_KEY,
  DPS_HTTP_FAILURE_TLS_WEAK_SIGNATURE,
  DPS_HTTP_FAILURE_TLS_USAGE,   /* no certificate of a server */
  DPS_HTTP_FAILURE_TLS_VERSION, /* none in common */
  DPS_HTTP_FAILURE_TLS_CUT,     /* the peer left in the middle of the handshake */
  DPS_HTTP_FAILURE_TLS_OTHER,
  DPS_HTTP_FAILURE_CLIENT_KEY,     /* whoever holds the identity's key did not sign */
  DPS_HTTP_FAILURE_CLIENT_REFUSED, /* the identity is refused by a TLS alert, or the lack
                                      of one */
  DPS_HTTP_FAILURE_CLOSED,         /* the connection broke off, also inside an answer */
  DPS_HTTP_FAILURE_TIMEOUT,
  DPS_HTTP_FAILURE_TOO_LARGE,
  DPS_HTTP_FAILURE_MALFORMED,
  DPS_HTTP_FAILURE_CANCELLED,
  DPS_HTTP_FAILURE_LOCAL, /* nothing was sent: a bad request, no memory */
  DPS_HTTP_N_FAILURES
} DpsHttpFailure;

/* "tls-untrusted" and so on; static. */
const char *dps_http_failure_to_string (DpsHttpFailure failure);

/* What an X509_V_… other than OK means. Pure. */
DpsHttpFailure dps_http_failure_of_verify (long verify_result);

/* Sets error to what callers match for failure (see dps_http_perform()): "HOST: cause
 * (detail)". detail may be any bytes, also none at all. */
void dps_http_failure_set_error (DpsHttpFailure failure,
                                 const char *host,
                                 const char *detail,
                                 GError **error);
