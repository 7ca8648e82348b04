/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "crash-tracer.h"
#include "test-store-fixture.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kills a process at each step of what the store does, and looks at what is left: exactly
 * the old or the new, never a mixture, never nothing, and the new once it was reported.
 *
 * A kill leaves the page cache whole, so it cannot show a missing fsync; the order of the
 * calls can, and /store/crash/order holds them to design §9. */

#define MIN_POINTS 20

typedef enum
{
  COMMIT,
  RESET,
  LOAD,
  OPEN,
  WRITE_INTENT,
  CLEAR_INTENT,
} Action;

typedef enum
{
  NORMAL,
  NO_TMPFILE,
  NO_FSYNC,
} Weather;

typedef struct
{
  const char *name;
  Action action;
  guint commits;    /* made before */
  gboolean damaged; /* the newest of them is */
  gboolean litter;  /* a temporary is left over */
  gboolean intent;  /* one was written before */
  Weather weather;
  const char *before; /* what is served, NULL = nothing is stored */
  const char *after;
  const char *steps; /* the calls of an untouched run, in order */
} Scenario;

#define READ_1 "read "
#define READ_2 "read read "
#define DURABLE "write sync-file link sync-directory "
#define NAMED "unlink write sync-file link unlink sync-directory "
#define SET_ASIDE "mkdir rename sync-directory sync-directory "

static const Scenario scenarios[] = {
  { "commit/first", COMMIT, .after = "new", .steps = DURABLE DURABLE "read announce" },
  { "commit/second",
    COMMIT,
    .commits = 1,
    .before = "old 1",
    .after = "new",
    .steps = READ_1 DURABLE "read announce" },
  { "commit/third",
    COMMIT,
    .commits = 2,
    .before = "old 2",
    .after = "new",
    .steps = READ_2 DURABLE "read unlink announce" },
  { "commit/without-tmpfile",
    COMMIT,
    .commits = 2,
    .weather = NO_TMPFILE,
    .before = "old 2",
    .after = "new",
    .steps = READ_2 NAMED "read unlink announce" },
  { "commit/newest-damaged",
    COMMIT,
    .commits = 2,
    .damaged = TRUE,
    .before = "old 1",
    .after = "new",
    .steps = "read " SET_ASIDE "read " DURABLE "read announce" },
  { "load/newest-damaged",
    LOAD,
    .commits = 2,
    .damaged = TRUE,
    .before = "old 1",
    .after = "old 1",
    .steps = "read " SET_ASIDE "read announce" },
  { "open/left-over",
    OPEN,
    .commits = 2,
    .litter = TRUE,
    .before = "old 2",
    .after = "old 2",
    .steps = "unlink announce" },
  { "reset",
    RESET,
    .commits = 2,
    .before = "old 2",
    .steps = "unlink unlink sync-directory unlink unlink sync-directory announce" },
  { "intent/first",
    WRITE_INTENT,
    .after = "new",
    .steps = "unlink write sync-file rename sync-directory announce" },
  { "intent/replace",
    WRITE_INTENT,
    .intent = TRUE,
    .before = "old",
    .after = "new",
    .steps = "unlink write sync-file rename sync-directory announce" },
  { "intent/clear",
    CLEAR_INTENT,
    .intent = TRUE,
    .before = "old",
    .steps = "unlink sync-directory announce" },
};

/* A failed sync ends the attempt: the file is never synced again. */
static const Scenario failing = {
  "failed-sync",
  COMMIT,
  .commits = 2,
  .weather = NO_FSYNC,
  .before = "old 2",
  .after = "old 2",
  .steps = READ_2 "write sync-file",
};

static guint total_points;
static guint total_torn;
static guint total_lost;

static void
filter (Weather weather)
{
  scmp_filter_ctx context = seccomp_init (SCMP_ACT_ALLOW);
  int failed;

  if (weather == NO_TMPFILE)
    failed = seccomp_rule_add (context,
                               SCMP_ACT_ERRNO (EOPNOTSUPP),
                               SCMP_SYS (openat),
                               1,
                               SCMP_A2 (SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE));
  else
    failed = seccomp_rule_add (context, SCMP_ACT_ERRNO (EIO), SCMP_SYS (fsync), 0);
  if (failed != 0 || seccomp_load (context) != 0)
    _exit (2);
  seccomp_release (context);
}

typedef struct
{
  StoreFixture *fixture;
  const Scenario *scenario;
} Job;

static gboolean
act (StoreFixture *f, Action action)
{
  g_autoptr (DpsSecret) payload = dps_secret_new ("new", 3);
  g_autoptr (DpsSecret) loaded = NULL;
  g_autoptr (GBytes) record = g_bytes_new_static ("new", 3);

  switch (action)
    {
    case COMMIT:
      return dps_store_commit (f->store, payload, NULL);
    case RESET:
      return dps_store_reset (f->store, NULL);
    case LOAD:
      loaded = dps_store_load (f->store, NULL, NULL, NULL);
      return loaded != NULL;
    case OPEN:
      f->store = dps_store_open (f->path, f->sealer, NULL);
      return f->store != NULL;
    case WRITE_INTENT:
      return dps_store_write_intent (f->store, record, NULL);
    case CLEAR_INTENT:
      return dps_store_clear_intent (f->store, NULL);
    default:
      g_assert_not_reached ();
    }
}

static void
body (gpointer data, int announce_fd)
{
  Job *job = data;

  if (job->scenario->weather != NORMAL)
    filter (job->scenario->weather);
  if (act (job->fixture, job->scenario->action) && write (announce_fd, "y", 1) != 1)
    _exit (3);
}

/* The state before, once; it is copied for each point. */
static void
make_template (StoreFixture *f, const Scenario *scenario)
{
  g_autoptr (GBytes) record = g_bytes_new_static ("old", 3);

  for (guint i = 1; i <= scenario->commits; i++)
    {
      g_autofree char *text = g_strdup_printf ("old %u", i);

      store_fixture_commit (f, text);
    }
  if (scenario->damaged)
    {
      g_autofree char *name = g_strdup_printf ("gen-%08u", scenario->commits);

      store_fixture_write (f, name, "damaged", 7);
    }
  if (scenario->intent)
    g_assert_true (dps_store_write_intent (f->store, record, NULL));
  if (scenario->litter)
    store_fixture_write (f, ".tmp-gen-00000003", "half", 4);
  store_fixture_close (f);
}

static void
copy_template (StoreFixture *from, StoreFixture *to)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;

  store_fixture_close (to);
  dps_close_fd (&to->dir_fd);
  store_fixture_remove_tree (to->path);
  g_assert_cmpint (mkdir (to->path, 0700), ==, 0);
  to->dir_fd = open (to->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  dir = g_dir_open (from->path, 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autoptr (GBytes) bytes = store_fixture_read (from, name);

      store_fixture_write (to,
                           name,
                           g_bytes_get_data (bytes, NULL),
                           g_bytes_get_size (bytes));
    }
}

/* One run on a copy. The parent opens the store for the child, which inherits the lock,
 * and lets go of it before it looks at what is left. */
static void
run_on_copy (StoreFixture *from,
             StoreFixture *to,
             const Scenario *scenario,
             guint kill_at,
             CrashRun *run)
{
  Job job = { to, scenario };

  copy_template (from, to);
  if (scenario->action != OPEN)
    store_fixture_open (to);
  crash_run (body, &job, kill_at, run);
  store_fixture_reopen (to);
}

/* What is stored now, NULL = nothing; *torn where that cannot be told. */
static char *
observe (StoreFixture *f, Action action, gboolean *torn)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) payload = NULL;
  g_autoptr (GBytes) record = NULL;

  if (action == WRITE_INTENT || action == CLEAR_INTENT)
    {
      record = dps_store_read_intent (f->store, &error);
      *torn = error != NULL || store_fixture_take_warnings () > 0;
      return record != NULL
                 ? g_strndup (g_bytes_get_data (record, NULL), g_bytes_get_size (record))
                 : NULL;
    }
  payload = dps_store_load (f->store, NULL, NULL, &error);
  *torn = error != NULL && !g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED);
  if (error != NULL && *torn)
    g_test_message ("%s", error->message);
  return payload != NULL ? g_strndup ((const char *) dps_secret_data (payload),
                                      dps_secret_size (payload))
                         : NULL;
}

/* Life goes on after a crash, and no litter stays. */
static void
assert_usable (StoreFixture *f)
{
  g_autoptr (DpsSecret) payload = dps_secret_new ("next", 4);
  g_autoptr (DpsSecret) seen = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (f->path, 0, NULL);
  guint generations = 0;
  const char *name;

  dps_store_commit (f->store, payload, &error);
  g_assert_no_error (error);
  seen = dps_store_load (f->store, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (dps_secret_equal (seen, payload));
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_assert_false (g_str_has_prefix (name, ".tmp-"));
      generations += g_str_has_prefix (name, "gen-");
    }
  g_assert_cmpuint (generations, <=, 2);
}

typedef struct
{
  guint torn;
  guint lost;
  gboolean was_new;
} Verdicts;

static void
judge (StoreFixture *f,
       const Scenario *scenario,
       const CrashRun *run,
       guint point,
       Verdicts *verdicts)
{
  gboolean torn;
  g_autofree char *seen = observe (f, scenario->action, &torn);
  gboolean is_old = !torn && g_strcmp0 (seen, scenario->before) == 0;
  gboolean is_new = !torn && g_strcmp0 (seen, scenario->after) == 0;

  if (torn || (!is_old && !is_new && seen != NULL))
    {
      verdicts->torn++;
      g_test_message ("point %u: torn (%s)", point, seen != NULL ? seen : "error");
    }
  /* Nothing left, the old after the new was reported, or after it was seen to be there at
   * an earlier point. */
  else if ((!is_old && !is_new) || ((run->announced || verdicts->was_new) && !is_new))
    {
      verdicts->lost++;
      g_test_message ("point %u: lost (%s)", point, seen != NULL ? seen : "nothing");
    }
  verdicts->was_new |= is_new && !is_old;
}

static void
test_kill (gconstpointer data)
{
  const Scenario *scenario = data;
  StoreFixture from;
  StoreFixture to;
  CrashRun run = { 0 };
  Verdicts verdicts = { 0 };
  guint point = 0;

  store_fixture_set_up (&from, NULL);
  store_fixture_set_up (&to, NULL);
  make_template (&from, scenario);
  do
    {
      run_on_copy (&from, &to, scenario, ++point, &run);
      judge (&to, scenario, &run, point, &verdicts);
      assert_usable (&to);
      store_fixture_take_warnings ();
    }
  while (run.killed);
  g_assert_true (run.announced);
  g_assert_true (verdicts.was_new || g_strcmp0 (scenario->before, scenario->after) == 0);

  /* The last one ran to its end. */
  point--;
  g_test_message ("%s: points tried %u, torn %u, lost %u",
                  scenario->name,
                  point,
                  verdicts.torn,
                  verdicts.lost);
  total_points += point;
  total_torn += verdicts.torn;
  total_lost += verdicts.lost;
  g_assert_cmpuint (verdicts.torn, ==, 0);
  g_assert_cmpuint (verdicts.lost, ==, 0);
  if (scenario->action == COMMIT)
    g_assert_cmpuint (point, >=, MIN_POINTS);
  store_fixture_tear_down (&to, NULL);
  store_fixture_tear_down (&from, NULL);
}

static void
test_order (gconstpointer data)
{
  const Scenario *scenario = data;
  StoreFixture from;
  StoreFixture to;
  CrashRun run = { .steps = g_string_new (NULL) };
  g_autofree char *seen = NULL;
  gboolean torn;

  store_fixture_set_up (&from, NULL);
  store_fixture_set_up (&to, NULL);
  make_template (&from, scenario);
  run_on_copy (&from, &to, scenario, 0, &run);
  g_assert_cmpstr (run.steps->str, ==, scenario->steps);
  seen = observe (&to, scenario->action, &torn);
  g_assert_false (torn);
  g_assert_cmpstr (seen, ==, scenario->after);
  g_string_free (run.steps, TRUE);
  store_fixture_tear_down (&to, NULL);
  store_fixture_tear_down (&from, NULL);
}

static void
test_total (void)
{
  g_test_message ("points tried %u, torn %u, lost %u",
                  total_points,
                  total_torn,
                  total_lost);
  g_assert_cmpuint (total_points, >=, MIN_POINTS);
  g_assert_cmpuint (total_torn, ==, 0);
  g_assert_cmpuint (total_lost, ==, 0);
}

static void
add (const char *group, const Scenario *scenario, GTestDataFunc test)
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
  for (guint i = 0; i < G_N_ELEMENTS (scenarios); i++)
    {
      add ("kill", &scenarios[i], test_kill);
      add ("order", &scenarios[i], test_order);
    }
  add ("order", &failing, test_order);
  g_test_add_func ("/store/crash/total/all", test_total);
  return g_test_run ();
}
