/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request as the routes see it. Strings are borrowed from the connection unless it says
 * otherwise. */
#pragma once

#include <glib.h>

/* The largest body kept; of a larger one only the length is known. */
#define EM_BODY_MAX (64 * 1024)

typedef struct
{
  char *target; /* as sent, with the query; owned */
  const char *method;
  const char *host;
  const char *authorization;
  const char *content_type;
  GString *body;  /* owned */
  gsize body_len; /* as sent, also beyond the limit */
  /* The X509 that the client showed in TLS, leaf first; empty if they cannot be read,
   * NULL if there were none. */
  GPtrArray *chain;
} EmRequest;

/* The decoded segments of the path, or NULL if it cannot be decoded. */
GStrv em_request_segments (const EmRequest *self);
/* The decoded value of a query member, or NULL. */
char *em_request_query (const EmRequest *self, const char *name);
/* The host in lower case, without its port. */
char *em_request_host_name (const EmRequest *self);
