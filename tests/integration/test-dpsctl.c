/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stand-in.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <pty.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BASE64_KEY "c2VjcmV0LWtleS1vZi1hLWRldmljZS1mb3ItdGVzdHM="

static const char *dpsctl;
static const char *self_path;
static char *scratch;

typedef struct
{
  GTestDBus *bus;
  const char *address;
  StandIn *agent;
  /* Of the last run. */
  int exit;
  char *out;
  char *err;
} Fixture;

/* With service data the bus can start a stand-in by itself, which is provisioned. */
#define ACTIVATABLE "activatable"

static void
write_service (void)
{
  g_autofree char *file = g_build_filename (scratch, "org.dpsagent.Agent1.service", NULL);
  g_autofree char *text =
      g_strdup_printf ("[D-BUS Service]\nName=org.dpsagent.Agent1\nExec=%s --stand-in\n",
                       self_path);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (file, text, -1, &error);
  g_assert_no_error (error);
}

static void
remove_file (const char *name)
{
  g_autofree char *file = g_build_filename (scratch, name, NULL);

  g_unlink (file);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  scratch = g_strdup ("/run/dps-test.XXXXXX");
  g_assert_nonnull (g_mkdtemp (scratch));
  f->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  if (data != NULL)
    {
      write_service ();
      g_test_dbus_add_service_dir (f->bus, scratch);
    }
  g_test_dbus_up (f->bus);
  f->address = g_test_dbus_get_bus_address (f->bus);
  f->agent = stand_in_new (f->address);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_clear_pointer (&f->agent, stand_in_free);
  g_test_dbus_down (f->bus);
  g_clear_object (&f->bus);
  remove_file ("org.dpsagent.Agent1.service");
  g_assert_cmpint (g_rmdir (scratch), ==, 0);
  g_clear_pointer (&scratch, g_free);
  g_free (f->out);
  g_free (f->err);
}

/* All of dpsctl's command line behind the bus address. */
static char **
collect (Fixture *f, va_list args)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  const char *arg;

  g_ptr_array_add (argv, g_strdup (dpsctl));
  g_ptr_array_add (argv, g_strdup ("--bus-address"));
  g_ptr_array_add (argv, g_strdup (f->address));
  while ((arg = va_arg (args, const char *)) != NULL)
    g_ptr_array_add (argv, g_strdup (arg));
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}

static void
on_result (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static void
communicate (Fixture *f, GSubprocess *child, const char *input)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&f->out, g_free);
  g_clear_pointer (&f->err, g_free);
  g_subprocess_communicate_utf8_async (child, input, NULL, on_result, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_subprocess_communicate_utf8_finish (child, result, &f->out, &f->err, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (child));
  f->exit = g_subprocess_get_exit_status (child);
}

static void
run_with (Fixture *f, const char *input, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) child =
      g_subprocess_newv ((const char *const *) argv,
                         G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                             G_SUBPROCESS_FLAGS_STDERR_PIPE,
                         &error);

  g_assert_no_error (error);
  communicate (f, child, input);
}

static void G_GNUC_NULL_TERMINATED
run (Fixture *f, ...)
{
  g_auto (GStrv) argv = NULL;
  va_list args;

  va_start (args, f);
  argv = collect (f, args);
  va_end (args);
  run_with (f, "", argv);
}

static void
assert_exit (Fixture *f, int expected)
{
  if (f->exit != expected)
    g_test_message ("stdout: %s\nstderr: %s", f->out, f->err);
  g_assert_cmpint (f->exit, ==, expected);
}

static void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("'%s' is not in '%s'", part, text);
}

static void
assert_lacks (const char *text, const char *part)
{
  if (strstr (text, part) != NULL)
    g_error ("'%s' is in '%s'", part, text);
}

/* The output is one JSON object on one line. */
static JsonObject *
parse_json (Fixture *f, JsonParser *parser)
{
  g_autoptr (GError) error = NULL;
  const char *newline = strchr (f->out, '\n');

  g_assert_nonnull (newline);
  g_assert_cmpstr (newline, ==, "\n");
  json_parser_load_from_data (parser, f->out, -1, &error);
  g_assert_no_error (error);
  g_assert_true (JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)));
  return json_node_get_object (json_parser_get_root (parser));
}

static void
test_errors (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *name;
    int exit;
    const char *remedy;
  } rows[] = {
    { "org.dpsagent.Error.Failed", 1, "" },
    { "org.dpsagent.Error.AccessDenied", 4, "dps-agent-admin" },
    { "org.dpsagent.Error.InvalidArgument", 1, "" },
    { "org.dpsagent.Error.NotConfigured", 6, "agent.conf.d" },
    { "org.dpsagent.Error.NotProvisioned", 3, "dpsctl provision" },
    { "org.dpsagent.Error.NotSupported", 1, "" },
    { "org.dpsagent.Error.Busy", 1, "dpsctl cancel" },
    { "org.dpsagent.Error.Rejected", 1, "" },
    { "org.dpsagent.Error.LimitsExceeded", 1, "" },
    { "org.dpsagent.Error.TimedOut", 5, "" },
    { "org.dpsagent.Error.OfALaterVersion", 1, "" },
    { "org.freedesktop.DBus.Error.AccessDenied", 4, "root" },
    { "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", 4, "root" },
    { "org.freedesktop.DBus.Error.ServiceUnknown", 1, "systemctl status dps-agent" },
    { "org.freedesktop.DBus.Error.NoReply", 5, "systemctl status dps-agent" },
    { "org.freedesktop.DBus.Error.TimedOut", 5, "systemctl status dps-agent" },
    { "org.freedesktop.DBus.Error.Spawn.ChildExited", 1, "systemctl status dps-agent" },
    { "org.freedesktop.systemd1.NoSuchUnit", 1, "systemctl status dps-agent" },
    { "com.example.Odd", 1, "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (JsonParser) parser = json_parser_new ();
      JsonObject *error;

      f->agent->error_name = rows[i].name;
      f->agent->error_message = "site.conf:3: [network] no such key 'adress'";
      run (f, "--json", "reload", NULL);
      g_test_message ("%s", rows[i].name);
      assert_exit (f, rows[i].exit);
      g_assert_true (g_str_has_prefix (f->err, "dpsctl: "));
      if (*rows[i].remedy != '\0')
        assert_contains (f->err, rows[i].remedy);
      error = json_object_get_object_member (parse_json (f, parser), "error");
      g_assert_cmpstr (json_object_get_string_member (error, "name"), ==, rows[i].name);
      g_assert_cmpstr (json_object_get_string_member (error, "code"), ==, "");
    }
}

static void
test_error_code (Fixture *f, gconstpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *error;

  f->agent->error_name = "org.dpsagent.Error.Failed";
  f->agent->error_message = "DPS-E701 /var/lib/dps-agent: no space left";
  run (f, "reset", "--yes", "--json", NULL);
  assert_exit (f, 1);
  error = json_object_get_object_member (parse_json (f, parser), "error");
  g_assert_cmpstr (json_object_get_string_member (error, "code"), ==, "DPS-E701");
  g_assert_cmpstr (json_object_get_string_member (error, "message"),
                   ==,
                   "/var/lib/dps-agent: no space left");
  g_assert_cmpstr (f->err, ==, "dpsctl: DPS-E701: /var/lib/dps-agent: no space left\n");
}

static void
test_json (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *argv[3];
    const char *member;
  } rows[] = {
    { { "provision" }, "ok" },
    { { "provision", "--wait" }, "state" },
    { { "cancel" }, "ok" },
    { { "status" }, "networkPath" },
    { { "wait" }, "deviceId" },
    { { "token" }, "expires" },
    { { "import-key", "/dev/null" }, "error" },
    { { "import-key", "-" }, "error" },
    { { "plugins" }, "plugins" },
    { { "config", "--agent", "/nonexistent" }, "error" },
    { { "reload" }, "ok" },
    { { "reset" }, "error" },
    { { "reset", "--yes" }, "ok" },
    { { "help" }, "help" },
    { { "help", "token" }, "help" },
    { { "wait", "--help" }, "help" },
    { { "--version" }, "version" },
    { { "conjure" }, "error" },
    { { "status", "--nonsense" }, "error" },
  };

  stand_in_enter (f->agent, "provisioned");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (JsonParser) parser = json_parser_new ();

      run (f, "--json", rows[i].argv[0], rows[i].argv[1], rows[i].argv[2], NULL);
      g_test_message ("%s: %s", rows[i].argv[0], f->out);
      g_assert_true (json_object_has_member (parse_json (f, parser), rows[i].member));
    }
}

static void
test_status_json (Fixture *f, gconstpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *status;
  JsonObject *path;
  JsonObject *plugin;

  stand_in_enter (f->agent, "backing-off|DPS-E301|no route|ask the network|42");
  dps_dbus_agent1_set_clock_offset (f->agent->agent, -7);
  run (f, "--json", "status", NULL);
  assert_exit (f, 3);
  status = parse_json (f, parser);
  g_assert_cmpuint (json_object_get_size (status), ==, 17);
  g_assert_cmpstr (json_object_get_string_member (status, "state"), ==, "backing-off");
  g_assert_cmpint (json_object_get_int_member (status, "clockOffset"), ==, -7);
  g_assert_cmpuint ((guint64) json_object_get_int_member (status, "nextAttempt"),
                    ==,
                    dps_dbus_agent1_get_next_attempt (f->agent->agent));
  g_assert_cmpstr (
      json_object_get_string_member (json_object_get_object_member (status, "reason"),
                                     "remedy"),
      ==,
      "ask the network");
  path = json_object_get_object_member (status, "networkPath");
  g_assert_cmpint (json_object_get_int_member (path, "port"), ==, 443);
  plugin =
      json_array_get_object_element (json_object_get_array_member (status, "plugins"), 1);
  g_assert_cmpstr (json_object_get_string_member (plugin, "name"), ==, "tpm");
}

static void
test_status_text (Fixture *f, gconstpointer data)
{
  stand_in_enter (f->agent, "backing-off|DPS-E301|no route|ask the network|43");
  run (f, "status", NULL);
  assert_exit (f, 3);
  assert_contains (f->out, "State:             backing-off\n");
  assert_contains (f->out, "Z (in 4");
  assert_contains (f->out, "Reason:            DPS-E301\n");
  assert_contains (f->out, "  Cause:           no route\n");
  assert_contains (f->out, "  Remedy:          ask the network\n");
  assert_contains (f->out, "Device id:         gw-17\n");
  assert_contains (f->out, "10.1.2.3 port 443, TLSv1.3, 1 connection\n");
  assert_contains (f->out, "by file permissions only; a stolen disk or backup reveals");
  stand_in_enter (f->agent, "unconfigured");
  run (f, "status", NULL);
  assert_exit (f, 6);
  stand_in_enter (f->agent, "provisioned");
  run (f, "status", NULL);
  assert_exit (f, 0);
  assert_lacks (f->out, "Reason");
  assert_contains (f->out, "not verified with the hub");
}

static gboolean
is_plain (const char *text)
{
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    if (*p != '\n' && !g_unichar_isprint (g_utf8_get_char (p)))
      return FALSE;
  return TRUE;
}

#define NASTY                                                                            \
  "a\x1b]0;owned\x07\r\nState: fine\xc2\x9b"                                             \
  "2J\u202etxt"

static void
test_escapes (Fixture *f, gconstpointer data)
{
  static const char *const verbs[] = { "status", "plugins", "wait", "cancel" };

  stand_in_enter (f->agent, "held|DPS-E1|" NASTY "|" NASTY);
  dps_dbus_agent1_set_device_id (f->agent->agent, NASTY);
  dps_dbus_agent1_set_plugins (f->agent->agent,
                               g_variant_new_parsed ("[(%s, %s, %s)]",
                                                     NASTY,
                                                     NASTY,
                                                     NASTY));
  f->agent->error_name = "org.dpsagent.Error.Failed";
  f->agent->error_message = NASTY;
  for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++)
    {
      g_autoptr (JsonParser) parser = json_parser_new ();

      run (f, verbs[i], NULL);
      g_test_message ("%s: %s%s", verbs[i], f->out, f->err);
      assert_contains (f->exit == 3 || i == 1 ? f->out : f->err, "\\u{1b}]0;owned");
      assert_lacks (f->out, "\nState: fine");
      g_assert_true (is_plain (f->out) && is_plain (f->err));
      run (f, verbs[i], "--json", NULL);
      g_assert_true (is_plain (f->out) && is_plain (f->err));
      parse_json (f, parser);
    }
  run (f, "status", "--json", NULL);
  assert_contains (f->out, "\\u009b2J\\u202etxt");
}

static void
test_provision_options (Fixture *f, gconstpointer data)
{
  const char *origin = NULL;

  run (f, "provision", NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->method, ==, "Provision");
  g_assert_cmpuint (g_variant_n_children (f->agent->options), ==, 0);
  run (f, "provision", "--boot", NULL);
  assert_exit (f, 0);
  g_assert_true (g_variant_lookup (f->agent->options, "origin", "&s", &origin));
  g_assert_cmpstr (origin, ==, "boot");
  run (f, "provision", "--again", NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->method, ==, "Reprovision");
  g_assert_cmpuint (g_variant_n_children (f->agent->options), ==, 0);
}

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
  run (f, "provision", "--wait", "--timeout", "60", NULL);
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
  run (f, "provision", "--wait", NULL);
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
  run (f, "provision", "--wait", NULL);
  assert_exit (f, 0);
  f->agent->script = script;
  run (f, "provision", "--wait", "--again", NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "registering\nprovisioned\n");
}

/* Provision may find that there is nothing to do. */
static void
test_wait_already (Fixture *f, gconstpointer data)
{
  gint64 begin = g_get_monotonic_time ();

  stand_in_enter (f->agent, "provisioned|DPS-E505|not verified|open port 443");
  run (f, "provision", "--wait", NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "\nnote: DPS-E505 not verified - what to do: open port 443\n");
  g_assert_cmpint (g_get_monotonic_time () - begin, <, 4 * G_USEC_PER_SEC);
}

static void
test_wait_cancelled (Fixture *f, gconstpointer data)
{
  static const char *const script[] = { "registering", "idle", NULL };

  f->agent->script = script;
  run (f, "provision", "--wait", NULL);
  assert_exit (f, 3);
  assert_contains (f->err, "cancelled");
}

static void
test_wait_timeout (Fixture *f, gconstpointer data)
{
  stand_in_enter (f->agent, "backing-off|DPS-E301|no route|ask|500");
  run (f, "wait", "--timeout", "1", NULL);
  assert_exit (f, 5);
  assert_contains (f->err, "not provisioned within 1 s (backing-off: DPS-E301 no route");
  /* The countdown alone is no news where nobody watches. */
  g_assert_null (strchr (strchr (f->out, '\n') + 1, '\n'));
}

/* No time to wait is time enough to look. */
static void
test_wait_once (Fixture *f, gconstpointer data)
{
  run (f, "wait", "--timeout", "0", NULL);
  assert_exit (f, 5);
  assert_contains (f->err, "(idle)");
  stand_in_enter (f->agent, "provisioned");
  run (f, "wait", "--timeout", "0", NULL);
  assert_exit (f, 0);
}

static void
test_wait_unconfigured (Fixture *f, gconstpointer data)
{
  stand_in_enter (f->agent, "unconfigured");
  run (f, "wait", NULL);
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
  argv = collect (f, args);
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
                                   on_result,
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
  communicate (f, child, NULL);
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
  communicate (f, child, NULL);
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
                                       on_result,
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
  communicate (f, child, NULL);
  g_free (f->out);
  f->out = g_strdup (seen->str);
}

static void G_GNUC_NULL_TERMINATED
run_tty (Fixture *f, ...)
{
  g_auto (GStrv) argv = NULL;
  va_list args;

  va_start (args, f);
  argv = collect (f, args);
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

static char *
read_key (StandIn *agent)
{
  char bytes[2048];
  gssize n;

  g_assert_cmpint (agent->key_fd, >=, 0);
  g_assert_cmpint (fcntl (agent->key_fd, F_GET_SEALS),
                   ==,
                   F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  /* From where the descriptor stands: the agent may read without seeking. */
  n = read (agent->key_fd, bytes, sizeof bytes);
  g_assert_cmpint (n, >=, 0);
  return g_strndup (bytes, (gsize) n);
}

static void
test_import_file (Fixture *f, gconstpointer data)
{
  g_autofree char *file = g_build_filename (scratch, "key", NULL);
  g_autofree char *got = NULL;

  g_assert_true (g_file_set_contents (file, BASE64_KEY "\n", -1, NULL));
  run (f, "import-key", file, NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->key_kind, ==, "device");
  got = read_key (f->agent);
  g_assert_cmpstr (got, ==, BASE64_KEY "\n");
  assert_lacks (f->out, BASE64_KEY);
  g_unlink (file);
}

static void
test_import_stdin (Fixture *f, gconstpointer data)
{
  char *argv[] = { (char *) dpsctl,
                   (char *) "--bus-address",
                   (char *) f->address,
                   (char *) "import-key",
                   (char *) "--group",
                   (char *) "-",
                   NULL };
  g_autofree char *full = g_strnfill (1024, 'A');
  g_autofree char *over = g_strnfill (1025, 'A');
  g_autofree char *got = NULL;

  run_with (f, full, argv);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->key_kind, ==, "group");
  got = read_key (f->agent);
  g_assert_cmpstr (got, ==, full);
  g_clear_pointer (&f->agent->method, g_free);
  run_with (f, over, argv);
  assert_exit (f, 1);
  assert_contains (f->err, "larger than the 1024 bytes");
  run_with (f, "", argv);
  assert_exit (f, 1);
  assert_contains (f->err, "empty");
  g_assert_null (f->agent->method);
}

static void
test_import_unreadable (Fixture *f, gconstpointer data)
{
  run (f, "import-key", "/nonexistent/key", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "cannot open the key file");
  run (f, "import-key", "/dev/ptmx", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "terminal");
  g_assert_null (f->agent->method);
}

static void
test_token (Fixture *f, gconstpointer data)
{
  const char *audience = NULL;
  guint32 ttl = 0;

  run (f, "token", "--audience", "module:telemetry", "--ttl", "300", NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->out,
                   ==,
                   "SharedAccessSignature "
                   "sr=hub.example%2Fdevices%2Fgw-17&sig=c2ln&se=1900000000\n");
  g_assert_cmpstr (f->err, ==, "");
  g_assert_true (g_variant_lookup (f->agent->options, "audience", "&s", &audience));
  g_assert_cmpstr (audience, ==, "module:telemetry");
  g_assert_true (g_variant_lookup (f->agent->options, "ttl", "u", &ttl));
  g_assert_cmpuint (ttl, ==, 300);
  run (f, "token", NULL);
  g_assert_cmpuint (g_variant_n_children (f->agent->options), ==, 0);
}

/* What cannot be written must not look like a success. */
static void
test_full_output (Fixture *f, gconstpointer data)
{
  g_autofree char *line =
      g_strdup_printf ("exec %s --bus-address '%s' token >/dev/full", dpsctl, f->address);
  char *argv[] = { (char *) "/bin/sh", (char *) "-c", line, NULL };

  run_with (f, "", argv);
  assert_exit (f, 1);
  assert_contains (f->err, "cannot write");
}

static void
test_usage (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *argv[4];
    const char *text;
  } rows[] = {
    { { NULL }, "a verb is missing" },
    { { "conjure" }, "no verb 'conjure'" },
    { { "--nonsense" }, "--nonsense" },
    { { "status", "--nonsense" }, "--nonsense" },
    { { "status", "more" }, "too many" },
    { { "import-key" }, "missing" },
    { { "import-key", "a", "b" }, "too many" },
    { { "wait", "--timeout", "soon" }, "soon" },
    { { "wait", "--timeout", "-2" }, "--timeout takes" },
    { { "wait", "--timeout", "2592001" }, "--timeout takes" },
    { { "provision", "--timeout", "5" }, "--wait" },
    { { "provision", "--boot", "--again" }, "exclude" },
    { { "token", "--ttl", "4294967296" }, "--ttl takes" },
    { { "reset" }, "loses this host's identity" },
    { { "help", "conjure" }, "no verb 'conjure'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const char *const *a = rows[i].argv;

      run (f, a[0], a[1], a[2], NULL);
      g_test_message ("%s", rows[i].text);
      assert_exit (f, 2);
      assert_contains (f->err, rows[i].text);
      assert_contains (f->err, "dpsctl: what to do: ");
      g_assert_cmpstr (f->out, ==, "");
    }
  g_assert_null (f->agent->method);
}

static void
test_config (Fixture *f, gconstpointer data)
{
  g_autofree char *file = g_build_filename (scratch, "agentd", NULL);

  g_assert_true (
      g_file_set_contents (file, "#!/bin/sh\necho \"$@\"\nexit 6\n", -1, NULL));
  g_assert_cmpint (g_chmod (file, 0700), ==, 0);
  run (f, "config", "--agent", file, NULL);
  assert_exit (f, 6);
  g_assert_cmpstr (f->out, ==, "--print-config\n");
  run (f, "config", "--agent", file, "--json", "--config-dir", "/etc/some where", NULL);
  g_assert_cmpstr (f->out, ==, "--print-config --json --config-dir /etc/some where\n");
  g_unlink (file);
  run (f, "config", "--agent", file, NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "cannot run");
}

/* Every verb and every option is in its help, the man page and the completion. */
static void
test_documented (Fixture *f, gconstpointer data)
{
  static const char *const rows[][6] = {
    { "provision", "--wait", "--again", "--timeout", "--boot" },
    { "cancel" },
    { "status" },
    { "wait", "--timeout" },
    { "token", "--audience", "--ttl" },
    { "import-key", "--group" },
    { "plugins" },
    { "config" },
    { "reload" },
    { "reset", "--yes" },
    { "help" },
  };
  const char *root = g_getenv ("DPS_SOURCE_ROOT");
  g_autofree char *man = g_build_filename (root, "agent/man/dpsctl.1", NULL);
  g_autofree char *bash =
      g_build_filename (root, "agent/cli/dpsctl.bash-completion", NULL);
  g_autofree char *roff = NULL;
  g_autofree char *page = NULL;
  g_autofree char *completion = NULL;
  g_auto (GStrv) parts = NULL;

  g_assert_true (g_file_get_contents (man, &roff, NULL, NULL));
  g_assert_true (g_file_get_contents (bash, &completion, NULL, NULL));
  parts = g_strsplit (roff, "\\-", -1);
  page = g_strjoinv ("-", parts);
  run (f, "help", NULL);
  assert_exit (f, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    assert_contains (f->out, rows[i][0]);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      run (f, rows[i][0], "--help", NULL);
      assert_exit (f, 0);
      assert_contains (f->out, "Example:\n  ");
      for (gsize j = 0; j < 6 && rows[i][j] != NULL; j++)
        {
          g_test_message ("%s %s", rows[i][0], rows[i][j]);
          assert_contains (f->out, rows[i][j]);
          assert_contains (page, rows[i][j]);
          assert_contains (completion, rows[i][j]);
        }
    }
}

static void
test_absent (Fixture *f, gconstpointer data)
{
  char *argv[] = { (char *) dpsctl,
                   (char *) "--bus-address=unix:path=/nonexistent/bus",
                   (char *) "status",
                   NULL };

  stand_in_leave (f->agent);
  run (f, "status", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "the agent is not on the bus");
  assert_contains (f->err, "systemctl status dps-agent");
  run (f, "cancel", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "the agent is not on the bus");
  run_with (f, "", argv);
  assert_exit (f, 1);
  assert_contains (f->err, "cannot reach the bus");
}

/* What the bus starts when the agent is called back. */
static int
serve (void)
{
  StandIn *agent;
  g_autofree char *address =
      g_dbus_address_get_for_bus_sync (G_BUS_TYPE_STARTER, NULL, NULL);

  g_assert_nonnull (address);
  agent = stand_in_new (address);
  g_dbus_connection_set_exit_on_close (agent->connection, TRUE);
  stand_in_enter (agent, "provisioned");
  g_main_loop_run (g_main_loop_new (NULL, FALSE));
  return 0;
}

static void
add (const char *path, void (*test) (Fixture *f, gconstpointer data))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

static void
add_tests (void)
{
  add ("/cli/errors/exit-code-of-each-name", test_errors);
  add ("/cli/errors/code-is-split-off", test_error_code);
  add ("/cli/errors/agent-or-bus-absent", test_absent);
  add ("/cli/errors/usage", test_usage);
  add ("/cli/errors/full-output-is-a-failure", test_full_output);
  add ("/cli/json/every-verb", test_json);
  add ("/cli/json/status", test_status_json);
  add ("/cli/status/text-and-exit-code", test_status_text);
  add ("/cli/output/escapes-control-characters", test_escapes);
  add ("/cli/provision/options", test_provision_options);
  add ("/cli/provision/wait-prints-each-state", test_wait_lines);
  add ("/cli/provision/wait-ends-held", test_wait_held);
  add ("/cli/provision/wait-ignores-the-state-of-before", test_wait_stale);
  add ("/cli/provision/wait-ends-at-once-when-provisioned", test_wait_already);
  add ("/cli/provision/wait-ends-cancelled", test_wait_cancelled);
  add ("/cli/wait/times-out", test_wait_timeout);
  add ("/cli/wait/zero-looks-once", test_wait_once);
  add ("/cli/wait/unconfigured", test_wait_unconfigured);
  g_test_add ("/cli/wait/calls-the-agent-back",
              Fixture,
              ACTIVATABLE,
              set_up,
              test_wait_restart,
              tear_down);
  add ("/cli/wait/ends-when-the-agent-cannot-come-back", test_wait_gone);
  add ("/cli/terminal/one-line", test_terminal);
  add ("/cli/terminal/countdown", test_terminal_countdown);
  add ("/cli/import-key/file-arrives-sealed", test_import_file);
  add ("/cli/import-key/standard-input-and-limits", test_import_stdin);
  add ("/cli/import-key/unreadable", test_import_unreadable);
  add ("/cli/token/alone-on-stdout", test_token);
  add ("/cli/config/runs-the-agent", test_config);
  add ("/cli/help/all-is-documented", test_documented);
}

int
main (int argc, char **argv)
{
  if (argc == 2 && g_str_equal (argv[1], "--stand-in"))
    return serve ();
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  dpsctl = argv[1];
  self_path = argv[0];
  add_tests ();
  return g_test_run ();
}
