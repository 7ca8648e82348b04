/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dpsctl-fixture.h"

#include <gio/gunixinputstream.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>

/* Whole lines must follow one another in this order. */
static void
assert_lines (const char *text, const char *const *lines)
{
  g_auto (GStrv) got = g_strsplit (text, "\n", -1);
  gsize i;

  for (i = 0; lines[i] != NULL; i++)
    g_assert_cmpstr (got[i], ==, lines[i]);
  g_assert_cmpstr (got[i], ==, "");
}

static void
test_wait_lines (Fixture *f, gconstpointer data)
{
  static const char *const script[] = {
    "attesting", "registering", "backing-off|DPS-E301|no route|ask|90",
    "assigning", "provisioned", NULL,
  };
  static const char *const lines[] = {
    "idle",
    "attesting",
    "registering",
    "backing-off: DPS-E301 no route; next attempt in 89 s",
    "assigning",
    "provisioned",
    "this host is device 'gw-17' of hub.example",
    NULL,
  };

  f->agent->script = script;
  fixture_run (f, "provision", "--wait", "--timeout", "60", NULL);
  assert_exit (f, 0);
  /* Whether the state of before is seen is up to the scheduler. */
  assert_lines (f->out, g_str_has_prefix (f->out, "idle\n") ? lines : lines + 1);
  g_assert_cmpstr (f->err, ==, "");
}

static void
test_wait_held (Fixture *f, gconstpointer data)
{
  static const char *const script[] = { "registering",
                                        "held|DPS-E401|wrong key|import another",
                                        NULL };

  f->agent->script = script;
  fixture_run (f, "provision", "--wait", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "dpsctl: DPS-E401: provisioning is held: wrong key\n");
  assert_contains (f->err, "import another");
}

/* The state of before the call is no outcome of the call. */
static void
test_wait_stale (Fixture *f, gconstpointer data)
{
  static const char *const script[] = { "registering", "provisioned", NULL };

  stand_in_enter (f->agent, "held|DPS-E401|wrong key|import another");
  f->agent->script = script;
  fixture_run (f, "provision", "--wait", NULL);
  assert_exit (f, 0);
  f->agent->script = script;
  fixture_run (f, "provision", "--wait", "--again", NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "registering\nprovisioned\n");
}

/* Provision may find that there is nothing to do. */
static void
test_wait_already (Fixture *f, gconstpointer data)
{
  gint64 begin = g_get_monotonic_time ();

  stand_in_enter (f->agent, "provisioned|DPS-E505|not verified|open port 443");
  fixture_run (f, "provision", "--wait", NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "\nnote: DPS-E505 not verified - what to do: open port 443\n");
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 4 * G_USEC_PER_SEC);
}

static void
test_wait_cancelled (Fixture *f, gconstpointer data)
{
  static const char *const script[] = { "registering", "idle", NULL };

  f->agent->script = script;
  fixture_run (f, "provision", "--wait", NULL);
  assert_exit (f, 3);
  assert_contains (f->err, "cancelled");
}

static void
test_wait_timeout (Fixture *f, gconstpointer data)
{
  stand_in_enter (f->agent, "backing-off|DPS-E301|no route|ask|500");
  fixture_run (f, "wait", "--timeout", "1", NULL);
  assert_exit (f, 5);
  assert_contains (f->err, "not provisioned within 1 s (backing-off: DPS-E301 no route");
  /* The countdown alone is no news where nobody watches. */
  g_assert_null (strchr (strchr (f->out, '\n') + 1, '\n'));
}

/* No time to wait is time enough to look. */
static void
test_wait_once (Fixture *f, gconstpointer data)
{
  fixture_run (f, "wait", "--timeout", "0", NULL);
  assert_exit (f, 5);
  assert_contains (f->err, "(idle)");
  stand_in_enter (f->agent, "provisioned");
  fixture_run (f, "wait", "--timeout", "0", NULL);
  assert_exit (f, 0);
}

static void
test_wait_unconfigured (Fixture *f, gconstpointer data)
{
  stand_in_enter (f->agent, "unconfigured");
  fixture_run (f, "wait", NULL);
  assert_exit (f, 6);
  assert_contains (f->err, "agent.conf.d");
}

static GSubprocess *G_GNUC_NULL_TERMINATED
start (Fixture *f, ...)
{
  g_auto (GStrv) argv = NULL;
  g_autoptr (GError) error = NULL;
  GSubprocess *child;
  va_list args;

  va_start (args, f);
  argv = fixture_collect (f, args);
  va_end (args);
  child =
      g_subprocess_newv ((const char *const *) argv,
                         G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE,
                         &error);
  g_assert_no_error (error);
  return child;
}

/* Until dpsctl shows its first line, and with it follows the agent. */
static void
await_line (GSubprocess *child)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_input_stream_read_bytes_async (g_subprocess_get_stdout_pipe (child),
                                   4096,
                                   G_PRIORITY_DEFAULT,
                                   NULL,
                                   fixture_on_result,
                                   &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  bytes = g_input_stream_read_bytes_finish (g_subprocess_get_stdout_pipe (child),
                                            result,
                                            NULL);
  g_assert_cmpuint (g_bytes_get_size (bytes), >, 0);
}

/* An agent that leaves is called back by the bus, and the wait goes on with it. */
static void
test_wait_restart (Fixture *f, gconstpointer data)
{
  g_autoptr (GSubprocess) child = NULL;

  stand_in_enter (f->agent, "registering");
  child = start (f, "wait", "--timeout", "60", NULL);
  await_line (child);
  stand_in_leave (f->agent);
  fixture_communicate (f, child, NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "this host is device 'gw-17' of hub.example\n");
}

static void
test_wait_gone (Fixture *f, gconstpointer data)
{
  g_autoptr (GSubprocess) child = NULL;

  stand_in_enter (f->agent, "registering");
  child = start (f, "wait", NULL);
  await_line (child);
  stand_in_leave (f->agent);
  fixture_communicate (f, child, NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "systemctl status dps-agent");
}

/* All that dpsctl writes to a terminal of 40 columns. */
static void
run_on_terminal (Fixture *f, char **argv)
{
  struct winsize size = { .ws_row = 24, .ws_col = 40 };
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_autoptr (GSubprocess) child = NULL;
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GString) seen = g_string_new (NULL);
  int master;
  int slave;

  g_assert_cmpint (openpty (&master, &slave, NULL, NULL, &size), ==, 0);
  g_subprocess_launcher_take_stdout_fd (launcher, slave);
  child = g_subprocess_launcher_spawnv (launcher, (const char *const *) argv, NULL);
  g_assert_nonnull (child);
  g_subprocess_launcher_close (launcher);
  stream = g_unix_input_stream_new (master, TRUE);
  for (;;)
    {
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GBytes) bytes = NULL;

      g_input_stream_read_bytes_async (stream,
                                       4096,
                                       G_PRIORITY_DEFAULT,
                                       NULL,
                                       fixture_on_result,
                                       &result);
      while (result == NULL)
        g_main_context_iteration (NULL, TRUE);
      bytes = g_input_stream_read_bytes_finish (stream, result, NULL);
      /* A terminal nobody writes to any more is an error, not an end. */
      if (bytes == NULL || g_bytes_get_size (bytes) == 0)
        break;
      g_string_append_len (seen,
                           g_bytes_get_data (bytes, NULL),
                           (gssize) g_bytes_get_size (bytes));
    }
  fixture_communicate (f, child, NULL);
  g_free (f->out);
  f->out = g_strdup (seen->str);
}

static void G_GNUC_NULL_TERMINATED
run_tty (Fixture *f, ...)
{
  g_auto (GStrv) argv = NULL;
  va_list args;

  va_start (args, f);
  argv = fixture_collect (f, args);
  va_end (args);
  run_on_terminal (f, argv);
}

static void
test_terminal (Fixture *f, gconstpointer data)
{
  static const char *const script[] = {
    "registering||a reason longer than this terminal is wide|",
    "provisioned",
    NULL,
  };

  f->agent->script = script;
  run_tty (f, "provision", "--wait", NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "\rregistering: a reason longer than this \r");
  g_assert_true (
      g_str_has_suffix (f->out, "\rthis host is device 'gw-17' of hub.example\r\n"));
  assert_lacks (f->out, "\x1b");
}

/* The countdown moves though the agent says nothing new. */
static void
test_terminal_countdown (Fixture *f, gconstpointer data)
{
  stand_in_enter (f->agent, "backing-off||||100");
  run_tty (f, "wait", "--timeout", "2", NULL);
  assert_exit (f, 5);
  assert_contains (f->out, "next attempt in 99 s");
  assert_contains (f->out, "next attempt in 98 s");
}

static void
add_tests (void)
{
  fixture_add ("/cli/provision/wait-prints-each-state", NULL, test_wait_lines);
  fixture_add ("/cli/provision/wait-ends-held", NULL, test_wait_held);
  fixture_add ("/cli/provision/wait-ignores-the-state-of-before", NULL, test_wait_stale);
  fixture_add ("/cli/provision/wait-ends-at-once-when-provisioned",
               NULL,
               test_wait_already);
  fixture_add ("/cli/provision/wait-ends-cancelled", NULL, test_wait_cancelled);
  fixture_add ("/cli/wait/times-out", NULL, test_wait_timeout);
  fixture_add ("/cli/wait/zero-looks-once", NULL, test_wait_once);
  fixture_add ("/cli/wait/unconfigured", NULL, test_wait_unconfigured);
  fixture_add ("/cli/wait/ends-when-the-agent-cannot-come-back", NULL, test_wait_gone);
  fixture_add ("/cli/terminal/one-line", NULL, test_terminal);
  fixture_add ("/cli/terminal/countdown", NULL, test_terminal_countdown);
  fixture_add ("/cli/wait/calls-the-agent-back", ACTIVATABLE, test_wait_restart);
}

int
main (int argc, char **argv)
{
  return fixture_main (argc, argv, add_tests);
}
