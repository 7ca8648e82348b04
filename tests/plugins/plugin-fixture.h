/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-runner.h"

/* What the tests of the plugin runner share: a private world with a directory of plugins,
 * one call of one plugin, and what each call has to leave behind: no process, no
 * descriptor, a main loop that went on. */

/* What a main loop that never waits does at the least while a verb hangs. */
#define MIN_TICKS 3

typedef struct
{
  char *root;
  char *plugins;
  char *host;
  char *state_file; /* of a store; root's, as production's */
  char *other_key;  /* of another plugin */
} World;

extern World world;

/* Below /run, as only root may write above a plugin, or below $DPS_TEST_RUN. With no
 * plugins in it. */
void world_make (void);
void world_unmake (void);

/* Copies a built file, relative to the build's tests directory, to NAME.so. */
void install (const char *built, const char *name);

/* NAME.so in the world; the caller's. */
char *plugin_path (const char *name);

typedef struct
{
  GMainLoop *loop;
  GAsyncResult *result;
  guint ticks;
} Wait;

void wait_start (Wait *wait);

/* Runs the main loop until on_result() was called; then no child is left. */
void wait_end (Wait *wait);
/* The same, where one may be. */
void wait_result (Wait *wait);
void on_result (GObject *source, GAsyncResult *result, gpointer data);

guint count_fds (void);
void assert_fds (guint before);

/* Lets the main loop go on until the processes of all runners have ended. */
void wait_processes (void);
/* The same, and the test has no other child. */
void wait_gone (void);
void assert_no_child (void);

typedef struct
{
  const char *plugin;
  const char *behave;   /* the setting; NULL = none */
  const char *key;      /* the secret; NULL = none */
  guint start_deadline; /* ms; 0 = the real one */
  guint verb_deadline;  /* the same */
  const char *argument; /* the setting; NULL = none */
  const char *host;     /* NULL = the world's */
  gboolean allow_unix;
  guint ticks;       /* set by describe () */
  gint64 start_time; /* µs until the plugin was loaded, 0 = it was not; the same */
} Case;

GHashTable *settings_of (const Case *c);
GHashTable *secrets_of (const Case *c);
DpsPluginRunner *runner_of (const Case *c);
DpsPluginDescription *describe_with (DpsPluginRunner *runner,
                                     Case *c,
                                     GCancellable *cancellable,
                                     GError **error);
DpsPluginDescription *describe (Case *c, GError **error);

/* Fails the test where the call fails. */
DpsPluginProbe *probe (Case *c);

/* One call that fails, and how. */
typedef struct
{
  const char *name;
  Case call;
  DpsError code;
  const char *text; /* the whole message, or its beginning when it ends with '*' */
} Failure;

/* For dps_plugin_runner_set_tpm(): a copy of the descriptor that data points to. */
int open_copy (gpointer data, GError **error);

void assert_message (const char *message, const char *text);

#define HUNG 300 /* ms */

/* Gives the call a deadline of HUNG for its start or for its verb. */
void set_hung (Case *c, gboolean in_verb);

/* The call ended at that deadline, since start_us, and not at five times of it. */
void assert_hung (const Case *c, gint64 start_us);

/* Tests of a Failure; the other has a deadline of HUNG and passes it. */
void test_failure (gconstpointer failure);
void test_hang (gconstpointer failure);

void add_table (const char *prefix, const Failure *table, gsize n, GTestDataFunc test);
