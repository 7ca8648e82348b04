/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "common/dps-io.h"
#include "common/dps-secret.h"
#include "core/dps-plugin-process.h"
#include "core/dps-plugin-queue.h"
#include "core/dps-plugin-runner.h"

/* The life of one call of a plugin: spawning, handshake, loading, deadlines, and an end
 * at which the process is reaped and the socket closed, or kept for the next call. What
 * is sent in between is dps-plugin-runner.c, when it begins dps-plugin-queue.c; this
 * header is for those two alone. */

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

/* One call of a verb. Owned by its task, which in turn is owned by whatever it waits for:
 * its turn, then always exactly one asynchronous step, and at the end that of the
 * process. */
typedef struct
{
  /* The runner's, which the task keeps. */
  const char *host_path;
  const char *plugin_dir;
  const char *name;
  DpsPluginQueue *queue;
  DpsPluginTpmOpen open_tpm; /* NULL = none */
  gpointer open_tpm_data;
  guint start_override; /* ms; 0 = the table's */
  guint verb_override;  /* the same */

  DpsPluginPhase verb;
  DpsPluginTerms terms;
  DpsSecret *input; /* the challenge or the blob; may be NULL */
  char *slot;
  char *mechanism;
  GBytes *data;
  void (*loaded) (GTask *task);     /* the step after Load */
  void (*configured) (GTask *task); /* the step after Configure */

  DpsPluginPhase phase;
  GSource *waiting;          /* for its turn, or for being cancelled before it */
  DpsPluginProcess *process; /* NULL = there was none, or not yet */
  int tpm;                   /* until it is sent; -1 = none */
  GCancellable *cancellable; /* of the step under way */
  gulong user_cancelled;
  guint timer;
  guint deadline; /* ms, the one that the timer runs for */
  gboolean tpm_failed;
  gboolean timed_out;
  gboolean keep;              /* the process, where the call succeeds */
  void (*done) (GTask *task); /* has ended; takes the process that is kept */
  GError *error;
  gpointer result;
  GDestroyNotify free_result;
} DpsPluginCall;

void dps_plugin_call_free (gpointer data);

/* Spawns and loads, then call->loaded; or call->configured at once, where there is a
 * process already. Takes the task, whose data is a DpsPluginCall. */
void dps_plugin_call_start (GTask *task);

/* Names the phase in messages from here on and starts its deadline. */
void dps_plugin_call_enter (GTask *task, DpsPluginPhase phase);

/* Ends the call; takes error, NULL = call->result is there. Only from the callback of the
 * one step under way, so that nothing else can come for this call but the two ends that
 * are waited for. */
void dps_plugin_call_end (GTask *task, GError *error);
