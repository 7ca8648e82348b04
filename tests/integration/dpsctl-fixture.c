/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dpsctl-fixture.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>

const char *dpsctl_path;
static const char *self_path;

static void
write_service (Fixture *f)
{
  g_autofree char *file =
      g_build_filename (f->scratch, "org.dpsagent.Agent1.service", NULL);
  g_autofree char *text =
      g_strdup_printf ("[D-BUS Service]\nName=org.dpsagent.Agent1\nExec=%s --stand-in\n",
                       self_path);
  g_autoptr (GError) error = NULL;

  g_file_set_contents (file, text, -1, &error);
  g_assert_no_error (error);
}

static void
remove_file (Fixture *f, const char *name)
{
  g_autofree char *file = g_build_filename (f->scratch, name, NULL);

  g_unlink (file);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->scratch = g_strdup ("/run/dps-test.XXXXXX");
  g_assert_nonnull (g_mkdtemp (f->scratch));
  f->bus = g_test_dbus_new (G_TEST_DBUS_NONE);
  if (data != NULL)
    {
      write_service (f);
      g_test_dbus_add_service_dir (f->bus, f->scratch);
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
  remove_file (f, "org.dpsagent.Agent1.service");
  g_assert_cmpint (g_rmdir (f->scratch), ==, 0);
  g_clear_pointer (&f->scratch, g_free);
  g_free (f->out);
  g_free (f->err);
}

char **
fixture_collect (Fixture *f, va_list args)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  const char *arg;

  g_ptr_array_add (argv, g_strdup (dpsctl_path));
  g_ptr_array_add (argv, g_strdup ("--bus-address"));
  g_ptr_array_add (argv, g_strdup (f->address));
  while ((arg = va_arg (args, const char *)) != NULL)
    g_ptr_array_add (argv, g_strdup (arg));
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}

void
fixture_on_result (GObject *source, GAsyncResult *result, gpointer data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

void
fixture_communicate (Fixture *f, GSubprocess *child, const char *input)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&f->out, g_free);
  g_clear_pointer (&f->err, g_free);
  g_subprocess_communicate_utf8_async (child, input, NULL, fixture_on_result, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_subprocess_communicate_utf8_finish (child, result, &f->out, &f->err, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (child));
  f->exit = g_subprocess_get_exit_status (child);
}

void
fixture_run_with (Fixture *f, const char *input, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) child =
      g_subprocess_newv ((const char *const *) argv,
                         G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                             G_SUBPROCESS_FLAGS_STDERR_PIPE,
                         &error);

  g_assert_no_error (error);
  fixture_communicate (f, child, input);
}

void
fixture_run (Fixture *f, ...)
{
  g_auto (GStrv) argv = NULL;
  va_list args;

  va_start (args, f);
  argv = fixture_collect (f, args);
  va_end (args);
  fixture_run_with (f, "", argv);
}

void
assert_exit (Fixture *f, int expected)
{
  if (f->exit != expected)
    g_test_message ("stdout: %s\nstderr: %s", f->out, f->err);
  g_assert_cmpint (f->exit, ==, expected);
}

void
assert_contains (const char *text, const char *part)
{
  if (strstr (text, part) == NULL)
    g_error ("'%s' is not in '%s'", part, text);
}

void
assert_lacks (const char *text, const char *part)
{
  if (strstr (text, part) != NULL)
    g_error ("'%s' is in '%s'", part, text);
}

JsonObject *
fixture_parse_json (Fixture *f, JsonParser *parser)
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

int
fixture_main (int argc, char **argv, void (*add_tests) (void))
{
  if (argc == 2 && g_str_equal (argv[1], "--stand-in"))
    return serve ();
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  dpsctl_path = argv[1];
  self_path = argv[0];
  add_tests ();
  return g_test_run ();
}

void
fixture_add (const char *path,
             gconstpointer data,
             void (*test) (Fixture *f, gconstpointer data))
{
  g_test_add (path, Fixture, data, set_up, test, tear_down);
}
