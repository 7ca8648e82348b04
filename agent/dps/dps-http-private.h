/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-http.h"
#include "dps/dps-http-head.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

/* For dps-http*.c alone. */

struct _DpsHttp
{
  CURLM *multi; /* keeps the connection */
  CURL *model;  /* what is the same for each request */
  CURL *curl;   /* of the request under way, or of the last */
  X509_STORE *roots;
  DpsHttpSessions *sessions;
  DpsHttpShare *share;
  DpsTlsIdentity *identity;
  struct curl_slist *connect_to;
  DpsHttpAddressCheck check_address;
  gpointer check_data;
  char message[CURL_ERROR_SIZE];
  GArray *sockets; /* int; libcurl's open ones */

  /* Of the request under way. */
  const DpsHttpRequest *request;
  GCancellable *cancellable;
  DpsHttpResponse *response;
  GByteArray *body;
  gsize header_bytes;
  DpsHttpHead head;
  gboolean malformed;
  gboolean stale;      /* the kept connection has something to say before it was asked */
  int tls_alert;       /* the last, of either side; NO_ALERT = none */
  gboolean tls_begun;  /* the server said something in the handshake */
  const char *refusal; /* the name of the alert that refuses the identity */
  GError *key_error;   /* why the identity did not sign */
  gboolean body_dropped;
  gboolean too_large;
  guint vetoed;
  guint opened;
};

#define NO_ALERT (-1)
#define SET(option, value) curl_easy_setopt (self->curl, CURLOPT_##option, value)

/* Everything that libcurl calls while a request is under way. FALSE: not to be had. */
gboolean dps_http_set_callbacks (DpsHttp *self);

/* dps-http-identity.c: the client certificate. */

/* Before a request. */
void dps_http_identity_begin (DpsHttp *self);
/* Lets a connection show the identity, where there is one; FALSE with key_error. */
gboolean dps_http_identity_apply (DpsHttp *self, SSL_CTX *context);
/* An alert that has come, its description (RFC 8446 §6.2). */
void dps_http_identity_note_alert (DpsHttp *self, int description);
/* What failure really is, after a request. */
DpsHttpFailure dps_http_identity_classify (DpsHttp *self, DpsHttpFailure failure);
/* Sets error to what the failure of the response is. */
void dps_http_identity_set_error (DpsHttp *self, GError **error);
