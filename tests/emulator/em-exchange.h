/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request and its answer on one connection, between libmicrohttpd and the routes. */
#pragma once

#include "em-log.h"
#include "em-reply.h"
#include "em-request.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>

/* A TCP connection, numbered from 1; it lives as long as libmicrohttpd's own. */
typedef struct
{
  guint64 id;
  const char *tls; /* the version, NULL until the handshake is done */
  gboolean resumed;
  char *server_name;
  GPtrArray *chain; /* as EmRequest has it */
  guint requests;
} EmConnection;

typedef struct
{
  EmRequest request;
  EmConnection *connection;
  EmReply *reply;
  gint64 arrived;
  gboolean headers_seen;
  gboolean delayed;
} EmExchange;

EmExchange *em_exchange_new (const char *target, EmConnection *connection);
void em_exchange_free (EmExchange *self);

/* Borrows the headers of the request; they stay until it is answered. */
void em_exchange_read_headers (EmExchange *self,
                               struct MHD_Connection *mhd,
                               const char *method);
void em_exchange_read_body (EmExchange *self, const char *data, gsize len);
enum MHD_Result em_exchange_send (EmExchange *self,
                                  struct MHD_Connection *mhd,
                                  EmFraming default_framing);
void em_exchange_log (EmExchange *self, struct MHD_Connection *mhd, EmLog *log);

/* To be called before the handshake. A NULL key gives no tickets. */
EmConnection *em_connection_new (guint64 id,
                                 struct MHD_Connection *mhd,
                                 const gnutls_datum_t *ticket_key);
void em_connection_free (EmConnection *self);
void em_connection_log_close (EmConnection *self, struct MHD_Connection *mhd, EmLog *log);
