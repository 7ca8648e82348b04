/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "crash-fault.h"

#include "crash-scenario.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_ERRORS 6
#define SHORT_BYTES 7
#define DISK_ERRORS EIO, ENOSPC, EINTR, EROFS

/* How each call may fail. Those that change what is stored, or read it, have each error
 * of a disk, whether a kernel is known to give it there or not.
 *
 * A close that fails has closed, and what it closes was synced before, or only read:
 * nothing is left that it could still lose, so the store does not look at what close
 * gives, and its success stands. */
static struct
{
  const char *call;
  int errors[MAX_ERRORS]; /* a 0 ends them */
  gboolean shortens;
  guint tried[MAX_ERRORS]; /* points, by error */
  guint shortened;         /* points */
} ways[] = {
  { "openat", { DISK_ERRORS, EMFILE } },
  { "read", { DISK_ERRORS }, .shortens = TRUE },
  { "write", { DISK_ERRORS }, .shortens = TRUE },
  { "fsync", { DISK_ERRORS } },
  { "linkat", { DISK_ERRORS } },
  { "renameat", { DISK_ERRORS } },
  { "renameat2", { DISK_ERRORS } },
  { "unlinkat", { DISK_ERRORS } },
  { "mkdirat", { DISK_ERRORS } },
  { "mkdir", { DISK_ERRORS } },
  { "close", { DISK_ERRORS } },
  { "fstat", { EIO, EINTR } },
  { "newfstatat", { EIO, EINTR } },
  { "lseek", { EIO } },
  { "fcntl", { EINTR } },
  { "flock", { EINTR, ENOLCK } },
  { "getdents64", { EIO, EINTR, ENOMEM } },
  { "fadvise64", { EIO } },
};

static CrashFaultFigures figures;
static gboolean in_process_retry;

CrashFaultFigures
crash_fault_figures (void)
{
  return figures;
}

/* Points at call (NULL = any) with error (0 = any). */
static guint
count (const char *call, int error)
{
  guint n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    for (guint k = 0; k < MAX_ERRORS; k++)
      if ((call == NULL || g_str_equal (ways[i].call, call)) &&
          (error == 0 || ways[i].errors[k] == error))
        n += ways[i].tried[k];
  return n;
}

void
crash_fault_print (void)
{
  static const int kinds[] = { DISK_ERRORS, EMFILE, ENOLCK, ENOMEM };
  guint shortened = 0;

  printf ("# FIGURE store faults:");
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      guint n = count (ways[i].call, 0) + ways[i].shortened;

      if (n > 0)
        printf (" %s %u,", ways[i].call, n);
      shortened += ways[i].shortened;
    }
  printf (" of them");
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    printf (" %s %u,", strerrorname_np (kinds[i]), count (NULL, kinds[i]));
  printf (" short %u\n", shortened);
  fflush (stdout);
  g_assert_cmpuint (count (NULL, 0) + shortened, ==, figures.points);
}

void
crash_fault_assert_whole (void)
{
  static const char *const calls[] = { "openat",   "read",    "write",
                                       "fsync",    "linkat",  "renameat",
                                       "unlinkat", "mkdirat", "close" };
  static const int errors[] = { DISK_ERRORS };
  g_autoptr (GString) untried = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    for (guint k = 0; k < G_N_ELEMENTS (errors); k++)
      if (count (calls[i], errors[k]) == 0)
        g_string_append_printf (untried,
                                "%s %s, ",
                                calls[i],
                                strerrorname_np (errors[k]));
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    if (ways[i].shortens && ways[i].shortened == 0)
      g_string_append_printf (untried, "%s short, ", ways[i].call);
  g_assert_cmpstr (untried->str, ==, "");
}

/* Replies with what the action said, what the same process sees after it, and, where it
 * failed and is tried again, what that said. */
static void
body (gpointer data, int announce_fd)
{
  CrashStage *stage = data;
  gboolean done = crash_stage_act (stage);
  g_autofree char *said = NULL;
  g_autofree char *seen = NULL;
  g_autofree char *reply = NULL;
  gboolean retried = FALSE;
  gboolean torn = FALSE;

  if (write (announce_fd, done ? "y" : "n", 1) != 1)
    _exit (3);
  said = g_strdup (!done                   ? stage->error->message
                   : stage->loaded != NULL ? stage->loaded
                                           : "");
  if (g_error_matches (stage->error, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED))
    said = (g_free (said), g_strdup ("nothing is stored"));
  if (stage->copy.store != NULL)
    seen = crash_stage_observe (stage, &torn);
  if (!done && in_process_retry)
    retried = crash_stage_act (stage);
  reply = g_strdup_printf ("\n%s\n%s\n%s",
                           said,
                           torn           ? "torn"
                           : seen != NULL ? seen
                                          : "nothing",
                           retried ? "retried" : "");
  if (write (announce_fd, reply, strlen (reply)) != (gssize) strlen (reply))
    _exit (3);
}

/* Whether an action that failed may have come as far as its end: what a reset has removed
 * is gone, what was set aside is away, and of an intent only the sync of the directory
 * may have failed. */
static gboolean
may_be_new (const CrashScenario *scenario)
{
  return scenario->action == CRASH_RESET || scenario->action == CRASH_SET_ASIDE ||
         scenario->action == CRASH_WRITE_INTENT || scenario->action == CRASH_CLEAR_INTENT;
}

typedef struct
{
  CrashStage *stage;
  const CrashFault *fault;
  const char *call;
  gboolean done;
  char **reply;
} Point;

static void
complain (const Point *point, guint *count, const char *verdict, const char *seen)
{
  (*count)++;
  g_test_message ("%s %s with %s%s at call %u: %s (%s); the action said '%s'",
                  verdict,
                  point->call,
                  point->fault->error != 0 ? g_strerror (point->fault->error) : "",
                  point->fault->shorten_to != 0 ? "fewer bytes" : "",
                  point->fault->at,
                  point->done ? "success" : "failure",
                  seen != NULL ? seen : "nothing",
                  point->reply[1]);
}

static void
judge (const Point *point, const char *seen, gboolean torn)
{
  const CrashScenario *scenario = point->stage->scenario;
  gboolean is_old = !torn && g_strcmp0 (seen, scenario->before) == 0;
  gboolean is_new = !torn && g_strcmp0 (seen, scenario->after) == 0;

  if (torn || (!is_old && !is_new && seen != NULL))
    complain (point, &figures.torn, "torn", seen);
  else if (!is_old && !is_new)
    complain (point, &figures.lost, "lost", seen);
  else if (point->done && !is_new)
    complain (point, &figures.wrong, "wrong success", seen);
  else if (!point->done && !is_old && !may_be_new (scenario))
    complain (point, &figures.wrong, "wrong failure", seen);
}

/* A load gives what is served, or an older one and says so; where there is something, it
 * never says that there is nothing. */
static void
judge_loaded (const Point *point)
{
  const CrashScenario *scenario = point->stage->scenario;
  const char *said = point->reply[1];

  if (scenario->action == CRASH_READ_INTENT && point->done &&
      g_strcmp0 (said, scenario->before) != 0)
    complain (point, &figures.wrong, "wrong success", said);
  if (scenario->action != CRASH_LOAD)
    return;
  if (point->done && !g_str_has_prefix (said, scenario->before) &&
      !g_str_equal (said, "old 1 (not the newest)"))
    complain (point, &figures.wrong, "wrong success", said);
  if (!point->done && g_str_equal (said, "nothing is stored"))
    complain (point, &figures.wrong, "denied", said);
}

static void
try_point (CrashStage *stage, const CrashFault *fault, const char *call, gboolean retry)
{
  CrashRun run = { .reply = g_string_new (NULL) };
  g_auto (GStrv) reply = NULL;
  Point point = { stage, fault, call };
  g_autofree char *seen = NULL;
  gboolean torn;

  in_process_retry = retry;
  crash_stage_run (stage, body, fault, &run);
  reply = g_strsplit (run.reply->str, "\n", 4);
  g_assert_cmpuint (g_strv_length (reply), ==, 4);
  g_assert_cmpuint (run.resynced, ==, 0);
  point.reply = reply;
  point.done = g_str_equal (reply[0], "y") || g_str_equal (reply[3], "retried");
  seen = crash_stage_observe (stage, &torn);
  judge (&point, seen, torn);
  if (retry)
    g_assert_cmpstr (reply[3], ==, "retried");
  else
    {
      gboolean nothing = g_str_equal (reply[2], "nothing");

      figures.points++;
      g_assert_cmpint (reply[1][0] != '\0' || point.done, ==, TRUE);
      judge_loaded (&point);
      if (stage->scenario->action != CRASH_OPEN)
        judge (&point, nothing ? NULL : reply[2], g_str_equal (reply[2], "torn"));
    }
  crash_stage_assert_usable (stage);
  store_fixture_take_warnings ();
  g_string_free (run.reply, TRUE);
  /* The same process tries again, once the fault is over. */
  if (!retry && !point.done)
    try_point (stage, fault, call, TRUE);
}

static void
try_call (CrashStage *stage, guint at, const CrashCall *call)
{
  const char *name = crash_call_name (call->nr);
  CrashFault fault = { .at = at };

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      if (g_strcmp0 (ways[i].call, name) != 0)
        continue;
      for (guint k = 0; k < MAX_ERRORS && ways[i].errors[k] != 0; k++)
        {
          fault.error = ways[i].errors[k];
          try_point (stage, &fault, name, FALSE);
          ways[i].tried[k]++;
        }
      fault.error = 0;
      fault.shorten_to = SHORT_BYTES;
      if (ways[i].shortens && call->args[2] > SHORT_BYTES)
        {
          try_point (stage, &fault, name, FALSE);
          ways[i].shortened++;
        }
      return;
    }
  if (name != NULL)
    g_error ("there is no way for %s to fail", name);
}

void
crash_fault_test (gconstpointer data)
{
  const CrashScenario *scenario = data;
  const CrashFault none = { 0 };
  CrashFaultFigures before = figures;
  CrashRun run = { .calls = g_array_new (FALSE, FALSE, sizeof (CrashCall)) };
  CrashStage stage;

  if (crash_cannot_inject () != NULL)
    {
      g_test_skip (crash_cannot_inject ());
      return;
    }
  crash_stage_set_up (&stage, scenario);
  in_process_retry = FALSE;
  crash_stage_run (&stage, body, &none, &run);
  /* The last call is the reply. */
  for (guint i = 0; i + 1 < run.calls->len; i++)
    try_call (&stage, i + 1, &g_array_index (run.calls, CrashCall, i));

  g_test_message ("%s: fault points %u, torn %u, lost %u, wrong successes %u",
                  scenario->name,
                  figures.points - before.points,
                  figures.torn - before.torn,
                  figures.lost - before.lost,
                  figures.wrong - before.wrong);
  g_assert_cmpuint (figures.torn, ==, before.torn);
  g_assert_cmpuint (figures.lost, ==, before.lost);
  g_assert_cmpuint (figures.wrong, ==, before.wrong);
  g_array_unref (run.calls);
  crash_stage_tear_down (&stage);
}
