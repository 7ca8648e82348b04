/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-run.h"
#include "common/dps-error.h"

#include <gio/gio.h>

DpsCheckOutcome *
dps_check_run_call (DpsCheckRun *self, DpsCheckVerb verb, const DpsCheckInput *input)
{
  DpsCheckOutcome *out;
  guint part;

  if (self->slow[verb])
    return NULL;
  out = dps_check_call (&self->host, verb, input);
  part = out->ms * 100 / dps_check_deadline (verb);
  if (part > self->slowest_part)
    {
      self->slowest_part = part;
      self->slowest = verb;
    }
  if (out->error != NULL)
    g_ptr_array_add (self->texts, g_strdup (out->error->message));
  self->died |= out->end == DPS_CHECK_DIED;
  if (out->end != DPS_CHECK_TIMED_OUT)
    return out;
  self->slow[verb] = TRUE;
  g_string_append_printf (self->late,
                          "%s%s",
                          self->late->len > 0 ? ", " : "",
                          out->error->message);
  dps_check_outcome_free (out);
  return NULL;
}

gboolean
dps_check_run_is_broken (const DpsCheckRun *self,
                         DpsCheckVerb verb,
                         const DpsCheckOutcome *out,
                         gboolean bare)
{
  const DpsCheckExercised *seen =
      bare ? &self->exercise->bare[verb] : &self->exercise->given[verb];

  if (out->end == DPS_CHECK_DIED ||
      g_error_matches (out->error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED))
    return TRUE;
  if (!g_error_matches (out->error, DPS_ERROR, DPS_ERROR_REJECTED))
    return FALSE;
  /* The plugin's own refusal, or the host's of what the plugin returned as OK? */
  if (verb == DPS_CHECK_VERB_ANSWER || verb == DPS_CHECK_VERB_SIGN)
    return seen->beyond;
  return seen->beyond || !seen->called || seen->result == 0;
}

void
dps_check_run_note (DpsCheckRun *self, const DpsPluginDescription *description)
{
  GHashTableIter iter;
  gpointer key, value;

  if (description->registration_id != NULL)
    g_ptr_array_add (self->texts, g_strdup (description->registration_id));
  if (description->enrollment != NULL)
    g_ptr_array_add (self->texts, g_strdup (description->enrollment));
  g_hash_table_iter_init (&iter, description->material);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      g_ptr_array_add (self->texts, g_strdup (key));
      g_ptr_array_add (self->texts, g_strdup (value));
    }
  if (description->key != NULL)
    g_ptr_array_add (self->needles,
                     g_bytes_new (dps_secret_data (description->key),
                                  dps_secret_size (description->key)));
}

char *
dps_check_run_describe_time (const DpsCheckRun *self)
{
  return g_strdup_printf ("%s took %u %% of its time, the others less%s",
                          dps_check_verb_name (self->slowest),
                          self->slowest_part,
                          self->slowest_part > 50
                              ? "; WARNING: on a slower machine it may be killed"
                              : "");
}

DpsSecret *
dps_check_make_bytes (gsize size)
{
  DpsSecret *bytes = dps_secret_new_empty (size);

  for (gsize i = 0; i < size; i++)
    dps_secret_edit (bytes)[i] = (guint8) g_random_int ();
  return bytes;
}
