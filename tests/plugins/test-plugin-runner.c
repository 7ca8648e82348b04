/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "plugin-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* The promise: whatever a plugin does, the agent goes on, says by name what happened, and
 * neither a process nor a descriptor is left. Each call below checks all of that. */

#define H "plugin hostile: "
static const Failure failures[] = {
  { "crashes",
    { "hostile", "crash" },
    DPS_ERROR_FAILED,
    H "crashed with signal 11 in describe" },
  { "aborts",
    { "hostile", "abort" },
    DPS_ERROR_FAILED,
    H "crashed with signal 6 in describe" },
  { "leaves",
    { "hostile", "exit" },
    DPS_ERROR_FAILED,
    H "left with status 7 in describe" },
  { "crashes-in-its-constructor",
    { "ctor-crash" },
    DPS_ERROR_FAILED,
    "plugin ctor-crash: crashed with signal 11 in load" },
  { "leaves-in-its-constructor",
    { "ctor-leave" },
    DPS_ERROR_FAILED,
    "plugin ctor-leave: left with status 3 in load" },
  { "writes-garbage-everywhere",
    { "hostile", "garbage" },
    DPS_ERROR_FAILED,
    H "sent bytes that are no D-Bus message in describe" },
  { "speaks-another-abi",
    { "wrong-abi" },
    DPS_ERROR_REJECTED,
    "plugin wrong-abi: speaks ABI 7, this agent ABI 1; install versions that match" },
  { "has-another-size",
    { "wrong-size" },
    DPS_ERROR_REJECTED,
    "plugin wrong-size: says that its dps_plugin_info has 8 bytes*" },
  { "exports-nothing",
    { "no-symbol" },
    DPS_ERROR_REJECTED,
    "plugin no-symbol: exports no dps_plugin_info: it is no plugin of dps-agent" },
  { "has-another-name",
    { "renamed" },
    DPS_ERROR_REJECTED,
    "plugin renamed: does not call itself 'renamed'*" },
  { "is-no-shared-object",
    { "text" },
    DPS_ERROR_REJECTED,
    "plugin text: can not be loaded: *" },
  { "is-not-there",
    { "absent" },
    DPS_ERROR_NOT_SUPPORTED,
    "plugin absent: there is no*" },
  { "is-group-writable",
    { "group-writable" },
    DPS_ERROR_ACCESS_DENIED,
    "plugin group-writable: '*" },
  { "is-another-users", { "foreign" }, DPS_ERROR_ACCESS_DENIED, "plugin foreign: '*" },
  { "is-a-link-to-elsewhere",
    { "linked" },
    DPS_ERROR_ACCESS_DENIED,
    "plugin linked: '*" },
  { "is-a-fifo", { "fifo" }, DPS_ERROR_ACCESS_DENIED, "plugin fifo: '*" },
  { "climbs-out-by-name",
    { "../hostile" },
    DPS_ERROR_INVALID_ARGUMENT,
    "plugin ../hostile: a plugin name has only*" },
  { "is-an-option-by-name",
    { "--help" },
    DPS_ERROR_NOT_SUPPORTED,
    "plugin --help: there is no '--help.so'*" },
  { "claims-two-gigabytes",
    { "hostile", "huge-key" },
    DPS_ERROR_LIMITS_EXCEEDED,
    H "describe: a key of 2147483648 bytes, where 16 to 64 are allowed" },
  { "gives-an-id-without-end",
    { "hostile", "long-id" },
    DPS_ERROR_LIMITS_EXCEEDED,
    H "describe: a registration id of more than the 128 bytes allowed" },
  { "gives-too-much-material",
    { "hostile", "much-material" },
    DPS_ERROR_LIMITS_EXCEEDED,
    H "describe: material of more than the 16 items allowed" },
  { "gives-no-kind",
    { "hostile", "bad-kind" },
    DPS_ERROR_REJECTED,
    H "describe: kind 77" },
  { "gives-a-bad-id",
    { "hostile", "bad-id" },
    DPS_ERROR_REJECTED,
    H "describe: a registration id has only*" },
  { "gives-no-key",
    { "hostile", "no-key" },
    DPS_ERROR_REJECTED,
    H "describe: a key of 0 bytes, where 16 to 64 are allowed" },
  { "gives-no-result",
    { "hostile", "bad-result" },
    DPS_ERROR_REJECTED,
    H "describe: returned 99, which is no result" },
  { "puts-controls-in-its-text",
    { "hostile", "bad-text" },
    DPS_ERROR_BUSY,
    H "describe: first second  [31m\xef\xbf\xbd" },
  { "names-a-cause",
    { "hostile", "cause tpm-lockout fails" },
    DPS_ERROR_BUSY,
    H "[tpm-lockout] describe: [text] of its own" },
  { "names-the-longest-cause",
    { "hostile", "cause abcdefghijklmnopqrstuvwxyz012345 fails" },
    DPS_ERROR_BUSY,
    H "[abcdefghijklmnopqrstuvwxyz012345] describe: [text] of its own" },
  { "names-too-long-a-cause",
    { "hostile", "cause abcdefghijklmnopqrstuvwxyz0123456 fails" },
    DPS_ERROR_BUSY,
    H "describe: [text] of its own" },
  { "names-no-word",
    { "hostile", "cause tpm] lockout fails" },
    DPS_ERROR_BUSY,
    H "describe: [text] of its own" },
  { "takes-its-cause-back",
    { "hostile", "cause tpm-lockout is-taken-back" },
    DPS_ERROR_BUSY,
    H "describe: [text] of its own" },
};

static const Failure hangs[] = {
  { "in-describe",
    { "hostile", "hang" },
    DPS_ERROR_TIMED_OUT,
    H "no answer in describe within 300 ms, it was ended" },
  { "spinning",
    { "hostile", "spin" },
    DPS_ERROR_TIMED_OUT,
    H "no answer in describe within 300 ms, it was ended" },
  { "stopped",
    { "hostile", "stop" },
    DPS_ERROR_TIMED_OUT,
    H "no answer in describe within 300 ms, it was ended" },
  { "in-its-constructor",
    { "ctor-hang" },
    DPS_ERROR_TIMED_OUT,
    "plugin ctor-hang: no answer in load within 300 ms, it was ended" },
};

#define S "plugin symmetric-key: describe: "
static const Failure keys[] = {
  { "missing",
    { "symmetric-key", NULL, NULL },
    DPS_ERROR_NOT_CONFIGURED,
    S
    "there is no key: set key-file= in [plugin symmetric-key] or run dpsctl import-key" },
  { "empty",
    { "symmetric-key", NULL, " \n" },
    DPS_ERROR_NOT_CONFIGURED,
    S "the key is empty; there is no key*" },
  { "cut",
    { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5PUFFS=" },
    DPS_ERROR_INVALID_ARGUMENT,
    S "the key is not base64 (RFC 4648, padded, one line): its length*" },
  { "url-alphabet",
    { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5PUF-_" },
    DPS_ERROR_INVALID_ARGUMENT,
    S "the key is not base64 (RFC 4648, padded, one line): it has a character*" },
  { "padding-inside",
    { "symmetric-key", NULL, "QUI=REVGR0hJSktMTU5PUFFS" },
    DPS_ERROR_INVALID_ARGUMENT,
    S "the key is not base64 (RFC 4648, padded, one line): it has a character*" },
  { "stray-bits",
    { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5PUFFSUx==" },
    DPS_ERROR_INVALID_ARGUMENT,
    S "the key is not base64 (RFC 4648, padded, one line): its last character*" },
  { "too-short",
    { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5P" },
    DPS_ERROR_INVALID_ARGUMENT,
    S "the key has 15 bytes, where a device key has 16 to 64;*" },
  { "too-long",
    { "symmetric-key",
      NULL,
      "QUJDREVGR0hJSktMTU5PUFFSQUJDREVGR0hJSktMTU5PUFFSQUJDREVGR0hJSktMTU5PUFFSQUJDREVG"
      "R0hJSktMTU5PUFFS" },
    DPS_ERROR_INVALID_ARGUMENT,
    S "the key has 72 bytes, where a device key has 16 to 64;*" },
};

static void
test_key (void)
{
  Case call = { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5PUFFSUw==\r\n" };
  guint before = count_fds ();
  g_autoptr (DpsPluginRunner) runner = runner_of (&call);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;

  description = describe_with (runner, &call, NULL, &error);
  g_assert_no_error (error);
  assert_fds (before);
  g_assert_cmpstr (description->kind, ==, "symmetric-key");
  g_assert_null (description->registration_id);
  g_assert_null (description->enrollment);
  g_assert_cmpuint (g_hash_table_size (description->material), ==, 0);
  g_assert_cmpmem (dps_secret_data (description->key),
                   dps_secret_size (description->key),
                   "ABCDEFGHIJKLMNOPQRS",
                   19);
  g_assert_cmpint (dps_plugin_runner_get_start_time (runner), >, 0);
}

static void
test_probe (void)
{
  static const struct
  {
    Case call;
    DpsPluginAvailability availability;
    const char *reason;
  } rows[] = {
    { { "symmetric-key", NULL, "QUJD" }, DPS_PLUGIN_AVAILABLE_NOW, "" },
    { { "symmetric-key", NULL, NULL },
      DPS_PLUGIN_AVAILABLE_LATER,
      "there is no key: set key-file= in [plugin symmetric-key] or run dpsctl "
      "import-key" },
    { { "hostile", NULL, NULL }, DPS_PLUGIN_AVAILABLE_NEVER, "hostile" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      Case call = rows[i].call;
      g_autoptr (DpsPluginProbe) found = probe (&call);

      g_assert_cmpint (found->availability, ==, rows[i].availability);
      g_assert_cmpstr (found->reason, ==, rows[i].reason);
    }
}

static DpsSecret *
answer (const char *behave, GError **error)
{
  Case call = { "hostile", behave };
  g_autoptr (DpsPluginRunner) runner = runner_of (&call);
  g_autoptr (GHashTable) settings = settings_of (&call);
  g_autoptr (DpsSecret) challenge = dps_secret_new ("abc", 3);
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_answer_async (runner,
                                  settings,
                                  NULL,
                                  challenge,
                                  NULL,
                                  on_result,
                                  &wait);
  wait_end (&wait);
  result = wait.result;
  return dps_plugin_runner_answer_finish (runner, result, error);
}

static void
test_answer (void)
{
  guint before = count_fds ();
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) blob = answer (NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpmem (dps_secret_data (blob), dps_secret_size (blob), "cba", 3);
  g_assert_null (answer ("huge", &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
  g_assert_cmpstr (error->message,
                   ==,
                   "plugin hostile: answer: a blob of 16385 bytes, where 1 to 16384 are "
                   "allowed");
  assert_fds (before);
}

static GBytes *
sign (const char *plugin, DpsSecret *blob, GError **error)
{
  Case call = { plugin, NULL };
  g_autoptr (DpsPluginRunner) runner = runner_of (&call);
  g_autoptr (GBytes) data = g_bytes_new_static ("data", 4);
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_sign_async (runner,
                                NULL,
                                NULL,
                                "hub",
                                "HMAC-SHA256",
                                blob,
                                data,
                                NULL,
                                on_result,
                                &wait);
  wait_end (&wait);
  result = wait.result;
  return dps_plugin_runner_sign_finish (runner, result, error);
}

static void
test_sign (void)
{
  g_autoptr (DpsSecret) blob = dps_secret_new ("blob", 4);
  guint before = count_fds ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) signature = sign ("hostile", blob, &error);

  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (signature, NULL),
                   g_bytes_get_size (signature),
                   "hub HMAC-SHA256 blob data",
                   25);
  g_assert_null (sign ("symmetric-key", NULL, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
  assert_fds (before);
}

static gboolean
forget (const char *plugin, const char *behave, GError **error)
{
  Case c = { plugin, .behave = behave };
  g_autoptr (GHashTable) settings = settings_of (&c);
  g_autoptr (DpsPluginRunner) runner = runner_of (&c);
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_forget_async (runner, settings, NULL, NULL, on_result, &wait);
  wait_end (&wait);
  result = wait.result;
  return dps_plugin_runner_forget_finish (runner, result, error);
}

static void
test_forget (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (forget ("hostile", NULL, &error));
  g_assert_no_error (error);
  g_assert_false (forget ("hostile", "no", &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_BUSY);
  assert_message (error->message, H "forget: the handle is in use");
  g_clear_error (&error);
  g_assert_false (forget ("symmetric-key", NULL, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
}

static void
test_tpm (void)
{
  Case call = { "hostile", "tpm" };
  g_autoptr (DpsPluginRunner) runner = runner_of (&call);
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  char buffer[8] = "";
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  dps_plugin_runner_set_tpm (runner, open_copy, &pair[0], NULL);
  description = describe_with (runner, &call, NULL, &error);
  close (pair[0]);
  g_assert_no_error (error);
  g_assert_cmpint (read (pair[1], buffer, sizeof buffer), ==, 4);
  g_assert_cmpstr (buffer, ==, "ping");
  close (pair[1]);
}

static void
test_flood (void)
{
  Case call = { "hostile", "flood" };
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginDescription) description = describe (&call, &error);

  g_assert_no_error (error);
  g_assert_nonnull (description);
}

static gboolean
on_cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

static void
test_cancel (void)
{
  static const guint after[] = { 0, 1, 3, 20, 100 };
  Case call = { "hostile", "hang" };
  guint before = count_fds ();

  for (gsize i = 0; i < G_N_ELEMENTS (after); i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (DpsPluginRunner) runner = runner_of (&call);
      g_autoptr (GError) error = NULL;

      if (after[i] == 0)
        g_cancellable_cancel (cancellable);
      else
        g_timeout_add (after[i], on_cancel, cancellable);
      g_assert_null (describe_with (runner, &call, cancellable, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_true (g_str_has_prefix (error->message, "plugin hostile: cancelled in "));
    }
  assert_fds (before);
}

/* A host that is not there, and one that never speaks D-Bus. */
static void
test_host (void)
{
  static const struct
  {
    const char *path;
    DpsError code;
    const char *text;
  } rows[] = {
    { "/usr/bin/false", DPS_ERROR_FAILED, H "left with status 1 in start" },
    { "/nonexistent", DPS_ERROR_FAILED, H "starting '/nonexistent'*" },
  };
  Case call = { "hostile" };
  guint before = count_fds ();

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsPluginRunner) runner =
          dps_plugin_runner_new (rows[i].path, NULL, "hostile");
      g_autoptr (GError) error = NULL;

      g_assert_null (describe_with (runner, &call, NULL, &error));
      g_assert_error (error, DPS_ERROR, (gint) rows[i].code);
      assert_message (error->message, rows[i].text);
    }
  assert_fds (before);
}

static void
test_mute_host (void)
{
  Case call = { "hostile" };
  guint before = count_fds ();
  g_autofree char *mute = g_build_filename (world.root, "mute", NULL);
  g_autoptr (DpsPluginRunner) runner = dps_plugin_runner_new (mute, NULL, "hostile");
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (mute, "#!/bin/sh\nexec sleep 60\n", -1, NULL));
  g_assert_cmpint (g_chmod (mute, 0755), ==, 0);
  dps_plugin_runner_set_deadlines (runner, HUNG, 0);
  g_assert_null (describe_with (runner, &call, NULL, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_TIMED_OUT);
  g_assert_cmpstr (error->message,
                   ==,
                   H "no answer in start within 300 ms, it was ended");
  g_assert_cmpuint (call.ticks, >=, MIN_TICKS);
  assert_fds (before);
}

/* Runs a shell script in the place of the host, until its deadline. */
static void
run_script (const char *script)
{
  Case call = { "hostile" };
  g_autofree char *path = g_build_filename (world.root, "script", NULL);
  g_autoptr (DpsPluginRunner) runner = dps_plugin_runner_new (path, NULL, "hostile");
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, script, -1, NULL));
  g_assert_cmpint (g_chmod (path, 0755), ==, 0);
  dps_plugin_runner_set_deadlines (runner, HUNG, 0);
  g_assert_null (describe_with (runner, &call, NULL, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_TIMED_OUT);
}

/* Whether the process is there; one that nobody has reaped yet is not. */
static gboolean
is_running (const char *pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%s/stat", pid);
  g_autofree char *stat = NULL;

  return g_file_get_contents (path, &stat, NULL, NULL) && strstr (stat, ") Z ") == NULL;
}

static void
test_host_with_children (void)
{
  g_autofree char *note = g_build_filename (world.root, "pid", NULL);
  g_autofree char *script =
      g_strdup_printf ("#!/bin/sh\nsleep 60 & echo $! >%s; wait\n", note);
  gint64 limit = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;
  g_autofree char *pid = NULL;

  run_script (script);
  g_assert_true (g_file_get_contents (note, &pid, NULL, NULL));
  g_strchomp (pid);
  g_assert_cmpstr (pid, !=, "");
  while (is_running (pid) && g_get_monotonic_time () < limit)
    g_usleep (1000);
  g_assert_false (is_running (pid));
}

/* No credentials directory, no bus address, no library to load first; and a library of
 * the TPM's that is quiet. */
static void
test_environment (void)
{
  static const char *const allowed[] = { "PATH",         "LANG",          "TSS2_LOG",
                                         "ASAN_OPTIONS", "UBSAN_OPTIONS", NULL };
  g_autofree char *note = g_build_filename (world.root, "environment", NULL);
  g_autofree char *script =
      g_strdup_printf ("#!/bin/sh\ncat /proc/$$/environ >%s; exec sleep 60\n", note);
  g_autofree char *found = NULL;
  gboolean quiet = FALSE;
  gsize size;

  g_setenv ("CREDENTIALS_DIRECTORY", "/run/credentials/secret", TRUE);
  run_script (script);
  g_assert_true (g_file_get_contents (note, &found, &size, NULL));
  g_assert_cmpuint (size, >, 0);
  for (const char *at = found; at < found + size; at += strlen (at) + 1)
    {
      g_autofree char *name = g_strndup (at, strcspn (at, "="));

      g_assert_true (g_strv_contains (allowed, name));
      quiet |= g_str_equal (at, "TSS2_LOG=all+none");
    }
  g_assert_true (quiet);
}

static void
test_parallel (void)
{
  enum
  {
    N = 5
  };
  Case call = { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5PUFFSUw==" };
  g_autoptr (DpsPluginRunner) runner = runner_of (&call);
  g_autoptr (GHashTable) secrets = secrets_of (&call);
  guint before = count_fds ();
  Wait waits[N];

  for (int i = 0; i < N; i++)
    {
      wait_start (&waits[i]);
      dps_plugin_runner_describe_async (runner,
                                        NULL,
                                        secrets,
                                        NULL,
                                        on_result,
                                        &waits[i]);
    }
  for (int i = 0; i < N; i++)
    {
      g_autoptr (DpsPluginDescription) description = NULL;
      g_autoptr (GError) error = NULL;

      while (waits[i].result == NULL)
        g_main_context_iteration (NULL, TRUE);
      description = dps_plugin_runner_describe_finish (runner, waits[i].result, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (dps_secret_size (description->key), ==, 19);
      g_object_unref (waits[i].result);
      g_main_loop_unref (waits[i].loop);
    }
  assert_no_child ();
  assert_fds (before);
}

static void
become_nobody (gpointer data)
{
  if (setgroups (0, NULL) < 0 || setresgid (65534, 65534, 65534) < 0 ||
      setresuid (65534, 65534, 65534) < 0)
    _exit (99);
}

/* The second life of this program: one call, as a user without any privilege. */
static int
run_unprivileged (char **argv)
{
  Case call = { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5PUFFSUw==" };
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginRunner) runner = NULL;

  world = (World){ .host = argv[2], .plugins = argv[3], .state_file = argv[3] };
  runner = runner_of (&call);
  description = describe_with (runner, &call, NULL, &error);
  if (description == NULL)
    g_printerr ("%s\n", error->message);
  return description != NULL && dps_secret_size (description->key) == 19 ? 0 : 1;
}

/* As in production: the agent is not root, and its child, which is not dumpable, owns
 * nothing below /proc/self. */
static void
test_unprivileged (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  char *argv[] = { self, (char *) "--unprivileged", world.host, world.plugins, NULL };
  g_autoptr (GError) error = NULL;
  int status = -1;

  if (!g_spawn_sync (NULL,
                     argv,
                     NULL,
                     G_SPAWN_DEFAULT,
                     become_nobody,
                     NULL,
                     NULL,
                     NULL,
                     &status,
                     &error))
    {
      g_test_skip ("the build directory is closed to other users");
      return;
    }
  g_assert_true (g_spawn_check_wait_status (status, &error));
}

/* Informational: a figure of a loaded machine proves nothing. */
static void
test_start_time (void)
{
  gint64 best = G_MAXINT64, worst = 0;

  for (int i = 0; i < 10; i++)
    {
      Case call = { "symmetric-key", NULL, "QUJDREVGR0hJSktMTU5PUFFSUw==" };
      g_autoptr (DpsPluginRunner) runner = runner_of (&call);
      g_autoptr (DpsPluginDescription) description =
          describe_with (runner, &call, NULL, NULL);

      g_assert_nonnull (description);
      best = MIN (best, dps_plugin_runner_get_start_time (runner));
      worst = MAX (worst, dps_plugin_runner_get_start_time (runner));
    }
  g_test_message ("spawn to first reply, 10 runs: %.1f to %.1f ms",
                  (double) best / 1000,
                  (double) worst / 1000);
  g_assert_cmpint (best, >, 0);
}

static void
install_untrusted (void)
{
  g_autofree char *writable = plugin_path ("group-writable");
  g_autofree char *foreign = plugin_path ("foreign");
  g_autofree char *linked = plugin_path ("linked");
  g_autofree char *fifo = plugin_path ("fifo");
  g_autofree char *text = plugin_path ("text");
  g_autofree char *outside = g_build_filename (world.root, "outside.so", NULL);
  g_autofree char *hostile = plugin_path ("hostile");

  install ("plugins/hostile.so", "group-writable");
  g_assert_cmpint (g_chmod (writable, 0664), ==, 0);
  install ("plugins/hostile.so", "foreign");
  g_assert_cmpint (chown (foreign, 65534, 65534), ==, 0);
  g_assert_cmpint (link (hostile, outside), ==, 0);
  g_assert_cmpint (symlink (outside, linked), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0644), ==, 0);
  g_assert_true (g_file_set_contents (text, "no shared object", -1, NULL));
  g_assert_cmpint (g_chmod (text, 0644), ==, 0);
}

static void
install_plugins (void)
{
  static const char *const names[] = { "hostile",    "ctor-crash", "ctor-hang",
                                       "ctor-leave", "wrong-abi",  "wrong-size",
                                       "no-symbol" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *built = g_strdup_printf ("plugins/%s.so", names[i]);

      install (built, names[i]);
    }
  install ("../plugins/symmetric-key/symmetric-key.so", "symmetric-key");
  install ("../plugins/symmetric-key/symmetric-key.so", "renamed");
  install_untrusted ();
}

int
main (int argc, char **argv)
{
  if (argc == 4 && g_str_equal (argv[1], "--unprivileged"))
    return run_unprivileged (argv);
  g_test_init (&argc, &argv, NULL);
  /* The bus library warns of garbage by itself; that is what is provoked here. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  dps_secret_init ();
  world_make ();
  install_plugins ();
  /* Listing the tests leaves from within the test library. */
  atexit (world_unmake);
  /* The first call starts the bus library's thread, which stays. */
  dps_plugin_probe_free (probe (&(Case){ "symmetric-key", NULL, "QUJD" }));
  g_test_add_func ("/plugin/symmetric-key/gives-the-key", test_key);
  add_table ("/plugin/symmetric-key/refuses-key",
             keys,
             G_N_ELEMENTS (keys),
             test_failure);
  add_table ("/plugin/outlives", failures, G_N_ELEMENTS (failures), test_failure);
  add_table ("/plugin/deadline", hangs, G_N_ELEMENTS (hangs), test_hang);
  g_test_add_func ("/plugin/deadline/of-a-mute-host", test_mute_host);
  g_test_add_func ("/plugin/deadline/of-a-host-with-children", test_host_with_children);
  g_test_add_func ("/plugin/environment", test_environment);
  g_test_add_func ("/plugin/probe", test_probe);
  g_test_add_func ("/plugin/answer", test_answer);
  g_test_add_func ("/plugin/sign", test_sign);
  g_test_add_func ("/plugin/forget", test_forget);
  g_test_add_func ("/plugin/tpm-descriptor", test_tpm);
  g_test_add_func ("/plugin/flood-of-output", test_flood);
  g_test_add_func ("/plugin/cancelled", test_cancel);
  g_test_add_func ("/plugin/host-that-is-none", test_host);
  g_test_add_func ("/plugin/unprivileged", test_unprivileged);
  g_test_add_func ("/plugin/parallel", test_parallel);
  g_test_add_func ("/plugin/start-time", test_start_time);
  return g_test_run ();
}
