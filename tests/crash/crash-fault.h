/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

typedef struct
{
  guint points;
  guint torn;
  guint lost;
  guint wrong; /* successes reported that were none */
} CrashFaultFigures;

/* Lets each call of a CrashScenario on files fail, once, in each way it can. */
void crash_fault_test (gconstpointer scenario);

/* Of all tests so far. */
CrashFaultFigures crash_fault_figures (void);

/* A figure of the points by call and by error. */
void crash_fault_print (void);

/* Each call on files has met each error of a disk: EIO, ENOSPC, EINTR and EROFS; a read
 * and a write have also been short. */
void crash_fault_assert_whole (void);
