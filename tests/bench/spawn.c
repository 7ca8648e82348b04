/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-runner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* spawn PLUGIN-HOST PLUGIN-DIR COUNT: calls the symmetric-key plugin's describe as the
 * agent does, each in a new child, and prints per line: µs from spawning to the first
 * reply, the child's CPU time in µs, its peak memory and its anonymous memory at the end
 * in KiB. */

static struct
{
  GMainLoop *loop;
  char *host;
  char *plugins;
  guint64 peak;
  guint64 anonymous;
} bench;

static guint64
kib_of (const char *status, const char *key)
{
  const char *line = strstr (status, key);

  return line == NULL ? 0 : g_ascii_strtoull (line + strlen (key), NULL, 10);
}

/* The runner kills every child after its reply: the last moment at which its memory can
 * be read. rusage would not do, a child's begins with the peak of the process that
 * spawned it. */
int __real_kill (pid_t pid, int signal_number);
int __wrap_kill (pid_t pid, int signal_number);

int
__wrap_kill (pid_t pid, int signal_number)
{
  g_autofree char *path =
      g_strdup_printf ("/proc/%" G_PID_FORMAT "/status", pid < 0 ? -pid : pid);
  g_autofree char *status = NULL;

  if (g_file_get_contents (path, &status, NULL, NULL) &&
      strstr (status, "VmHWM:") != NULL)
    {
      bench.peak = kib_of (status, "VmHWM:");
      bench.anonymous = kib_of (status, "RssAnon:");
    }
  return __real_kill (pid, signal_number);
}

static gint64
children_cpu (void)
{
  struct rusage used;

  getrusage (RUSAGE_CHILDREN, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * G_USEC_PER_SEC +
         used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static void
on_described (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsPluginRunner *runner = DPS_PLUGIN_RUNNER (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginDescription) description =
      dps_plugin_runner_describe_finish (runner, result, &error);

  if (description == NULL)
    g_error ("%s", error->message);
  g_main_loop_quit (bench.loop);
}

static void
measure (GHashTable *secrets)
{
  g_autoptr (DpsPluginRunner) runner =
      dps_plugin_runner_new (bench.host, bench.plugins, "symmetric-key");
  gint64 before = children_cpu ();

  bench.peak = bench.anonymous = 0;
  dps_plugin_runner_describe_async (runner, NULL, secrets, NULL, on_described, NULL);
  g_main_loop_run (bench.loop);
  g_print ("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT
           " %" G_GUINT64_FORMAT "\n",
           dps_plugin_runner_get_start_time (runner),
           children_cpu () - before,
           bench.peak,
           bench.anonymous);
}

int
main (int argc, char **argv)
{
  static const char key[] = "c3ltbWV0cmljLWtleSBvZiB0aGUgZmlndXJlcyBhbG9uZQ==";
  g_autoptr (GHashTable) secrets = NULL;

  if (argc != 4)
    return 2;
  bench.host = argv[1];
  bench.plugins = argv[2];
  bench.loop = g_main_loop_new (NULL, FALSE);
  secrets = g_hash_table_new_full (g_str_hash,
                                   g_str_equal,
                                   NULL,
                                   (GDestroyNotify) dps_secret_unref);
  g_hash_table_insert (secrets, (char *) "key", dps_secret_new (key, strlen (key)));
  for (int i = 0; i < atoi (argv[3]); i++)
    measure (secrets);
  g_main_loop_unref (bench.loop);
  return 0;
}
