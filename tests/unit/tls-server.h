/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <openssl/x509.h>

/* A TLS server on 127.0.0.1 in a thread of its own, for tests: one connection at a time,
 * whatever bytes the handler wants as an answer. Its certificate is made when it starts,
 * below a root of its own. */
typedef struct _TlsServer TlsServer;

#define TLS_SERVER_HOST "dps.example.net"

typedef enum
{
  TLS_SERVER_KEEP,  /* wait for the next request */
  TLS_SERVER_CLOSE, /* close the connection */
  TLS_SERVER_CUT,   /* the same without TLS's close_notify */
  TLS_SERVER_STALL, /* do nothing until the server is freed or the peer leaves */
} TlsServerNext;

typedef struct
{
  GString *bytes; /* to be sent as they are */
  gsize piece;    /* in TLS records of this size, 0 = as large as possible */
  TlsServerNext next;
} TlsServerAnswer;

/* In the server's thread. request is the whole text of it, body included. */
typedef void (*TlsServerHandler) (const char *request,
                                  TlsServerAnswer *answer,
                                  gpointer data);

/* When the peer is asked for a certificate. */
typedef enum
{
  TLS_SERVER_ASK_NEVER,
  TLS_SERVER_ASK_HANDSHAKE,
  TLS_SERVER_ASK_REQUEST, /* after its first request: TLS 1.3 authenticates, 1.2
                             renegotiates */
} TlsServerAsk;

typedef struct
{
  const char *name;         /* in the certificate; TLS_SERVER_HOST */
  gint64 not_before;        /* s from now; -1 h */
  gint64 not_after;         /* s from now; +1 h */
  int max_version;          /* TLS1_1_VERSION …; 0 = any */
  gboolean stall_handshake; /* accept and say nothing */
  gboolean drop_handshake;  /* accept and close */

  TlsServerAsk ask;
  gboolean no_tickets; /* TLS 1.3: what is sent once the handshake is over */
  gboolean ask_only;   /* none is as good */
  X509 *client_root;   /* which its certificate must lead to; borrowed */
  int refuse_with;     /* X509_V_ERR_…, whatever the certificate; 0 = by its chain */
  int refuse_hello;    /* SSL_AD_…, the alert that answers a ClientHello; 0 = none */
  const char *client_algorithms; /* asked for, as SSL_CTX_set1_client_sigalgs_list() */
} TlsServerOptions;

/* options may be NULL. */
TlsServer *tls_server_new (const TlsServerOptions *options,
                           TlsServerHandler handler,
                           gpointer data);
void tls_server_free (TlsServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TlsServer, tls_server_free)

/* PEM file of the root, there until the server is freed. */
const char *tls_server_ca_file (TlsServer *self);
/* The same in memory, the server's. */
GBytes *tls_server_ca_pem (TlsServer *self);
/* TLS_SERVER_HOST=127.0.0.1:PORT */
const char *tls_server_pin (TlsServer *self);
guint tls_server_port (TlsServer *self);

guint tls_server_accepted (TlsServer *self);
guint tls_server_requests (TlsServer *self);
/* Requests that came as one TLS record. */
guint tls_server_whole_requests (TlsServer *self);

/* What is known of the peers so far. */
typedef struct
{
  guint handshakes; /* whole ones, with a certificate of the server */
  guint resumed;
  guint certificates; /* that the last peer asked has sent; 0 = none */
  char names[256];    /* the common names in these, leaf first, one space between */
  char algorithm[64]; /* that its last CertificateVerify was signed with: "rsassaPss" */
  guint turns;        /* from the first byte of the last connection until its first
                         request: how often the server waited for the peer */
} TlsServerPeers;

TlsServerPeers tls_server_peers (TlsServer *self);

/* Waits until n connections or requests have stalled. */
void tls_server_wait_stalled (TlsServer *self, guint n);
/* Waits until the connection there is, if any, has ended. */
void tls_server_wait_closed (TlsServer *self);
/* Waits until n answers have been sent whole, or as far as it went. */
void tls_server_wait_sent (TlsServer *self, guint n);
