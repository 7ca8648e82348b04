/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "plugin-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TICK 10 /* ms */

World world;

static gboolean
on_tick (gpointer data)
{
  Wait *wait = data;

  wait->ticks++;
  return G_SOURCE_CONTINUE;
}

void
on_result (GObject *source, GAsyncResult *result, gpointer data)
{
  Wait *wait = data;

  wait->result = g_object_ref (result);
  g_main_loop_quit (wait->loop);
}

guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* The bus library closes its descriptors in a thread of its own. */
void
assert_fds (guint before)
{
  gint64 limit = g_get_monotonic_time () + 2 * G_USEC_PER_SEC;

  while (count_fds () != before && g_get_monotonic_time () < limit)
    {
      g_main_context_iteration (NULL, FALSE);
      g_usleep (1000);
    }
  g_assert_cmpuint (count_fds (), ==, before);
}

void
assert_no_child (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

void
wait_start (Wait *wait)
{
  *wait = (Wait){ .loop = g_main_loop_new (NULL, FALSE) };
}

void
wait_result (Wait *wait)
{
  guint source = g_timeout_add (TICK, on_tick, wait);

  g_main_loop_run (wait->loop);
  g_source_remove (source);
  g_main_loop_unref (wait->loop);
}

void
wait_end (Wait *wait)
{
  wait_result (wait);
  assert_no_child ();
}

void
wait_processes (void)
{
  gint64 limit = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;

  while (dps_plugin_runner_count_processes () > 0 && g_get_monotonic_time () < limit)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  g_assert_cmpuint (dps_plugin_runner_count_processes (), ==, 0);
}

void
wait_gone (void)
{
  wait_processes ();
  assert_no_child ();
}

GHashTable *
settings_of (const Case *c)
{
  GHashTable *settings = g_hash_table_new (g_str_hash, g_str_equal);

  if (c->behave != NULL)
    g_hash_table_insert (settings, (char *) "behave", (char *) c->behave);
  if (c->argument != NULL)
    g_hash_table_insert (settings, (char *) "argument", (char *) c->argument);
  g_hash_table_insert (settings, (char *) "state-file", world.state_file);
  return settings;
}

GHashTable *
secrets_of (const Case *c)
{
  GHashTable *secrets = g_hash_table_new_full (g_str_hash,
                                               g_str_equal,
                                               NULL,
                                               (GDestroyNotify) dps_secret_unref);

  if (c->key != NULL)
    g_hash_table_insert (secrets,
                         (char *) "key",
                         dps_secret_new (c->key, strlen (c->key)));
  return secrets;
}

DpsPluginRunner *
runner_of (const Case *c)
{
  DpsPluginRunner *runner = dps_plugin_runner_new (c->host != NULL ? c->host : world.host,
                                                   world.plugins,
                                                   c->plugin);

  g_assert_cmpstr (dps_plugin_runner_get_name (runner), ==, c->plugin);
  dps_plugin_runner_set_deadlines (runner, c->start_deadline, c->verb_deadline);
  dps_plugin_runner_set_allow_unix (runner, c->allow_unix);
  return runner;
}

DpsPluginDescription *
describe_with (DpsPluginRunner *runner,
               Case *c,
               GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GHashTable) settings = settings_of (c);
  g_autoptr (GHashTable) secrets = secrets_of (c);
  g_autoptr (GAsyncResult) result = NULL;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_describe_async (runner,
                                    settings,
                                    secrets,
                                    cancellable,
                                    on_result,
                                    &wait);
  wait_end (&wait);
  result = wait.result;
  c->ticks = wait.ticks;
  c->start_time = dps_plugin_runner_get_start_time (runner);
  return dps_plugin_runner_describe_finish (runner, result, error);
}

DpsPluginDescription *
describe (Case *c, GError **error)
{
  guint before = count_fds ();
  DpsPluginRunner *runner = runner_of (c);
  DpsPluginDescription *description = describe_with (runner, c, NULL, error);

  g_object_unref (runner);
  assert_fds (before);
  return description;
}

int
open_copy (gpointer data, GError **error)
{
  int copy = fcntl (*(int *) data, F_DUPFD_CLOEXEC, 0);

  g_assert_cmpint (copy, >=, 0);
  return copy;
}

void
assert_message (const char *message, const char *text)
{
  gsize length = strlen (text);

  if (text[length - 1] == '*' && strncmp (message, text, length - 1) == 0)
    return;
  g_assert_cmpstr (message, ==, text);
}

void
test_failure (gconstpointer data)
{
  const Failure *failure = data;
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;
  Case call = failure->call;

  description = describe (&call, &error);
  g_assert_null (description);
  g_assert_error (error, DPS_ERROR, (gint) failure->code);
  assert_message (error->message, failure->text);
}

void
set_hung (Case *c, gboolean in_verb)
{
  if (in_verb)
    c->verb_deadline = HUNG;
  else
    c->start_deadline = HUNG;
}

void
assert_hung (const Case *c, gint64 start_us)
{
  gint64 took = (g_get_monotonic_time () - start_us - c->start_time) / 1000;

  g_assert_cmpint (took, >=, HUNG);
  g_assert_cmpint (took, <, 5 * HUNG);
  /* The main loop went on all the while. */
  g_assert_cmpuint (c->ticks, >=, MIN_TICKS);
}

void
test_hang (gconstpointer data)
{
  gint64 start = g_get_monotonic_time ();
  Failure failure = *(const Failure *) data;
  g_autoptr (GError) error = NULL;

  set_hung (&failure.call, strstr (failure.text, " in load ") == NULL);
  g_assert_null (describe (&failure.call, &error));
  assert_hung (&failure.call, start);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_TIMED_OUT);
  assert_message (error->message, failure.text);
}

DpsPluginProbe *
probe (Case *c)
{
  g_autoptr (DpsPluginRunner) runner = runner_of (c);
  g_autoptr (GHashTable) settings = settings_of (c);
  g_autoptr (GHashTable) secrets = secrets_of (c);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  DpsPluginProbe *found;
  Wait wait;

  wait_start (&wait);
  dps_plugin_runner_probe_async (runner, settings, secrets, NULL, on_result, &wait);
  wait_end (&wait);
  result = wait.result;
  found = dps_plugin_runner_probe_finish (runner, result, &error);
  g_assert_no_error (error);
  return found;
}

void
install (const char *built, const char *name)
{
  g_autofree char *from = g_test_build_filename (G_TEST_BUILT, built, NULL);
  g_autofree char *to = g_strdup_printf ("%s/%s.so", world.plugins, name);
  g_autofree char *content = NULL;
  gsize size;

  g_assert_true (g_file_get_contents (from, &content, &size, NULL));
  g_assert_true (g_file_set_contents (to, content, (gssize) size, NULL));
  g_assert_cmpint (g_chmod (to, 0644), ==, 0);
}

char *
plugin_path (const char *name)
{
  return g_strdup_printf ("%s/%s.so", world.plugins, name);
}

static void
remove_below (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      g_remove (child);
    }
}

void
world_make (void)
{
  const char *above = g_getenv ("DPS_TEST_RUN");
  g_autofree char *state = NULL;
  char *root =
      g_build_filename (above != NULL ? above : "/run", "dps-plugins-test.XXXXXX", NULL);

  umask (0022);
  g_assert_nonnull (mkdtemp (root));
  g_assert_cmpint (g_chmod (root, 0755), ==, 0);
  world.root = root;
  world.plugins = g_build_filename (root, "plugins", NULL);
  world.state_file = g_build_filename (root, "state", "gen-00000001", NULL);
  world.other_key = g_build_filename (root, "other.key", NULL);
  world.host =
      g_test_build_filename (G_TEST_BUILT, "../agent/plugin-host/dps-plugin-host", NULL);
  g_assert_cmpint (g_mkdir (world.plugins, 0755), ==, 0);
  state = g_path_get_dirname (world.state_file);
  g_assert_cmpint (g_mkdir (state, 0700), ==, 0);
  g_assert_true (g_file_set_contents (world.state_file, "state", -1, NULL));
  g_assert_true (g_file_set_contents (world.other_key, "key", -1, NULL));
}

void
world_unmake (void)
{
  remove_below (world.plugins);
  g_rmdir (world.plugins);
  g_remove (world.state_file);
  remove_below (world.root);
  g_rmdir (world.root);
  g_free (world.root);
  g_free (world.plugins);
  g_free (world.host);
  g_free (world.state_file);
  g_free (world.other_key);
}

void
add_table (const char *prefix, const Failure *table, gsize n, GTestDataFunc test)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/%s", prefix, table[i].name);

      g_test_add_data_func (path, &table[i], test);
    }
}
