/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "crash-tracer.h"
#include "test-store-fixture.h"

/* The actions of the store that are cut short or disturbed, each from a state of its own,
 * and how what is left is told: old, new, or neither. */

typedef enum
{
  CRASH_COMMIT,
  CRASH_MIGRATE,
  CRASH_SET_ASIDE,
  CRASH_RESET,
  CRASH_LOAD,
  CRASH_OPEN,
  CRASH_WRITE_INTENT,
  CRASH_READ_INTENT,
  CRASH_CLEAR_INTENT,
} CrashAction;

typedef enum
{
  CRASH_NORMAL,
  CRASH_NO_TMPFILE,
  CRASH_NO_FSYNC,
} CrashWeather;

/* Nothing of what is stored authenticates. */
#define CRASH_UNREADABLE "unreadable"

typedef struct
{
  const char *name;
  CrashAction action;
  guint commits;      /* made before, at the level "host" */
  guint damaged;      /* how many of them are, from the newest on */
  gboolean set_aside; /* and were moved to the quarantine */
  gboolean litter;    /* a temporary is left over */
  gboolean intent;    /* one was written before */
  gboolean rises;     /* the sealer of a higher level acts */
  CrashWeather weather;
  const char *before; /* what is served, NULL = nothing is stored */
  const char *after;
  const char *steps; /* the calls of an untouched run, in order */
} CrashScenario;

extern const CrashScenario crash_scenarios[];
extern const guint crash_n_scenarios;

/* A state as it is before the action, and a copy of it for each point. */
typedef struct
{
  const CrashScenario *scenario;
  StoreFixture template;
  StoreFixture copy;
  GError *error; /* why the action failed, in the child */
  char *loaded;  /* what it loaded, there */
} CrashStage;

void crash_stage_set_up (CrashStage *self, const CrashScenario *scenario);
void crash_stage_tear_down (CrashStage *self);

/* Runs body, with the stage as its data, on a fresh copy, and opens the copy again: the
 * parent opens the store for the child, which inherits the lock, and lets go of it before
 * it looks at what is left. */
void crash_stage_run (CrashStage *self,
                      CrashBody body,
                      const CrashFault *fault,
                      CrashRun *run);

/* In the child: the scenario's action. error and loaded are set by it. */
gboolean crash_stage_act (CrashStage *self);

/* What is stored now, NULL = nothing; *torn where that cannot be told. */
char *crash_stage_observe (CrashStage *self, gboolean *torn);

/* Life goes on, and no litter stays. */
void crash_stage_assert_usable (CrashStage *self);
