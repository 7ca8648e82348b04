/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "plugin-check/dps-check-rules.h"
#include "plugin-check/dps-check-run.h"

/* A verb that fails is not looked at once more for the same. */
static void
fail_verb (DpsCheckRun *self,
           DpsCheckVerb verb,
           const DpsCheckRule *rule,
           const char *when,
           const DpsCheckOutcome *out)
{
  self->failed[verb] = TRUE;
  dps_check_report_fail (self->report,
                         rule,
                         "%s%s",
                         when,
                         dps_check_run_quote (self, out->error->message));
}

void
dps_check_probe (DpsCheckRun *self)
{
  static const char *const names[] = { "now", "later", "never" };
  DpsCheckInput input = { self->plan->settings, self->plan->secrets };
  g_autoptr (DpsCheckOutcome) out =
      dps_check_run_call (self, DPS_CHECK_VERB_PROBE, &input);

  if (out == NULL)
    dps_check_report_skip (self->report, &dps_check_probe_rule, "see deadlines");
  else if (out->probe == NULL)
    fail_verb (self, DPS_CHECK_VERB_PROBE, &dps_check_probe_rule, "", out);
  else
    {
      g_ptr_array_add (self->texts, g_strdup (out->probe->reason));
      dps_check_report_ok (self->report,
                           &dps_check_probe_rule,
                           "usable %s%s%s",
                           names[out->probe->availability],
                           *out->probe->reason ? ": " : "",
                           dps_check_run_quote (self, out->probe->reason));
    }
}

static gboolean
has_same_items (GHashTable *a, GHashTable *b)
{
  GHashTableIter iter;
  gpointer key, value;

  if (g_hash_table_size (a) != g_hash_table_size (b))
    return FALSE;
  g_hash_table_iter_init (&iter, a);
  while (g_hash_table_iter_next (&iter, &key, &value))
    if (g_strcmp0 (value, g_hash_table_lookup (b, key)) != 0)
      return FALSE;
  return TRUE;
}

/* What differs, or NULL. */
static const char *
find_difference (const DpsPluginDescription *a, const DpsPluginDescription *b)
{
  if (!g_str_equal (a->kind, b->kind))
    return "the kind";
  if (g_strcmp0 (a->registration_id, b->registration_id) != 0)
    return "the registration id";
  if (!has_same_items (a->material, b->material))
    return "the material";
  if (g_strcmp0 (a->enrollment, b->enrollment) != 0)
    return "the enrollment record";
  if ((a->key == NULL) != (b->key == NULL) ||
      (a->key != NULL && !dps_secret_equal (a->key, b->key)))
    return "the key";
  return NULL;
}

static void
check_stable (DpsCheckRun *self,
              const DpsPluginDescription *first,
              const DpsCheckInput *input)
{
  g_autoptr (DpsCheckOutcome) again =
      dps_check_run_call (self, DPS_CHECK_VERB_DESCRIBE, input);
  const char *other;

  if (again == NULL)
    {
      dps_check_report_skip (self->report, &dps_check_stable_rule, "see deadlines");
      return;
    }
  other = again->description ? find_difference (first, again->description)
                             : again->error->message;
  if (other != NULL)
    dps_check_report_fail (self->report,
                           &dps_check_stable_rule,
                           "the second answer differs: %s",
                           dps_check_run_quote (self, other));
  else
    dps_check_report_ok (self->report, &dps_check_stable_rule, "the same answer twice");
}

void
dps_check_describe (DpsCheckRun *self)
{
  DpsCheckInput input = { self->plan->settings, self->plan->secrets };
  g_autoptr (DpsCheckOutcome) out =
      dps_check_run_call (self, DPS_CHECK_VERB_DESCRIBE, &input);
  const DpsPluginDescription *seen = out != NULL ? out->description : NULL;

  if (seen != NULL)
    {
      dps_check_run_note (self, seen);
      dps_check_report_ok (self->report,
                           &dps_check_describe_rule,
                           "%s, registration id %s",
                           seen->kind,
                           seen->registration_id
                               ? dps_check_run_quote (self, seen->registration_id)
                               : "as configured");
      check_stable (self, seen, &input);
      return;
    }
  if (out == NULL)
    dps_check_report_skip (self->report, &dps_check_describe_rule, "see deadlines");
  else if (dps_check_run_is_broken (self, DPS_CHECK_VERB_DESCRIBE, out, FALSE))
    fail_verb (self, DPS_CHECK_VERB_DESCRIBE, &dps_check_describe_rule, "", out);
  else if (self->exercise->given[DPS_CHECK_VERB_DESCRIBE].called &&
           self->exercise->given[DPS_CHECK_VERB_DESCRIBE].result == 0)
    dps_check_report_fail (self->report,
                           &dps_check_confined_rule,
                           "it says \"%s\" in the confined process, and answers outside"
                           " of it",
                           dps_check_run_quote (self, out->error->message));
  else
    dps_check_report_skip (self->report,
                           &dps_check_describe_rule,
                           "it says \"%s\": give what it needs with --setting and "
                           "--secret",
                           dps_check_run_quote (self, out->error->message));
  dps_check_report_skip (self->report, &dps_check_stable_rule, "there is no description");
}

typedef struct
{
  const char *what;
  gsize size;
  const char *slot;
  const char *mechanism;
  gsize blob;
} Strange;

/* A verb that is not there is no fault, and the host says so for the plugin. */
static void
check_absent (DpsCheckRun *self, DpsCheckVerb verb, const DpsCheckRule *rule)
{
  g_autoptr (DpsSecret) bytes = dps_check_make_bytes (32);
  g_autoptr (GBytes) data = g_bytes_new_static ("data", 4);
  DpsCheckInput input = {
    self->plan->settings, self->plan->secrets, "hub", "HMAC-SHA256", bytes, data
  };
  g_autoptr (DpsCheckOutcome) out = dps_check_run_call (self, verb, &input);

  if (out != NULL && g_error_matches (out->error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED))
    dps_check_report_ok (self->report, rule, "it has none, which is NotSupported");
  else
    dps_check_report_fail (self->report,
                           rule,
                           "it has none, and still there is an answer that is not"
                           " NotSupported");
}

static void
check_strange (DpsCheckRun *self,
               DpsCheckVerb verb,
               const DpsCheckRule *rule,
               const Strange *rows,
               gsize n)
{
  guint answered = 0;

  if (!self->exercise->has[verb])
    {
      check_absent (self, verb, rule);
      return;
    }
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (DpsSecret) bytes = dps_check_make_bytes (rows[i].size);
      g_autoptr (DpsSecret) blob =
          rows[i].blob ? dps_check_make_bytes (rows[i].blob) : NULL;
      g_autoptr (GBytes) data =
          g_bytes_new (dps_secret_data (bytes), dps_secret_size (bytes));
      DpsCheckInput input = { self->plan->settings,
                              self->plan->secrets,
                              rows[i].slot,
                              rows[i].mechanism,
                              verb == DPS_CHECK_VERB_ANSWER ? bytes : blob,
                              data };
      g_autoptr (DpsCheckOutcome) out = dps_check_run_call (self, verb, &input);

      if (out == NULL)
        {
          dps_check_report_skip (self->report, rule, "see deadlines");
          return;
        }
      if (dps_check_run_is_broken (self, verb, out, FALSE))
        {
          fail_verb (self, verb, rule, rows[i].what, out);
          return;
        }
      answered += out->end == DPS_CHECK_ANSWERED;
    }
  dps_check_report_ok (self->report,
                       rule,
                       "%u strange inputs: %u answered, %u refused",
                       (guint) n,
                       answered,
                       (guint) n - answered);
}

void
dps_check_input (DpsCheckRun *self)
{
  static const Strange challenges[] = {
    { "with an empty challenge: ", 0, NULL, NULL, 0 },
    { "with a challenge of one byte: ", 1, NULL, NULL, 0 },
    { "with a challenge of 300 random bytes: ", 300, NULL, NULL, 0 },
    { "with the largest challenge: ", DPS_PLUGIN_RUNNER_BLOB_MAX, NULL, NULL, 0 },
  };
  static const Strange signatures[] = {
    { "with nothing to sign: ", 0, "hub", "HMAC-SHA256", 0 },
    { "with the most to sign: ",
      DPS_PLUGIN_RUNNER_BLOB_MAX,
      "service",
      "HMAC-SHA256",
      0 },
    { "with a blob of random bytes: ", 32, "hub", "HMAC-SHA256", 200 },
    { "with an unknown mechanism: ", 32, "service", "NONE-SUCH", 0 },
  };

  check_strange (self,
                 DPS_CHECK_VERB_ANSWER,
                 &dps_check_answer_rule,
                 challenges,
                 G_N_ELEMENTS (challenges));
  check_strange (self,
                 DPS_CHECK_VERB_SIGN,
                 &dps_check_sign_rule,
                 signatures,
                 G_N_ELEMENTS (signatures));
}

/* all without key; borrows from it. */
static GHashTable *
without (GHashTable *all, const char *key)
{
  GHashTable *rest = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer name, value;

  g_hash_table_iter_init (&iter, all);
  while (g_hash_table_iter_next (&iter, &name, &value))
    if (!g_str_equal (name, key))
      g_hash_table_insert (rest, name, value);
  return rest;
}

static gboolean
check_without (DpsCheckRun *self, gboolean secret, const char *key)
{
  g_autoptr (GHashTable) rest =
      without (secret ? self->plan->secrets : self->plan->settings, key);
  DpsCheckInput input = { .settings = secret ? self->plan->settings : rest,
                          .secrets = secret ? rest : self->plan->secrets };

  for (DpsCheckVerb verb = DPS_CHECK_VERB_PROBE; verb <= DPS_CHECK_VERB_DESCRIBE; verb++)
    {
      g_autoptr (DpsCheckOutcome) out = NULL;

      if (!self->exercise->has[verb] || self->failed[verb])
        continue;
      out = dps_check_run_call (self, verb, &input);
      if (out == NULL || out->end != DPS_CHECK_DIED)
        continue;
      dps_check_report_fail (self->report,
                             &dps_check_bare_rule,
                             "without the %s '%s': %s",
                             secret ? "secret" : "setting",
                             key,
                             out->error->message);
      return FALSE;
    }
  return TRUE;
}

/* Each missing alone: where all are, the check for the first hides that there is none for
 * the second. */
static gboolean
check_one_missing (DpsCheckRun *self, gboolean secret)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, secret ? self->plan->secrets : self->plan->settings);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (!check_without (self, secret, key))
      return FALSE;
  return TRUE;
}

void
dps_check_forget (DpsCheckRun *self)
{
  DpsCheckInput input = { self->plan->settings, self->plan->secrets };

  for (guint call = 0; call < 2; call++)
    {
      g_autoptr (DpsCheckOutcome) out =
          dps_check_run_call (self, DPS_CHECK_VERB_FORGET, &input);

      if (out == NULL)
        dps_check_report_skip (self->report, &dps_check_forget_rule, "see deadlines");
      else if (g_error_matches (out->error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED))
        dps_check_report_ok (self->report,
                             &dps_check_forget_rule,
                             "it has none, which is NotSupported");
      else if (out->error != NULL)
        fail_verb (self,
                   DPS_CHECK_VERB_FORGET,
                   &dps_check_forget_rule,
                   call == 0 ? "" : "called again: ",
                   out);
      else
        continue;
      return;
    }
  dps_check_report_ok (self->report, &dps_check_forget_rule, "OK twice");
}

void
dps_check_bare (DpsCheckRun *self)
{
  g_autoptr (DpsSecret) bytes = dps_check_make_bytes (32);
  g_autoptr (GBytes) data = g_bytes_new_static ("data", 4);
  DpsCheckInput input = { .slot = "hub",
                          .mechanism = "HMAC-SHA256",
                          .input = bytes,
                          .data = data };
  guint refused = 0;

  for (DpsCheckVerb verb = 0; verb < DPS_CHECK_N_VERBS; verb++)
    {
      const DpsCheckExercised *seen = &self->exercise->bare[verb];
      g_autoptr (DpsCheckOutcome) out = NULL;

      if (!self->exercise->has[verb] || self->failed[verb])
        continue;
      out = dps_check_run_call (self, verb, &input);
      if (out != NULL && dps_check_run_is_broken (self, verb, out, TRUE))
        {
          dps_check_report_fail (self->report,
                                 &dps_check_bare_rule,
                                 "without settings and secrets: %s",
                                 out->error->message);
          return;
        }
      if (seen->called && seen->silent)
        {
          dps_check_report_fail (self->report,
                                 &dps_check_bare_rule,
                                 "without settings and secrets %s returns %d and says"
                                 " nothing",
                                 dps_check_verb_name (verb),
                                 seen->result);
          return;
        }
      refused += out != NULL && out->error != NULL;
    }
  if (!check_one_missing (self, FALSE) || !check_one_missing (self, TRUE))
    return;
  dps_check_report_ok (self->report,
                       &dps_check_bare_rule,
                       "without settings and secrets %u verbs refuse and say why, the"
                       " others answer",
                       refused);
}
