/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plugin-check/dps-check-calls.h"
#include "plugin-check/dps-check-suite.h"

/* DpsCheckRun: one run of the suite, for the files that it is made of. */
typedef struct
{
  const DpsCheckPlan *plan;
  DpsCheckReport *report;
  DpsCheckHost host;
  DpsCheckExercise *exercise;
  GPtrArray *texts;   /* char *: all that a plugin said to anybody, besides the log */
  GPtrArray *needles; /* GBytes *: what must be in none of it */
  gboolean died;
  gboolean failed[DPS_CHECK_N_CALLS]; /* its own check did */
  GString *late;                      /* verbs whose deadline passed */
  gboolean slow[DPS_CHECK_N_CALLS];
  DpsCheckVerb slowest;
  guint slowest_part; /* of its deadline, in percent */
} DpsCheckRun;

/* One call with what the run remembers of it: what was said, and how long it took. NULL
 * where the verb overran now or before: once is enough. */
DpsCheckOutcome *dps_check_run_call (DpsCheckRun *self,
                                     DpsCheckVerb verb,
                                     const DpsCheckInput *input);

/* Whether the outcome breaks a rule, and is no error of the plugin's own. bare: of a call
 * without settings and secrets. */
gboolean dps_check_run_is_broken (const DpsCheckRun *self,
                                  DpsCheckVerb verb,
                                  const DpsCheckOutcome *out,
                                  gboolean bare);

/* Remembers what a description shows, and its key as a secret. */
void dps_check_run_note (DpsCheckRun *self, const DpsPluginDescription *description);

/* text, or where it has a part of a secret that is known so far, words that say so. */
const char *dps_check_run_quote (const DpsCheckRun *self, const char *text);

/* How much of its time the slowest verb took, with a warning where that is more than half
 * of it. Pure; the caller's. */
char *dps_check_run_describe_time (const DpsCheckRun *self);

/* Random ones. */
DpsSecret *dps_check_make_bytes (gsize size);

/* Parts of the suite; each reports its checks. */
void dps_check_note_secrets (DpsCheckRun *self); /* first of all */
void dps_check_probe (DpsCheckRun *self);
void dps_check_describe (DpsCheckRun *self);
void dps_check_input (DpsCheckRun *self);
void dps_check_forget (DpsCheckRun *self); /* only where the plan has it */
void dps_check_bare (DpsCheckRun *self);
void dps_check_secrets (DpsCheckRun *self);
