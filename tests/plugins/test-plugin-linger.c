/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "plugin-fixture.h"
#include "tpm/dps-tpm-device.h"
#include "tpm/dps-tpm-error.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The promise: a process that stays after its verb serves the next one of the same runner
 * and settings, whatever goes wrong with it is no later call's error, and it leaves
 * nothing behind. The plugin says which process it is, and how many verbs that has
 * served: "p123-1". */

#define LONG 60000 /* ms, longer than any test */

static DpsPluginRunner *
lingering (const Case *c, guint ms)
{
  DpsPluginRunner *runner = runner_of (c);

  dps_plugin_runner_set_linger (runner, ms);
  return runner;
}

/* Starts one describe; its end is for wait_result () and who_of (). */
static void
ask (DpsPluginRunner *runner, const Case *c, GCancellable *cancellable, Wait *wait)
{
  g_autoptr (GHashTable) settings = settings_of (c);
  g_autoptr (GHashTable) secrets = secrets_of (c);

  wait_start (wait);
  dps_plugin_runner_describe_async (runner,
                                    settings,
                                    secrets,
                                    cancellable,
                                    on_result,
                                    wait);
}

static char *
who_of (DpsPluginRunner *runner, Wait *wait, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (DpsPluginDescription) description = NULL;

  if (wait->result == NULL)
    wait_result (wait);
  else
    g_main_loop_unref (wait->loop);
  result = wait->result;
  description = dps_plugin_runner_describe_finish (runner, result, error);
  return description != NULL ? g_strdup (description->registration_id) : NULL;
}

static char *
who (DpsPluginRunner *runner, const Case *c)
{
  g_autoptr (GError) error = NULL;
  char *found;
  Wait wait;

  ask (runner, c, NULL, &wait);
  found = who_of (runner, &wait, &error);
  g_assert_no_error (error);
  return found;
}

static pid_t
pid_of (const char *name)
{
  g_assert_true (g_str_has_prefix (name, "p"));
  return (pid_t) g_ascii_strtoll (name + 1, NULL, 10);
}

/* The next verb is the n-th of the process. */
static void
assert_next (DpsPluginRunner *runner, const Case *c, pid_t process, guint n)
{
  g_autofree char *expected = g_strdup_printf ("p%d-%u", process, n);
  g_autofree char *found = who (runner, c);

  g_assert_cmpstr (found, ==, expected);
}

/* The next verb is the first of another one, which is returned. */
static pid_t
assert_fresh (DpsPluginRunner *runner, const Case *c, pid_t before)
{
  g_autofree char *found = who (runner, c);

  g_assert_cmpint (pid_of (found), !=, before);
  g_assert_true (g_str_has_suffix (found, "-1"));
  return pid_of (found);
}

static void
end (DpsPluginRunner *runner, guint fds)
{
  g_object_unref (runner);
  wait_gone ();
  assert_fds (fds);
}

static void
ask_sign (DpsPluginRunner *runner, const Case *c, Wait *wait)
{
  g_autoptr (GHashTable) settings = settings_of (c);
  g_autoptr (GHashTable) secrets = secrets_of (c);
  g_autoptr (GBytes) data = g_bytes_new_static ("data", 4);

  wait_start (wait);
  dps_plugin_runner_sign_async (runner,
                                settings,
                                secrets,
                                "hub",
                                "HMAC-SHA256",
                                NULL,
                                data,
                                NULL,
                                on_result,
                                wait);
}

/* What was signed, as text. */
static char *
signed_by (DpsPluginRunner *runner, Wait *wait, GError **error)
{
  g_autoptr (GBytes) signature = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  if (wait->result == NULL)
    wait_result (wait);
  else
    g_main_loop_unref (wait->loop);
  result = wait->result;
  signature = dps_plugin_runner_sign_finish (runner, result, error);
  return signature == NULL ? NULL
                           : g_strndup (g_bytes_get_data (signature, NULL),
                                        g_bytes_get_size (signature));
}

static void
test_next (void)
{
  guint fds = count_fds ();
  Case c = { "hostile", "who", "key" };
  DpsPluginRunner *runner = lingering (&c, LONG);
  pid_t first = assert_fresh (runner, &c, 0);
  g_autofree char *third = g_strdup_printf ("p%d-3", first);
  g_autoptr (GError) error = NULL;
  g_autofree char *signer = NULL;
  Wait wait;

  /* Settings and secrets are tables of their own each time. */
  assert_next (runner, &c, first, 2);
  ask_sign (runner, &c, &wait);
  signer = signed_by (runner, &wait, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (signer, ==, third);
  g_assert_cmpuint (dps_plugin_runner_count_processes (), ==, 1);
  end (runner, fds);
}

static void
test_none (void)
{
  Case c = { "hostile", "who" };
  g_autoptr (DpsPluginRunner) runner = runner_of (&c);
  pid_t first = assert_fresh (runner, &c, 0);

  assert_no_child ();
  assert_fresh (runner, &c, first);
}

static void
test_other_terms (void)
{
  static const Case others[] = {
    { "hostile", "who", "kez" },
    { "hostile", "who", NULL },
    { "hostile", "who", "key", .argument = "nothing" },
  };
  Case c = { "hostile", "who", "key" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  pid_t last = assert_fresh (runner, &c, 0);

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      last = assert_fresh (runner, &others[i], last);
      /* The one before was reaped before this one was there. */
      g_assert_cmpuint (dps_plugin_runner_count_processes (), ==, 1);
      last = assert_fresh (runner, &c, last);
    }
  assert_next (runner, &c, last, 2);
  dps_plugin_runner_set_allow_unix (runner, TRUE);
  assert_fresh (runner, &c, last);
  end (runner, fds);
}

/* The cause of a verb that succeeded is not that of the next, which fails without one. */
static void
test_cause (void)
{
  Case c = { "hostile", "cause tpm-lockout works" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  g_autoptr (GHashTable) settings = settings_of (&c);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GAsyncResult) described = NULL, forgotten = NULL;
  g_autoptr (GError) error = NULL;
  Wait wait;

  ask (runner, &c, NULL, &wait);
  wait_result (&wait);
  described = wait.result;
  description = dps_plugin_runner_describe_finish (runner, described, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (dps_plugin_runner_count_processes (), ==, 1);
  wait_start (&wait);
  dps_plugin_runner_forget_async (runner, settings, NULL, NULL, on_result, &wait);
  wait_result (&wait);
  forgotten = wait.result;
  g_assert_false (dps_plugin_runner_forget_finish (runner, forgotten, &error));
  assert_message (error->message, "plugin hostile: forget: the handle is in use");
  end (runner, fds);
}

static void
test_over (void)
{
  Case c = { "hostile", "who" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, 50);
  pid_t first = assert_fresh (runner, &c, 0);

  wait_gone ();
  assert_fds (fds);
  dps_plugin_runner_set_linger (runner, LONG);
  assert_fresh (runner, &c, first);
  g_assert_cmpuint (dps_plugin_runner_count_processes (), ==, 1);
  dps_plugin_runner_set_linger (runner, 0);
  end (runner, fds);
}

/* Until the process is dead, and without the main loop, which would be told. */
static void
kill_unseen (pid_t process)
{
  siginfo_t info = { 0 };

  g_assert_cmpint (kill (process, SIGKILL), ==, 0);
  g_assert_cmpint (waitid (P_PID, (id_t) process, &info, WEXITED | WNOWAIT), ==, 0);
}

static void
test_dies_idle (void)
{
  Case c = { "hostile", "who" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  pid_t process = assert_fresh (runner, &c, 0);

  kill_unseen (process);
  process = assert_fresh (runner, &c, process);
  g_assert_cmpint (kill (process, SIGKILL), ==, 0);
  wait_gone ();
  assert_fds (fds);
  assert_fresh (runner, &c, process);
  end (runner, fds);
}

#define H "plugin hostile: "
static const Failure failures[] = {
  { "crash",
    { "hostile", "who", .argument = "crash" },
    DPS_ERROR_FAILED,
    H "crashed with signal 11 in describe" },
  { "leaving",
    { "hostile", "who", .argument = "exit" },
    DPS_ERROR_FAILED,
    H "left with status 7 in describe" },
  { "garbage",
    { "hostile", "who", .argument = "garbage" },
    DPS_ERROR_FAILED,
    H "sent bytes that are no D-Bus message in describe" },
  { "error-of-its-own",
    { "hostile", "who", .argument = "bad-text" },
    DPS_ERROR_BUSY,
    H "describe: first second  [31m\xef\xbf\xbd" },
  { "bad-answer",
    { "hostile", "who", .argument = "bad-kind" },
    DPS_ERROR_REJECTED,
    H "describe: kind 77" },
  { "hang",
    { "hostile", "who", .verb_deadline = HUNG, .argument = "hang" },
    DPS_ERROR_TIMED_OUT,
    H "no answer in describe within 300 ms, it was ended" },
};

/* The second verb of a process fails. */
static void
test_second_fails (gconstpointer data)
{
  const Failure *failure = data;
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&failure->call, LONG);
  pid_t first = assert_fresh (runner, &failure->call, 0);
  g_autoptr (GError) error = NULL;
  Wait wait;

  ask (runner, &failure->call, NULL, &wait);
  g_assert_null (who_of (runner, &wait, &error));
  g_assert_error (error, DPS_ERROR, (gint) failure->code);
  assert_message (error->message, failure->text);
  assert_no_child ();
  assert_fds (fds);
  assert_fresh (runner, &failure->call, first);
  end (runner, fds);
}

/* Until a process waits in the kernel for good, as a verb that hangs does; there is one
 * child. */
static void
wait_until_paused (pid_t process)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/syscall", process);
  g_autofree char *expected = g_strdup_printf ("%d ", SYS_pause);
  gint64 limit = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  g_autofree char *found = NULL;

  do
    {
      g_main_context_iteration (NULL, FALSE);
      g_clear_pointer (&found, g_free);
      g_file_get_contents (path, &found, NULL, NULL);
      g_assert_cmpint (g_get_monotonic_time (), <, limit);
    }
  while (found == NULL || !g_str_has_prefix (found, expected));
}

/* One verb hangs and another waits for its turn. */
static void
test_cancelled (void)
{
  Case c = { "hostile", "who", .argument = "hang" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  g_autoptr (GCancellable) cancel_served = g_cancellable_new ();
  g_autoptr (GCancellable) cancel_queued = g_cancellable_new ();
  pid_t first = assert_fresh (runner, &c, 0);
  g_autoptr (GError) error = NULL;
  Wait served, queued;

  ask (runner, &c, cancel_served, &served);
  ask (runner, &c, cancel_queued, &queued);
  wait_until_paused (first);
  g_cancellable_cancel (cancel_queued);
  g_assert_null (who_of (runner, &queued, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (served.result);
  g_cancellable_cancel (cancel_served);
  g_assert_null (who_of (runner, &served, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_message (error->message, H "cancelled in describe");
  assert_no_child ();
  assert_fresh (runner, &c, first);
  end (runner, fds);
}

/* Nothing was asked of the process that is kept, and whoever is next in line has it. */
static void
test_cancelled_before (void)
{
  Case c = { "hostile", "who" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  pid_t process = assert_fresh (runner, &c, 0);
  g_autoptr (GError) error = NULL;
  g_autofree char *expected = g_strdup_printf ("p%d-2", process);
  g_autofree char *found = NULL;
  Wait cancelled, next;

  g_cancellable_cancel (cancellable);
  ask (runner, &c, cancellable, &cancelled);
  ask (runner, &c, NULL, &next);
  g_assert_null (who_of (runner, &cancelled, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  found = who_of (runner, &next, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (found, ==, expected);
  assert_next (runner, &c, process, 3);
  end (runner, fds);
}

static void
test_queue (void)
{
  enum
  {
    N = 5
  };
  Case c = { "hostile", "who" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  pid_t process = 0;
  Wait waits[N];

  for (guint i = 0; i < N; i++)
    ask (runner, &c, NULL, &waits[i]);
  g_assert_cmpuint (dps_plugin_runner_count_processes (), ==, 1);
  for (guint i = 0; i < N; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *found = who_of (runner, &waits[i], &error);
      g_autofree char *expected = NULL;

      g_assert_no_error (error);
      process = i == 0 ? pid_of (found) : process;
      expected = g_strdup_printf ("p%d-%u", process, i + 1);
      g_assert_cmpstr (found, ==, expected);
    }
  end (runner, fds);
}

/* A TPM that is one end of a socket pair each time; the other end is kept. */
typedef struct
{
  int peer;
  guint opened;
  gboolean destroyed;
} Tpm;

static int
open_pair (gpointer data, GError **error)
{
  Tpm *tpm = data;
  int pair[2];

  dps_close_fd (&tpm->peer);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  tpm->peer = pair[1];
  tpm->opened++;
  return pair[0];
}

static void
on_tpm_destroyed (gpointer data)
{
  ((Tpm *) data)->destroyed = TRUE;
}

static void
test_tpm (void)
{
  Case c = { "hostile", "who" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  Tpm tpm = { -1 }, other = { -1 };
  pid_t process;
  char byte;

  dps_plugin_runner_set_tpm (runner, open_pair, &tpm, on_tpm_destroyed);
  process = assert_fresh (runner, &c, 0);
  assert_next (runner, &c, process, 2);
  g_assert_cmpuint (tpm.opened, ==, 1);
  g_assert_cmpint (recv (tpm.peer, &byte, 1, MSG_DONTWAIT), ==, -1);
  g_assert_cmpint (kill (process, SIGKILL), ==, 0);
  wait_gone ();
  /* Nobody else held it. */
  g_assert_cmpint (recv (tpm.peer, &byte, 1, MSG_DONTWAIT), ==, 0);
  process = assert_fresh (runner, &c, process);
  g_assert_cmpuint (tpm.opened, ==, 2);
  dps_plugin_runner_set_tpm (runner, open_pair, &other, NULL);
  g_assert_true (tpm.destroyed);
  assert_fresh (runner, &c, process);
  g_assert_cmpuint (other.opened, ==, 1);
  g_assert_cmpint (recv (tpm.peer, &byte, 1, MSG_DONTWAIT), ==, 0);
  dps_close_fd (&tpm.peer);
  dps_close_fd (&other.peer);
  end (runner, fds);
}

/* A signature that takes 6 s comes too late without a TPM, and in time with one. */
static void
test_deadline_with_a_tpm (void)
{
  Case c = { "hostile", "slow" };
  guint fds = count_fds ();
  DpsPluginRunner *plain = runner_of (&c);
  DpsPluginRunner *with_tpm = runner_of (&c);
  g_autoptr (GError) late = NULL, error = NULL;
  g_autofree char *nothing = NULL, *signature = NULL;
  Wait plain_wait, wait;
  Tpm tpm = { -1 };

  dps_plugin_runner_set_tpm (with_tpm, open_pair, &tpm, NULL);
  ask_sign (plain, &c, &plain_wait);
  ask_sign (with_tpm, &c, &wait);
  nothing = signed_by (plain, &plain_wait, &late);
  g_assert_error (late, DPS_ERROR, DPS_ERROR_TIMED_OUT);
  assert_message (late->message, H "no answer in sign within 5000 ms, it was ended");
  signature = signed_by (with_tpm, &wait, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (signature, ==, "hub HMAC-SHA256  data");
  dps_close_fd (&tpm.peer);
  g_object_unref (plain);
  end (with_tpm, fds);
}

static int
open_tcti (gpointer data, GError **error)
{
  return dps_tpm_device_open (data, error);
}

static void
test_tpm_fails (void)
{
  Case c = { "hostile", "who" };
  guint fds = count_fds ();
  DpsPluginRunner *runner = lingering (&c, LONG);
  g_autoptr (GError) error = NULL;
  Wait wait;

  dps_plugin_runner_set_tpm (runner, open_tcti, g_strdup ("device:/nowhere"), g_free);
  ask (runner, &c, NULL, &wait);
  g_assert_cmpuint (dps_plugin_runner_count_processes (), ==, 0);
  g_assert_null (who_of (runner, &wait, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  assert_message (error->message, H "the device '/nowhere' is not there");
  dps_plugin_runner_set_tpm (runner, NULL, NULL, NULL);
  assert_fresh (runner, &c, 0);
  end (runner, fds);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* The bus library warns of garbage by itself; that is what is provoked here. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  dps_secret_init ();
  world_make ();
  install ("plugins/hostile.so", "hostile");
  atexit (world_unmake);
  /* The first call starts the bus library's thread, which stays. */
  dps_plugin_probe_free (probe (&(Case){ "hostile", NULL, NULL }));
  g_test_add_func ("/plugin/linger/serves-the-next", test_next);
  g_test_add_func ("/plugin/linger/not-unasked", test_none);
  g_test_add_func ("/plugin/linger/not-for-other-settings", test_other_terms);
  g_test_add_func ("/plugin/linger/cause", test_cause);
  g_test_add_func ("/plugin/linger/is-over", test_over);
  g_test_add_func ("/plugin/linger/dies-idle", test_dies_idle);
  add_table ("/plugin/linger/ends-with",
             failures,
             G_N_ELEMENTS (failures),
             test_second_fails);
  g_test_add_func ("/plugin/linger/cancelled", test_cancelled);
  g_test_add_func ("/plugin/linger/cancelled-before-it-begins", test_cancelled_before);
  g_test_add_func ("/plugin/linger/one-after-another", test_queue);
  g_test_add_func ("/plugin/linger/tpm-of-its-own", test_tpm);
  g_test_add_func ("/plugin/linger/tpm-that-does-not-open", test_tpm_fails);
  g_test_add_func ("/plugin/linger/deadline-with-a-tpm", test_deadline_with_a_tpm);
  return g_test_run ();
}
