/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

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

typedef struct
{
  const char *name;         /* in the certificate; TLS_SERVER_HOST */
  gint64 not_before;        /* s from now; -1 h */
  gint64 not_after;         /* s from now; +1 h */
  int max_version;          /* TLS1_1_VERSION …; 0 = any */
  gboolean stall_handshake; /* accept and say nothing */
  gboolean drop_handshake;  /* accept and close */
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
/* Waits until n connections or requests have stalled. */
void tls_server_wait_stalled (TlsServer *self, guint n);
/* Waits until the connection there is, if any, has ended. */
void tls_server_wait_closed (TlsServer *self);
/* Waits until n answers have been sent whole, or as far as it went. */
void tls_server_wait_sent (TlsServer *self, guint n);
