/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "common/dps-secret.h"
#include "core/dps-plugin-child.h"
#include "core/dps-plugin-runner.h"
#include "dbus/dps-attestor1.h"

/* The life of one call of a plugin: spawning, handshake, loading, deadlines, and an end
 * at which the process is reaped and the socket closed. What is sent in between is
 * dps-plugin-runner.c; this header is for that file alone. */

typedef enum
{
  DPS_PLUGIN_PHASE_START,
  DPS_PLUGIN_PHASE_LOAD,
  DPS_PLUGIN_PHASE_CONFIGURE,
  DPS_PLUGIN_PHASE_PROBE,
  DPS_PLUGIN_PHASE_DESCRIBE,
  DPS_PLUGIN_PHASE_ANSWER,
  DPS_PLUGIN_PHASE_SIGN,
  DPS_PLUGIN_PHASE_FORGET,
  DPS_PLUGIN_N_PHASES
} DpsPluginPhase;

/* One call of a verb: a child, a connection to it, and the way there. Owned by its task,
 * which in turn is owned by whatever it waits for: always exactly one asynchronous step,
 * and at the end the closing and the reaping. */
typedef struct
{
  /* The runner's, which the task keeps. */
  const char *host_path;
  const char *plugin_dir;
  const char *name;
  DpsPluginAllowed allowed;
  guint start_override; /* ms; 0 = the table's */
  guint verb_override;  /* the same */

  DpsPluginPhase verb;
  GVariant *settings;  /* a{ss} */
  GHashTable *secrets; /* char * → DpsSecret * */
  DpsSecret *input;    /* the challenge or the blob; may be NULL */
  char *slot;
  char *mechanism;
  GBytes *data;
  void (*loaded) (GTask *task); /* the step after Load */

  DpsPluginPhase phase;
  DpsPluginChild *child;
  GDBusConnection *connection;
  DpsAttestor1 *proxy;
  GCancellable *cancellable; /* of the step under way */
  gulong user_cancelled;
  guint timer;
  guint deadline;    /* ms, the one that the timer runs for */
  gint64 spawned;    /* 0 = there was no process */
  gint64 start_time; /* µs from there to the reply of Load */

  DpsPluginConfinement confinement;
  gboolean timed_out;
  gboolean garbled;
  gboolean ending;
  gboolean closed;
  gboolean reaped;
  int wait_status;
  GError *error;
  gpointer result;
  GDestroyNotify free_result;
} DpsPluginCall;

void dps_plugin_call_free (gpointer data);

/* Spawns and loads, then call->loaded. Takes the task, whose data is a DpsPluginCall. */
void dps_plugin_call_start (GTask *task);

/* Names the phase in messages from here on and starts its deadline. */
void dps_plugin_call_enter (GTask *task, DpsPluginPhase phase);

/* Ends the call; takes error, NULL = call->result is there. Only from the callback of the
 * one step under way, so that nothing else can come for this call but the two ends that
 * are waited for. */
void dps_plugin_call_end (GTask *task, GError *error);
