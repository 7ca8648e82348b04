/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The TLS listener. Its own thread serves the connections; everything here is called from
 * the main one. */
#pragma once

#include "em-dps.h"
#include "em-log.h"

typedef struct
{
  EmDpsOptions dps;
  char *address;
  int port;
  GStrv endpoint_hosts;
  GStrv hub_hosts;
  char *state_dir;
  char *enrolments_path;
  char *scenario_path;
  const char *priorities; /* GnuTLS priority string */
  gboolean no_tickets;
  gboolean chunked;
} EmServerOptions;

typedef struct _EmServer EmServer;

/* OPTIONS, LOG and REVEAL, which gets the keys made for TPMs, are borrowed for the life
 * of the server. */
EmServer *em_server_new (const EmServerOptions *options, EmLog *log, EmLog *reveal);
void em_server_free (EmServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmServer, em_server_free)

/* Reads the enrolments and the scenario; after an error the former ones stay in force. */
gboolean em_server_load (EmServer *self, GError **error);
gboolean em_server_start (EmServer *self, GError **error);
guint em_server_get_port (EmServer *self);
