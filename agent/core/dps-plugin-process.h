/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "core/dps-plugin-child.h"
#include "core/dps-plugin-runner.h"
#include "dbus/dps-attestor1.h"

/* DpsPluginProcess: a plugin's process and the connection to it, from the spawning to an
 * end at which the process is reaped and the connection closed. It may serve some calls,
 * one after another. For dps-plugin-call.c and dps-plugin-queue.c alone. */

/* What a process was made for and configured with; it serves no other. */
typedef struct
{
  GVariant *settings;  /* a{ss}, sorted */
  GHashTable *secrets; /* char * → DpsSecret * */
  DpsPluginAllowed allowed;
  guint tpm; /* which TPM, as the runner counts; 0 = none */
} DpsPluginTerms;

typedef struct
{
  DpsPluginTerms terms;
  GDBusConnection *connection;
  DpsAttestor1 *proxy;
  DpsPluginConfinement confinement;
  gint64 spawned;    /* monotonic */
  gint64 start_time; /* µs from there to the reply of Load */
  gboolean garbled;  /* it sent what is no D-Bus */
  int wait_status;   /* once it has ended */

  /* Private. */
  DpsPluginChild *child;
  gboolean ending;
  gboolean closed;
  gboolean reaped;
  void (*lost) (gpointer data);
  void (*gone) (gpointer data);
  gpointer data;
} DpsPluginProcess;

/* Spawns; terms are copied, by reference. NULL with error where it can not be started. */
DpsPluginProcess *dps_plugin_process_spawn (const char *host_path,
                                            const char *plugin_dir,
                                            const char *name,
                                            const DpsPluginTerms *terms,
                                            GError **error);

/* The agent's end of the socket, once; the caller's. */
GIOStream *dps_plugin_process_steal_stream (DpsPluginProcess *self);

/* Takes the connection, once it is there. */
void dps_plugin_process_connect (DpsPluginProcess *self, GDBusConnection *connection);

/* Whether a verb can be sent, so far as the kernel knows: it has not left, and the
 * connection is open. */
gboolean dps_plugin_process_is_usable (DpsPluginProcess *self);

gboolean dps_plugin_process_serves (DpsPluginProcess *self, const DpsPluginTerms *terms);

/* lost is called, once, where the process leaves or its connection breaks by itself; it
 * ends the process. NULL = nobody is told. */
void dps_plugin_process_watch (DpsPluginProcess *self,
                               void (*lost) (gpointer data),
                               gpointer data);

/* Kills and no more: whatever waits for an answer fails. */
void dps_plugin_process_kill (DpsPluginProcess *self);

/* Kills. gone is called when all has ended, at once where it has; self is freed after
 * that. NULL = nobody waits. May be called again, for another gone. */
void dps_plugin_process_end (DpsPluginProcess *self,
                             void (*gone) (gpointer data),
                             gpointer data);

/* Those that have not ended. */
guint dps_plugin_process_count (void);
