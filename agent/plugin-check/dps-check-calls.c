/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-calls.h"
#include "common/dps-error.h"
#include "core/dps-plugin-reply.h"

#include <stdlib.h>
#include <string.h>

typedef struct
{
  GMainLoop *loop;
  GAsyncResult *result;
} Wait;

static GLogWriterOutput
on_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data)
{
  DpsCheckHost *self = data;
  const char *topic = NULL, *message = NULL;

  for (gsize i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, "DPS_TOPIC"))
      topic = fields[i].value;
    else if (g_str_equal (fields[i].key, "MESSAGE"))
      message = fields[i].value;
  if (g_strcmp0 (topic, "plugin") != 0 || message == NULL)
    return g_log_writer_standard_streams (level, fields, n_fields, NULL);
  g_ptr_array_add (self->log, g_strdup (message));
  return G_LOG_WRITER_HANDLED;
}

/* Of file, without links: the host follows none, and that is no fault of the plugin. */
static char *
find_directory (const char *file)
{
  g_autofree char *named = g_path_get_dirname (file);
  char *real = realpath (named, NULL); /* g_free() is free() */

  return real != NULL ? real : g_steal_pointer (&named);
}

void
dps_check_host_init (DpsCheckHost *self, const char *plugin_host, const char *plugin_file)
{
  g_autofree char *absolute = g_canonicalize_filename (plugin_file, NULL);
  g_autofree char *base = g_path_get_basename (absolute);

  self->plugin_host = plugin_host;
  self->directory = find_directory (plugin_file);
  self->name = g_str_has_suffix (base, ".so") ? g_strndup (base, strlen (base) - 3)
                                              : g_strdup (base);
  self->log = g_ptr_array_new_with_free_func (g_free);
  g_log_set_writer_func (on_log, self, NULL);
}

void
dps_check_host_clear (DpsCheckHost *self)
{
  g_free (self->directory);
  g_free (self->name);
  g_ptr_array_unref (self->log);
}

void
dps_check_outcome_free (DpsCheckOutcome *self)
{
  g_clear_error (&self->error);
  g_clear_pointer (&self->probe, dps_plugin_probe_free);
  g_clear_pointer (&self->description, dps_plugin_description_free);
  g_clear_pointer (&self->blob, dps_secret_unref);
  g_clear_pointer (&self->signature, g_bytes_unref);
  g_free (self);
}

guint
dps_check_deadline (DpsCheckVerb verb)
{
  static const guint deadlines[] = { 2000, 10000, 20000, 5000, 10000 };

  return deadlines[verb];
}

static void
on_result (GObject *source, GAsyncResult *result, gpointer data)
{
  Wait *wait = data;

  wait->result = g_object_ref (result);
  g_main_loop_quit (wait->loop);
}

static void
start (DpsPluginRunner *runner, DpsCheckVerb verb, const DpsCheckInput *in, Wait *wait)
{
  if (verb == DPS_CHECK_VERB_PROBE)
    dps_plugin_runner_probe_async (runner,
                                   in->settings,
                                   in->secrets,
                                   NULL,
                                   on_result,
                                   wait);
  else if (verb == DPS_CHECK_VERB_DESCRIBE)
    dps_plugin_runner_describe_async (runner,
                                      in->settings,
                                      in->secrets,
                                      NULL,
                                      on_result,
                                      wait);
  else if (verb == DPS_CHECK_VERB_ANSWER)
    dps_plugin_runner_answer_async (runner,
                                    in->settings,
                                    in->secrets,
                                    in->input,
                                    NULL,
                                    on_result,
                                    wait);
  else if (verb == DPS_CHECK_VERB_FORGET)
    dps_plugin_runner_forget_async (runner,
                                    in->settings,
                                    in->secrets,
                                    NULL,
                                    on_result,
                                    wait);
  else
    dps_plugin_runner_sign_async (runner,
                                  in->settings,
                                  in->secrets,
                                  in->slot,
                                  in->mechanism,
                                  in->input,
                                  in->data,
                                  NULL,
                                  on_result,
                                  wait);
}

static void
finish (DpsPluginRunner *runner,
        DpsCheckVerb verb,
        GAsyncResult *result,
        DpsCheckOutcome *out)
{
  if (verb == DPS_CHECK_VERB_PROBE)
    out->probe = dps_plugin_runner_probe_finish (runner, result, &out->error);
  else if (verb == DPS_CHECK_VERB_DESCRIBE)
    out->description = dps_plugin_runner_describe_finish (runner, result, &out->error);
  else if (verb == DPS_CHECK_VERB_ANSWER)
    out->blob = dps_plugin_runner_answer_finish (runner, result, &out->error);
  else if (verb == DPS_CHECK_VERB_FORGET)
    dps_plugin_runner_forget_finish (runner, result, &out->error);
  else
    out->signature = dps_plugin_runner_sign_finish (runner, result, &out->error);
}

/* An error that came over the connection names the verb first; one of the runner's own
 * says what became of the process. */
static gboolean
is_remote (const DpsCheckHost *self, DpsCheckVerb verb, const GError *error)
{
  g_autofree char *prefix =
      g_strdup_printf ("plugin %s: %s: ", self->name, dps_check_verb_name (verb));

  return g_str_has_prefix (error->message, prefix);
}

static DpsCheckEnd
end_of (const DpsCheckHost *self,
        DpsCheckVerb verb,
        DpsPluginRunner *runner,
        const GError *error)
{
  if (error == NULL)
    return DPS_CHECK_ANSWERED;
  if (dps_plugin_runner_get_start_time (runner) == 0)
    return DPS_CHECK_NOT_LOADED;
  if (g_error_matches (error, DPS_ERROR, DPS_ERROR_TIMED_OUT))
    return DPS_CHECK_TIMED_OUT;
  if (g_error_matches (error, DPS_ERROR, DPS_ERROR_FAILED) &&
      !is_remote (self, verb, error))
    return DPS_CHECK_DIED;
  return DPS_CHECK_REFUSED;
}

DpsCheckOutcome *
dps_check_call (DpsCheckHost *self, DpsCheckVerb verb, const DpsCheckInput *input)
{
  g_autoptr (DpsPluginRunner) runner =
      dps_plugin_runner_new (self->plugin_host, self->directory, self->name);
  DpsCheckOutcome *out = g_new0 (DpsCheckOutcome, 1);
  Wait wait = { g_main_loop_new (NULL, FALSE), NULL };
  gint64 before = g_get_monotonic_time ();
  gint64 took;

  dps_plugin_runner_set_any_owner (runner, TRUE);
  start (runner, verb, input, &wait);
  g_main_loop_run (wait.loop);
  g_main_loop_unref (wait.loop);
  finish (runner, verb, wait.result, out);
  g_object_unref (wait.result);
  took = g_get_monotonic_time () - before - dps_plugin_runner_get_start_time (runner);
  out->ms = (guint) (MAX (took, 0) / 1000);
  if (out->error != NULL)
    g_free (dps_plugin_reply_take_cause (out->error));
  out->end = end_of (self, verb, runner, out->error);
  return out;
}
