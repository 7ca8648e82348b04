/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Runs a function in a forked child under ptrace, sees each system call it makes on
 * files, and kills it, with SIGKILL, before a chosen one takes effect. The child begins
 * with the function, so neither the start of a program nor that of a sanitizer is
 * counted, and the n-th call is the same in each run. */

/* announce_fd takes one byte where the child wants to say "reported as done". */
typedef void (*CrashBody) (gpointer data, int announce_fd);

typedef struct
{
  guint points;    /* calls seen, the one killed at included */
  gboolean killed; /* FALSE where the child came to its end by itself */
  gboolean announced;
  GString *steps;  /* what changes or syncs something, one word each; NULL = not wanted */
  guint64 written; /* private: the descriptor last written to */
} CrashRun;

/* kill_at: 1 = before the first call, 0 = never. A child that ends in any other way than
 * by its own exit status 0 or that kill is an assertion failure. */
void crash_run (CrashBody body, gpointer data, guint kill_at, CrashRun *run);

/* NULL where this machine lets a process trace its child, else why not; static. */
const char *crash_cannot_trace (void);
