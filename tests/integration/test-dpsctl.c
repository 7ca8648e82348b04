/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dpsctl-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define BASE64_KEY "c2VjcmV0LWtleS1vZi1hLWRldmljZS1mb3ItdGVzdHM="

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
      fixture_run (f, "--json", "reload", NULL);
      g_test_message ("%s", rows[i].name);
      assert_exit (f, rows[i].exit);
      g_assert_true (g_str_has_prefix (f->err, "dpsctl: "));
      if (*rows[i].remedy != '\0')
        assert_contains (f->err, rows[i].remedy);
      error = json_object_get_object_member (fixture_parse_json (f, parser), "error");
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
  fixture_run (f, "reset", "--yes", "--json", NULL);
  assert_exit (f, 1);
  error = json_object_get_object_member (fixture_parse_json (f, parser), "error");
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

      fixture_run (f, "--json", rows[i].argv[0], rows[i].argv[1], rows[i].argv[2], NULL);
      g_test_message ("%s: %s", rows[i].argv[0], f->out);
      g_assert_true (
          json_object_has_member (fixture_parse_json (f, parser), rows[i].member));
    }
}

static void
test_status_json (Fixture *f, gconstpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonObject *status;
  JsonObject *path;
  JsonObject *plugin;
  JsonObject *warning;

  stand_in_enter (f->agent, "backing-off|DPS-E301|no route|ask the network|42");
  dps_dbus_agent1_set_clock_offset (f->agent->agent, -7);
  dps_dbus_agent1_set_warnings (f->agent->agent,
                                g_variant_new_parsed ("[('DPS-E106', 'it is there', "
                                                      "'remove it')]"));
  fixture_run (f, "--json", "status", NULL);
  /* the identity in force serves while its replacement waits */
  assert_exit (f, 0);
  status = fixture_parse_json (f, parser);
  g_assert_cmpuint (json_object_get_size (status), ==, 19);
  g_assert_cmpstr (json_object_get_string_member (status, "tpm"), ==, "simulator");
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
  warning =
      json_array_get_object_element (json_object_get_array_member (status, "warnings"),
                                     0);
  g_assert_cmpstr (json_object_get_string_member (warning, "code"), ==, "DPS-E106");
  g_assert_cmpstr (json_object_get_string_member (warning, "text"), ==, "it is there");
  g_assert_cmpstr (json_object_get_string_member (warning, "remedy"), ==, "remove it");
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
  fixture_run (f, "status", NULL);
  assert_exit (f, 0);
  assert_lacks (f->out, "Warning:");
  dps_dbus_agent1_set_warnings (f->agent->agent,
                                g_variant_new_parsed ("[('DPS-E106', 'it is there', "
                                                      "'remove\\nit')]"));
  fixture_run (f, "status", NULL);
  assert_contains (f->out, "Warning:           DPS-E106\n");
  assert_contains (f->out, "  Cause:           it is there\n");
  assert_contains (f->out, "  Remedy:          remove\\u{a}it\n");
  assert_contains (f->out, "Identity:          in force");
  assert_contains (f->out, "Device id:         gw-17\n");
  dps_dbus_agent1_set_device_id (f->agent->agent, "");
  fixture_run (f, "status", NULL);
  assert_exit (f, 3);
  assert_contains (f->out, "State:             backing-off\n");
  assert_contains (f->out, "TPM:               simulator: for tests;");
  assert_contains (f->out, "Z (in 4");
  assert_contains (f->out, "Reason:            DPS-E301\n");
  assert_contains (f->out, "  Cause:           no route\n");
  assert_contains (f->out, "  Remedy:          ask the network\n");
  assert_contains (f->out, "10.1.2.3 port 443, TLSv1.3, 1 connection\n");
  assert_contains (f->out, "by file permissions only; a stolen disk or backup reveals");
  stand_in_enter (f->agent, "unconfigured");
  fixture_run (f, "status", NULL);
  assert_exit (f, 6);
  stand_in_enter (f->agent, "provisioned");
  fixture_run (f, "status", NULL);
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

/* Words as they come; nothing is claimed where an older agent says nothing. */
static void
test_confinement (Fixture *f, gconstpointer data)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonArray *plugins;
  JsonArray *words;

  fixture_run (f, "plugins", NULL);
  assert_exit (f, 0);
  assert_contains (f->out, "symmetric-key    usable   seccomp,landlock-4   -\n");
  assert_contains (f->out,
                   "tpm              unknown  seccomp,no-landlock,unix-sockets "
                   "not configured\n");
  fixture_run (f, "plugins", "--json", NULL);
  plugins = json_object_get_array_member (fixture_parse_json (f, parser), "plugins");
  words = json_object_get_array_member (json_array_get_object_element (plugins, 1),
                                        "confinement");
  g_assert_cmpuint (json_array_get_length (words), ==, 3);
  g_assert_cmpstr (json_array_get_string_element (words, 1), ==, "no-landlock");
  dps_dbus_agent1_set_plugin_confinement (f->agent->agent,
                                          g_variant_new ("a{sas}", NULL));
  fixture_run (f, "plugins", NULL);
  assert_contains (f->out, "symmetric-key    usable   -                    -\n");
  fixture_run (f, "plugins", "--json", NULL);
  plugins = json_object_get_array_member (fixture_parse_json (f, parser), "plugins");
  words = json_object_get_array_member (json_array_get_object_element (plugins, 0),
                                        "confinement");
  g_assert_cmpuint (json_array_get_length (words), ==, 0);
}

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
  dps_dbus_agent1_set_plugin_confinement (f->agent->agent,
                                          g_variant_new_parsed ("{%s: [%s]}",
                                                                NASTY,
                                                                NASTY));
  f->agent->error_name = "org.dpsagent.Error.Failed";
  f->agent->error_message = NASTY;
  for (gsize i = 0; i < G_N_ELEMENTS (verbs); i++)
    {
      g_autoptr (JsonParser) parser = json_parser_new ();

      fixture_run (f, verbs[i], NULL);
      g_test_message ("%s: %s%s", verbs[i], f->out, f->err);
      assert_contains (i <= 1 ? f->out : f->err, "\\u{1b}]0;owned");
      assert_lacks (f->out, "\nState: fine");
      g_assert_true (is_plain (f->out) && is_plain (f->err));
      fixture_run (f, verbs[i], "--json", NULL);
      g_assert_true (is_plain (f->out) && is_plain (f->err));
      fixture_parse_json (f, parser);
    }
  fixture_run (f, "status", "--json", NULL);
  assert_contains (f->out, "\\u009b2J\\u202etxt");
}

static void
test_provision_options (Fixture *f, gconstpointer data)
{
  const char *origin = NULL;

  fixture_run (f, "provision", NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->method, ==, "Provision");
  g_assert_cmpuint (g_variant_n_children (f->agent->options), ==, 0);
  fixture_run (f, "provision", "--boot", NULL);
  assert_exit (f, 0);
  g_assert_true (g_variant_lookup (f->agent->options, "origin", "&s", &origin));
  g_assert_cmpstr (origin, ==, "boot");
  fixture_run (f, "provision", "--renew", NULL);
  assert_exit (f, 0);
  g_assert_true (g_variant_lookup (f->agent->options, "origin", "&s", &origin));
  g_assert_cmpstr (origin, ==, "timer");
  fixture_run (f, "provision", "--again", NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->method, ==, "Reprovision");
  g_assert_cmpuint (g_variant_n_children (f->agent->options), ==, 0);
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
  g_autofree char *file = g_build_filename (f->scratch, "key", NULL);
  g_autofree char *got = NULL;

  g_assert_true (g_file_set_contents (file, BASE64_KEY "\n", -1, NULL));
  fixture_run (f, "import-key", file, NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->key_kind, ==, "device");
  got = read_key (f->agent);
  g_assert_cmpstr (got, ==, BASE64_KEY "\n");
  assert_lacks (f->out, BASE64_KEY);
  assert_lacks (f->out, "still holds");
  fixture_run (f, "import-key", "--group", file, NULL);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->key_kind, ==, "group");
  assert_contains (f->out, file);
  assert_contains (f->out, "still holds the group key");
  assert_lacks (f->out, BASE64_KEY);
  g_unlink (file);
}

static void
test_import_stdin (Fixture *f, gconstpointer data)
{
  char *argv[] = { (char *) dpsctl_path,
                   (char *) "--bus-address",
                   (char *) f->address,
                   (char *) "import-key",
                   (char *) "--group",
                   (char *) "-",
                   NULL };
  g_autofree char *full = g_strnfill (1024, 'A');
  g_autofree char *over = g_strnfill (1025, 'A');
  g_autofree char *got = NULL;

  fixture_run_with (f, full, argv);
  assert_exit (f, 0);
  g_assert_cmpstr (f->agent->key_kind, ==, "group");
  got = read_key (f->agent);
  g_assert_cmpstr (got, ==, full);
  g_clear_pointer (&f->agent->method, g_free);
  fixture_run_with (f, over, argv);
  assert_exit (f, 1);
  assert_contains (f->err, "larger than the 1024 bytes");
  fixture_run_with (f, "", argv);
  assert_exit (f, 1);
  assert_contains (f->err, "empty");
  g_assert_null (f->agent->method);
}

static void
test_import_unreadable (Fixture *f, gconstpointer data)
{
  fixture_run (f, "import-key", "/nonexistent/key", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "cannot open the key file");
  fixture_run (f, "import-key", "/dev/ptmx", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "terminal");
  g_assert_null (f->agent->method);
}

static void
test_token (Fixture *f, gconstpointer data)
{
  const char *audience = NULL;
  guint32 ttl = 0;

  fixture_run (f, "token", "--audience", "module:telemetry", "--ttl", "300", NULL);
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
  fixture_run (f, "token", NULL);
  g_assert_cmpuint (g_variant_n_children (f->agent->options), ==, 0);
}

/* What cannot be written must not look like a success. */
static void
test_full_output (Fixture *f, gconstpointer data)
{
  g_autofree char *line = g_strdup_printf ("exec %s --bus-address '%s' token >/dev/full",
                                           dpsctl_path,
                                           f->address);
  char *argv[] = { (char *) "/bin/sh", (char *) "-c", line, NULL };

  fixture_run_with (f, "", argv);
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
    { { "provision", "--renew", "--again" }, "exclude" },
    { { "token", "--ttl", "4294967296" }, "--ttl takes" },
    { { "reset" }, "loses this host's identity" },
    { { "help", "conjure" }, "no verb 'conjure'" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const char *const *a = rows[i].argv;

      fixture_run (f, a[0], a[1], a[2], NULL);
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
  g_autofree char *file = g_build_filename (f->scratch, "agentd", NULL);

  g_assert_true (
      g_file_set_contents (file, "#!/bin/sh\necho \"$@\"\nexit 6\n", -1, NULL));
  g_assert_cmpint (g_chmod (file, 0700), ==, 0);
  fixture_run (f, "config", "--agent", file, NULL);
  assert_exit (f, 6);
  g_assert_cmpstr (f->out, ==, "--print-config\n");
  fixture_run (f,
               "config",
               "--agent",
               file,
               "--json",
               "--config-dir",
               "/etc/some where",
               NULL);
  g_assert_cmpstr (f->out, ==, "--print-config --json --config-dir /etc/some where\n");
  g_unlink (file);
  fixture_run (f, "config", "--agent", file, NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "cannot run");
}

/* Every verb and every option is in its help, the man page and the completion. */
static void
test_documented (Fixture *f, gconstpointer data)
{
  static const char *const rows[][7] = {
    { "provision", "--wait", "--again", "--timeout", "--boot", "--renew" },
    { "cancel" },
    { "status" },
    { "wait", "--timeout" },
    { "token", "--audience", "--ttl" },
    { "import-key", "--group" },
    { "enrollment" },
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
  fixture_run (f, "help", NULL);
  assert_exit (f, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    assert_contains (f->out, rows[i][0]);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      fixture_run (f, rows[i][0], "--help", NULL);
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
  char *argv[] = { (char *) dpsctl_path,
                   (char *) "--bus-address=unix:path=/nonexistent/bus",
                   (char *) "status",
                   NULL };

  stand_in_leave (f->agent);
  fixture_run (f, "status", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "the agent is not on the bus");
  assert_contains (f->err, "systemctl status dps-agent");
  fixture_run (f, "cancel", NULL);
  assert_exit (f, 1);
  assert_contains (f->err, "the agent is not on the bus");
  fixture_run_with (f, "", argv);
  assert_exit (f, 1);
  assert_contains (f->err, "cannot reach the bus");
}

static void
add_tests (void)
{
  fixture_add ("/cli/errors/exit-code-of-each-name", NULL, test_errors);
  fixture_add ("/cli/errors/code-is-split-off", NULL, test_error_code);
  fixture_add ("/cli/errors/agent-or-bus-absent", NULL, test_absent);
  fixture_add ("/cli/errors/usage", NULL, test_usage);
  fixture_add ("/cli/errors/full-output-is-a-failure", NULL, test_full_output);
  fixture_add ("/cli/json/every-verb", NULL, test_json);
  fixture_add ("/cli/json/status", NULL, test_status_json);
  fixture_add ("/cli/status/text-and-exit-code", NULL, test_status_text);
  fixture_add ("/cli/plugins/confinement", NULL, test_confinement);
  fixture_add ("/cli/output/escapes-control-characters", NULL, test_escapes);
  fixture_add ("/cli/provision/options", NULL, test_provision_options);
  fixture_add ("/cli/import-key/file-arrives-sealed", NULL, test_import_file);
  fixture_add ("/cli/import-key/standard-input-and-limits", NULL, test_import_stdin);
  fixture_add ("/cli/import-key/unreadable", NULL, test_import_unreadable);
  fixture_add ("/cli/token/alone-on-stdout", NULL, test_token);
  fixture_add ("/cli/config/runs-the-agent", NULL, test_config);
  fixture_add ("/cli/help/all-is-documented", NULL, test_documented);
}

int
main (int argc, char **argv)
{
  return fixture_main (argc, argv, add_tests);
}
