/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-exercise.h"

#include <stdio.h>
#include <string.h>

#define CALLS "40"
#define TIME_LIMIT 60 /* s */
#define COMPLAINT_MAX 400

/* The runtime of the compilers of Debian 12 and 13; where it is missing the loader says
 * so on standard error and goes on. */
#define SANITIZER "libasan.so.8"

const char *
dps_check_verb_name (DpsCheckVerb verb)
{
  static const char *const names[] = { "probe", "describe", "answer", "sign", "forget" };

  return names[verb];
}

void
dps_check_exercise_free (DpsCheckExercise *self)
{
  g_free (self->error);
  g_free (self->complaint);
  g_ptr_array_unref (self->settings);
  g_ptr_array_unref (self->secrets);
  g_ptr_array_unref (self->causes);
  g_free (self);
}

static gboolean
find_verb (const char *name, DpsCheckVerb *verb)
{
  for (*verb = 0; *verb < DPS_CHECK_N_VERBS; (*verb)++)
    if (g_str_equal (name, dps_check_verb_name (*verb)))
      return TRUE;
  return FALSE;
}

static void
parse_call (DpsCheckExercise *self, const char *line)
{
  char name[16], phase[8], said[8], limits[8];
  DpsCheckExercised seen = { .called = TRUE };
  DpsCheckVerb verb;

  if (sscanf (line,
              "%15s %7s %d %7s %7s %u %" G_GUINT64_FORMAT,
              name,
              phase,
              &seen.result,
              said,
              limits,
              &seen.calls,
              &seen.growth) != 7 ||
      !find_verb (name, &verb))
    return;
  seen.beyond = g_str_equal (limits, "beyond");
  seen.silent = g_str_equal (said, "silent");
  if (g_str_equal (phase, "given"))
    self->given[verb] = seen;
  else
    self->bare[verb] = seen;
}

static void
parse_line (DpsCheckExercise *self, const char *line)
{
  DpsCheckVerb verb;

  if (g_str_equal (line, "sanitizer yes"))
    self->sanitizer = TRUE;
  else if (g_str_equal (line, "loaded"))
    self->loaded = TRUE;
  else if (g_str_equal (line, "end"))
    self->ended = TRUE;
  else if (g_str_has_prefix (line, "error "))
    self->error = g_utf8_make_valid (line + strlen ("error "), -1);
  else if (g_str_has_prefix (line, "asks setting "))
    g_ptr_array_add (self->settings, g_strdup (line + strlen ("asks setting ")));
  else if (g_str_has_prefix (line, "asks secret "))
    g_ptr_array_add (self->secrets, g_strdup (line + strlen ("asks secret ")));
  else if (g_str_has_prefix (line, "cause "))
    g_ptr_array_add (self->causes, g_strcompress (line + strlen ("cause ")));
  else if (g_str_has_prefix (line, "verb ") && find_verb (line + strlen ("verb "), &verb))
    self->has[verb] = TRUE;
  else if (g_str_has_prefix (line, "call "))
    parse_call (self, line + strlen ("call "));
}

/* What a report begins with: "ERROR: AddressSanitizer: attempting double-free on …", or
 * the C library's own "free(): invalid pointer". */
static const char *
find_complaint (char **lines)
{
  static const char *const marks[] = { "ERROR: AddressSanitizer: ",
                                       "ERROR: LeakSanitizer: ",
                                       "runtime error: " };

  for (guint i = 0; lines[i] != NULL; i++)
    {
      for (gsize m = 0; m < G_N_ELEMENTS (marks); m++)
        {
          const char *at = strstr (lines[i], marks[m]);

          if (at != NULL)
            return at;
        }
      if (g_str_has_prefix (lines[i], "free(): ") ||
          g_str_has_prefix (lines[i], "munmap_chunk(): ") ||
          g_str_has_prefix (lines[i], "double free or corruption"))
        return lines[i];
    }
  return NULL;
}

/* The plugin's own line of the first stack: that before the exerciser's. */
static const char *
find_place (char **lines)
{
  for (guint i = 1; lines[0] != NULL && lines[i] != NULL; i++)
    {
      const char *address = strstr (lines[i - 1], "0x");

      if (address != NULL && strchr (address, ' ') != NULL &&
          strstr (lines[i - 1], "    #") == lines[i - 1] &&
          strstr (lines[i], "    #") == lines[i] &&
          strstr (lines[i], "dps-plugin-exercise") != NULL)
        return strchr (address, ' ') + 1;
    }
  return NULL;
}

DpsCheckExercise *
dps_check_exercise_parse (const char *report, const char *errors)
{
  DpsCheckExercise *self = g_new0 (DpsCheckExercise, 1);
  g_auto (GStrv) lines = g_strsplit (report, "\n", -1);
  g_auto (GStrv) said = g_strsplit (errors, "\n", -1);
  const char *complaint = find_complaint (said);
  const char *place = find_place (said);

  self->settings = g_ptr_array_new_with_free_func (g_free);
  self->secrets = g_ptr_array_new_with_free_func (g_free);
  self->causes = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; lines[i] != NULL; i++)
    parse_line (self, lines[i]);
  if (complaint != NULL && strstr (complaint, "has encountered a fatal error") == NULL)
    {
      g_autofree char *text = g_strdup_printf ("%.*s%s%s",
                                               COMPLAINT_MAX,
                                               complaint,
                                               place != NULL ? ", " : "",
                                               place != NULL ? place : "");

      self->complaint = g_utf8_make_valid (text, -1);
    }
  return self;
}

static char **
make_command (const char *program,
              const char *plugin_file,
              GHashTable *settings,
              GHashTable *secret_files)
{
  GPtrArray *command = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key, value;

  g_ptr_array_add (command, g_strdup (program));
  g_ptr_array_add (command, g_strdup (plugin_file));
  g_ptr_array_add (command, g_strdup (CALLS));
  for (int i = 0; i < 2; i++)
    {
      g_hash_table_iter_init (&iter, i == 0 ? settings : secret_files);
      while (g_hash_table_iter_next (&iter, &key, &value))
        {
          g_ptr_array_add (command, g_strdup (i == 0 ? "setting" : "secret"));
          g_ptr_array_add (command, g_strdup (key));
          g_ptr_array_add (command, g_strdup (value));
        }
    }
  g_ptr_array_add (command, NULL);
  return (char **) g_ptr_array_free (command, FALSE);
}

typedef struct
{
  GMainLoop *loop;
  GSubprocess *process;
  GBytes *report;
  GBytes *errors;
  gboolean timed_out;
} Wait;

static void
on_communicated (GObject *source, GAsyncResult *result, gpointer data)
{
  Wait *wait = data;

  g_subprocess_communicate_finish (G_SUBPROCESS (source),
                                   result,
                                   &wait->report,
                                   &wait->errors,
                                   NULL);
  g_main_loop_quit (wait->loop);
}

static gboolean
on_time_over (gpointer data)
{
  Wait *wait = data;

  wait->timed_out = TRUE;
  g_subprocess_force_exit (wait->process);
  return G_SOURCE_REMOVE;
}

static char *
text_of (GBytes *bytes)
{
  gsize size = 0;
  const char *data = bytes != NULL ? g_bytes_get_data (bytes, &size) : NULL;

  return g_strndup (data != NULL ? data : "", size);
}

DpsCheckExercise *
dps_check_exercise_run (const char *program,
                        const char *plugin_file,
                        GHashTable *settings,
                        GHashTable *secret_files,
                        GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_auto (GStrv) command = make_command (program, plugin_file, settings, secret_files);
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *report = NULL;
  g_autofree char *errors = NULL;
  DpsCheckExercise *self;
  Wait wait = { NULL };
  guint timer;

  g_subprocess_launcher_setenv (launcher, "LD_PRELOAD", SANITIZER, TRUE);
  g_subprocess_launcher_setenv (launcher, "G_SLICE", "always-malloc", TRUE);
  g_subprocess_launcher_setenv (launcher,
                                "ASAN_OPTIONS",
                                "detect_leaks=1:abort_on_error=0:fast_unwind_on_malloc=0",
                                TRUE);
  process = g_subprocess_launcher_spawnv (launcher, (const char *const *) command, error);
  if (process == NULL)
    return NULL;
  wait.loop = g_main_loop_new (NULL, FALSE);
  wait.process = process;
  timer = g_timeout_add_seconds (TIME_LIMIT, on_time_over, &wait);
  g_subprocess_communicate_async (process, NULL, NULL, on_communicated, &wait);
  g_main_loop_run (wait.loop);
  g_main_loop_unref (wait.loop);
  if (!wait.timed_out)
    g_source_remove (timer);
  report = text_of (wait.report);
  errors = text_of (wait.errors);
  g_clear_pointer (&wait.report, g_bytes_unref);
  g_clear_pointer (&wait.errors, g_bytes_unref);
  self = dps_check_exercise_parse (report, errors);
  self->timed_out = wait.timed_out;
  return self;
}
