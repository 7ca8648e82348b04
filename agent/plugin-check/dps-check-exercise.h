/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What dps-plugin-exercise saw of a plugin in a process of its own: which verbs it has,
 * what it asks for, what its verbs return, and what they do to the heap. */

typedef enum
{
  DPS_CHECK_VERB_PROBE,
  DPS_CHECK_VERB_DESCRIBE,
  DPS_CHECK_VERB_ANSWER,
  DPS_CHECK_VERB_SIGN,
  DPS_CHECK_N_VERBS, /* those that are always called */
  DPS_CHECK_VERB_FORGET = DPS_CHECK_N_VERBS,
  DPS_CHECK_N_CALLS
} DpsCheckVerb;

const char *dps_check_verb_name (DpsCheckVerb verb);

/* The calls of one verb with one configuration. */
typedef struct
{
  gboolean called;
  int result;      /* of the last call: DpsPluginResult, or whatever it was */
  gboolean silent; /* an error came without a text */
  gboolean beyond; /* a result that is none, or OK with no bytes */
  guint calls;
  guint64 growth; /* of the heap, in bytes a call */
} DpsCheckExercised;

typedef struct
{
  gboolean sanitizer; /* AddressSanitizer was in the process */
  gboolean loaded;    /* with GLib and the libraries that the plugin itself names */
  gboolean ended;     /* it came to its end */
  gboolean timed_out;
  char *error;     /* why it did not load */
  char *complaint; /* of the sanitizer or the C library, with the plugin's line; NULL =
                      none */
  gboolean has[DPS_CHECK_N_VERBS];
  DpsCheckExercised given[DPS_CHECK_N_VERBS];
  DpsCheckExercised bare[DPS_CHECK_N_VERBS]; /* without settings and secrets */
  GPtrArray *settings;                       /* char *, what it asked for */
  GPtrArray *secrets;
  GPtrArray *causes; /* char *, that it named */
} DpsCheckExercise;

/* Runs program for plugin_file with the settings (char * → char *) and the files of the
 * secrets (char * → path) given. Waits; at most 60 s. NULL where it can not be started.
 */
DpsCheckExercise *dps_check_exercise_run (const char *program,
                                          const char *plugin_file,
                                          GHashTable *settings,
                                          GHashTable *secret_files,
                                          GError **error);

/* The reading of its report and of what it wrote to standard error. Pure; the caller's.
 */
DpsCheckExercise *dps_check_exercise_parse (const char *report, const char *errors);

void dps_check_exercise_free (DpsCheckExercise *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsCheckExercise, dps_check_exercise_free)
