/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Runs a function in a forked child under ptrace, sees the system calls it makes, and
 * kills it with SIGKILL before a chosen one takes effect, or lets that one fail.
 *
 * strace can do both (-e inject=), and tests/crash/test-store-strace.sh holds this tracer
 * against it. It begins with the start of a program, though: under a sanitizer some
 * hundred calls come before the first of the store, and each point would be an exec. Here
 * the child begins with the function, so that the n-th call is the same in each run. */

/* What the child writes to announce_fd is its reply. Calls up to the first such write,
 * that one included, are counted, but for those that only move memory about. */
typedef void (*CrashBody) (gpointer data, int announce_fd);

typedef struct
{
  guint at;         /* the call, counted from 1; 0 = none, and no fault at all */
  int error;        /* the errno it gives, 0 = the child is killed instead */
  gsize shorten_to; /* or: it is asked for this many bytes alone; 0 = not */
} CrashFault;

typedef struct
{
  guint64 nr;
  guint64 args[6];
} CrashCall;

typedef struct
{
  guint points;      /* calls seen, the one killed at included */
  guint file_points; /* those of them that are about files */
  gboolean killed;   /* FALSE where the child came to its end by itself */
  guint resynced;    /* regular files synced again after a sync of them had failed */
  GString *reply;    /* what the child wrote; NULL = not wanted */
  GString *steps; /* what changes or syncs something, one word each; NULL = not wanted */
  GArray *calls;  /* CrashCall, one each point; NULL = not wanted */
} CrashRun;

/* prepare runs in the child before anything is counted; NULL = nothing to prepare. What
 * the run already holds in its strings is thrown away. A child that ends in any other way
 * than by its own exit status 0 or the kill asked for is an assertion failure. */
void crash_run (CrashBody prepare,
                CrashBody body,
                gpointer data,
                const CrashFault *fault,
                CrashRun *run);

/* The name of a call that is about files, NULL for others; static. */
const char *crash_call_name (guint64 nr);

/* NULL where this machine lets a process trace its child, else why not; static. */
const char *crash_cannot_trace (void);

/* NULL where errors can be put in place of calls, else why not; static. */
const char *crash_cannot_inject (void);
