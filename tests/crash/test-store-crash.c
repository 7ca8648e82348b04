/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "crash-fault.h"
#include "crash-scenario.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Kills a process at each system call of what the store does, or lets that call fail, and
 * looks at what is left: exactly the old or the new, never a mixture, never nothing, and
 * the new once it was reported. The scenario "migrate" is the move to a sealer of a
 * higher level.
 *
 * A kill leaves the page cache whole, so it cannot show a missing fsync; the order of the
 * calls can, and /store/crash/order holds them to design §9. */

#define MIN_POINTS 1000

/* A failed sync ends the attempt: the file is never synced again. */
static const CrashScenario failing = {
  "failed-sync",
  CRASH_COMMIT,
  .commits = 2,
  .weather = CRASH_NO_FSYNC,
  .before = "old 2",
  .after = "old 2",
  .steps = "read read write sync-file announce",
};

typedef struct
{
  guint torn;
  guint lost;
  gboolean was_new;
} Verdicts;

static guint total_points;
static guint total_file_points;
static guint total_torn;
static guint total_lost;

static void
body (gpointer data, int announce_fd)
{
  gboolean done = crash_stage_act (data);

  if (write (announce_fd, done ? "y" : "n", 1) != 1)
    _exit (3);
}

static gboolean
has_announced (const CrashRun *run)
{
  return run->reply->len > 0 && run->reply->str[0] == 'y';
}

static void
judge (CrashStage *stage, const CrashRun *run, guint point, Verdicts *verdicts)
{
  gboolean torn;
  g_autofree char *seen = crash_stage_observe (stage, &torn);
  gboolean is_old = !torn && g_strcmp0 (seen, stage->scenario->before) == 0;
  gboolean is_new = !torn && g_strcmp0 (seen, stage->scenario->after) == 0;

  if (torn || (!is_old && !is_new && seen != NULL))
    {
      verdicts->torn++;
      g_test_message ("point %u: torn (%s)", point, seen != NULL ? seen : "error");
    }
  /* Nothing left, the old after the new was reported, or after it was seen to be there at
   * an earlier point. */
  else if ((!is_old && !is_new) ||
           ((has_announced (run) || verdicts->was_new) && !is_new))
    {
      verdicts->lost++;
      g_test_message ("point %u: lost (%s)", point, seen != NULL ? seen : "nothing");
    }
  verdicts->was_new |= is_new && !is_old;
}

static void
test_kill (gconstpointer data)
{
  const CrashScenario *scenario = data;
  CrashStage stage;
  CrashFault fault = { 0 };
  CrashRun run = { .reply = g_string_new (NULL) };
  Verdicts verdicts = { 0 };

  crash_stage_set_up (&stage, scenario);
  do
    {
      fault.at++;
      crash_stage_run (&stage, body, &fault, &run);
      judge (&stage, &run, fault.at, &verdicts);
      crash_stage_assert_usable (&stage);
      store_fixture_take_warnings ();
    }
  while (run.killed);
  /* The last one ran to its end. */
  g_assert_true (has_announced (&run));
  g_assert_cmpuint (run.points, ==, fault.at - 1);
  g_assert_true (verdicts.was_new || g_strcmp0 (scenario->before, scenario->after) == 0);

  g_test_message ("%s: kill points %u, of which %u at calls on files, torn %u, lost %u",
                  scenario->name,
                  run.points,
                  run.file_points,
                  verdicts.torn,
                  verdicts.lost);
  total_points += run.points;
  total_file_points += run.file_points;
  total_torn += verdicts.torn;
  total_lost += verdicts.lost;
  g_assert_cmpuint (verdicts.torn, ==, 0);
  g_assert_cmpuint (verdicts.lost, ==, 0);
  g_string_free (run.reply, TRUE);
  crash_stage_tear_down (&stage);
}

static void
test_order (gconstpointer data)
{
  const CrashScenario *scenario = data;
  const CrashFault none = { 0 };
  CrashStage stage;
  CrashRun run = { .steps = g_string_new (NULL) };
  g_autofree char *seen = NULL;
  gboolean torn;

  crash_stage_set_up (&stage, scenario);
  crash_stage_run (&stage, body, &none, &run);
  g_assert_cmpstr (run.steps->str, ==, scenario->steps);
  seen = crash_stage_observe (&stage, &torn);
  g_assert_false (torn);
  g_assert_cmpstr (seen, ==, scenario->after);
  g_string_free (run.steps, TRUE);
  crash_stage_tear_down (&stage);
}

static void
test_total (void)
{
  CrashFaultFigures faults = crash_fault_figures ();

  printf ("# FIGURE store: %u points tried: %u kill points (%u of them at calls on "
          "files), "
          "%u fault points; %u torn, %u lost, %u wrong successes\n",
          total_points + faults.points,
          total_points,
          total_file_points,
          faults.points,
          total_torn + faults.torn,
          total_lost + faults.lost,
          faults.wrong);
  fflush (stdout);
  if (crash_cannot_inject () == NULL)
    {
      crash_fault_print ();
      crash_fault_assert_whole ();
    }
  g_assert_cmpuint (total_points + faults.points, >=, MIN_POINTS);
  g_assert_cmpuint (total_torn + faults.torn, ==, 0);
  g_assert_cmpuint (total_lost + faults.lost, ==, 0);
  g_assert_cmpuint (faults.wrong, ==, 0);
}

static void
add (const char *group, const CrashScenario *scenario, GTestDataFunc test)
{
  g_autofree char *path = g_strdup_printf ("/store/crash/%s/%s", group, scenario->name);

  g_test_add_data_func (path, scenario, test);
}

int
main (int argc, char **argv)
{
  const char *why = crash_cannot_trace ();

  if (why != NULL)
    {
      printf ("1..0 # SKIP %s\n", why);
      return 0;
    }
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < crash_n_scenarios; i++)
    {
      add ("order", &crash_scenarios[i], test_order);
      add ("kill", &crash_scenarios[i], test_kill);
      add ("fault", &crash_scenarios[i], crash_fault_test);
    }
  add ("order", &failing, test_order);
  g_test_add_func ("/store/crash/total/all", test_total);
  return g_test_run ();
}
