/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-suite.h"
#include "common/dps-name.h"
#include "plugin-check/dps-check-elf.h"
#include "plugin-check/dps-check-rules.h"
#include "plugin-check/dps-check-run.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define INFO_SYMBOL "dps_plugin_info"
#define FILE_MAX (64 * 1024 * 1024)

static gboolean
is_readable_size (const char *file, struct stat *st, char **what)
{
  if (stat (file, st) < 0)
    *what = g_strdup_printf ("can not be looked at: %s", g_strerror (errno));
  else if (!S_ISREG (st->st_mode))
    *what = g_strdup ("is no regular file");
  else if (st->st_size > FILE_MAX)
    *what = g_strdup_printf ("has %" G_GINT64_FORMAT " bytes, more than the %d that this"
                             " program looks at",
                             (gint64) st->st_size,
                             FILE_MAX);
  return *what == NULL;
}

static gboolean
check_file (DpsCheckRun *self)
{
  const char *file = self->plan->file;
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsCheckElf) elf = NULL;
  g_autoptr (GMappedFile) mapped = NULL;
  g_autofree char *what = NULL;
  g_autofree char *exports = NULL;
  g_autofree char *needs = NULL;
  struct stat st;

  if (!is_readable_size (file, &st, &what))
    {
      dps_check_report_fail (self->report, &dps_check_file_rule, "'%s' %s", file, what);
      return FALSE;
    }
  mapped = g_mapped_file_new (file, FALSE, &error);
  if (mapped != NULL)
    elf = dps_check_elf_parse ((const guint8 *) g_mapped_file_get_contents (mapped),
                               g_mapped_file_get_length (mapped),
                               &error);
  if (elf == NULL || !g_str_has_suffix (file, ".so") ||
      !dps_name_check_plugin (self->host.name, &error))
    {
      dps_check_report_fail (self->report,
                             &dps_check_file_rule,
                             "'%s': %s",
                             file,
                             error ? error->message : "its name does not end in .so");
      return FALSE;
    }
  if (st.st_mode & (S_IWGRP | S_IWOTH))
    dps_check_report_fail (self->report,
                           &dps_check_file_rule,
                           "'%s' has mode %04o",
                           file,
                           st.st_mode & 07777);
  else
    dps_check_report_ok (self->report,
                         &dps_check_file_rule,
                         "a shared object called %s",
                         file);
  g_ptr_array_add (elf->exports, NULL);
  g_ptr_array_add (elf->needs, NULL);
  exports = g_strjoinv (", ", (char **) elf->exports->pdata);
  needs = g_strjoinv (", ", (char **) elf->needs->pdata);
  if (!g_str_equal (exports, INFO_SYMBOL))
    dps_check_report_fail (self->report,
                           &dps_check_symbols_rule,
                           "it exports %s",
                           *exports ? exports : "nothing");
  else
    dps_check_report_ok (self->report,
                         &dps_check_symbols_rule,
                         "it exports " INFO_SYMBOL " alone, and names %s",
                         needs);
  return TRUE;
}

/* The first probe tells whether it loads. */
static gboolean
check_load (DpsCheckRun *self)
{
  DpsCheckInput input = { self->plan->settings, self->plan->secrets };
  g_autoptr (DpsCheckOutcome) out =
      dps_check_run_call (self, DPS_CHECK_VERB_PROBE, &input);

  if (out != NULL && out->end == DPS_CHECK_NOT_LOADED)
    {
      dps_check_report_fail (self->report,
                             &dps_check_load_rule,
                             "%s",
                             out->error->message);
      return FALSE;
    }
  dps_check_report_ok (self->report,
                       &dps_check_load_rule,
                       "it loads in the confined process%s",
                       out && out->probe && out->probe->confinement.landlock == 0
                           ? "; this kernel has no Landlock, so files were open to it"
                           : "");
  return TRUE;
}

static gboolean
check_alone (DpsCheckRun *self)
{
  g_autofree char *file = g_canonicalize_filename (self->plan->file, NULL);
  g_autoptr (GError) error = NULL;

  self->exercise = dps_check_exercise_run (self->plan->exerciser,
                                           file,
                                           self->plan->settings,
                                           self->plan->secret_files,
                                           &error);
  if (self->exercise == NULL)
    {
      dps_check_report_fail (self->report, &dps_check_alone_rule, "%s", error->message);
      return FALSE;
    }
  if (!self->exercise->loaded)
    dps_check_report_fail (self->report,
                           &dps_check_alone_rule,
                           "apart from dps-plugin-host it does not load: %s",
                           self->exercise->error ? self->exercise->error
                                                 : "its process ended");
  else
    dps_check_report_ok (self->report,
                         &dps_check_alone_rule,
                         "they bring all that it uses");
  return self->exercise->loaded;
}

static void
check_causes (DpsCheckRun *self)
{
  GPtrArray *causes = self->exercise->causes;

  for (guint i = 0; i < causes->len; i++)
    if (!dps_name_check_plugin (causes->pdata[i], NULL))
      {
        dps_check_report_fail (self->report,
                               &dps_check_cause_rule,
                               "it names '%s'",
                               dps_check_run_quote (self, causes->pdata[i]));
        return;
      }
  dps_check_report_ok (self->report,
                       &dps_check_cause_rule,
                       causes->len > 0 ? "%u words" : "it names none",
                       causes->len);
}

static void
check_deadlines (DpsCheckRun *self)
{
  g_autofree char *time = dps_check_run_describe_time (self);

  if (self->late->len > 0)
    dps_check_report_fail (self->report, &dps_check_deadline_rule, "%s", self->late->str);
  else
    dps_check_report_ok (self->report, &dps_check_deadline_rule, "%s", time);
}

/* The verb that grows most, in bytes a call. */
static guint64
find_growth (const DpsCheckExercise *seen, DpsCheckVerb *verb, guint *calls)
{
  guint64 most = 0;

  *calls = 0;
  for (DpsCheckVerb v = 0; v < DPS_CHECK_N_VERBS; v++)
    {
      guint64 growth = MAX (seen->given[v].growth, seen->bare[v].growth);

      *calls += seen->given[v].calls + seen->bare[v].calls;
      if (growth > most)
        {
          most = growth;
          *verb = v;
        }
    }
  return most;
}

static void
check_memory (DpsCheckRun *self)
{
  const DpsCheckExercise *seen = self->exercise;
  DpsCheckVerb verb = 0;
  guint calls;
  guint64 growth = find_growth (seen, &verb, &calls);

  if (!seen->loaded || self->died || seen->timed_out)
    dps_check_report_skip (self->report,
                           &dps_check_memory_rule,
                           "mend what is above first");
  else if (growth > 0)
    dps_check_report_fail (self->report,
                           &dps_check_memory_rule,
                           "%s leaves %" G_GUINT64_FORMAT
                           " bytes behind at each call%s%s",
                           dps_check_verb_name (verb),
                           growth,
                           seen->complaint ? "; " : "",
                           seen->complaint ? seen->complaint : "");
  else if (seen->complaint != NULL || !seen->ended)
    dps_check_report_fail (self->report,
                           &dps_check_memory_rule,
                           "%s",
                           seen->complaint ? seen->complaint
                                           : "the process ended in a verb");
  else if (!seen->sanitizer)
    dps_check_report_skip (self->report,
                           &dps_check_memory_rule,
                           "no growth in %u calls, but no more was seen: AddressSanitizer"
                           " is not here; install libasan8",
                           calls);
  else
    dps_check_report_ok (self->report,
                         &dps_check_memory_rule,
                         "%u calls under AddressSanitizer: no leak, 0 bytes a call",
                         calls);
}

static void
run (DpsCheckRun *self)
{
  dps_check_note_secrets (self);
  if (!check_file (self) || !check_load (self) || !check_alone (self))
    return;
  dps_check_probe (self);
  dps_check_describe (self);
  dps_check_input (self);
  if (self->plan->forget)
    dps_check_forget (self);
  dps_check_bare (self);
  dps_check_secrets (self);
  check_causes (self);
  check_deadlines (self);
  check_memory (self);
}

void
dps_check_suite_run (const DpsCheckPlan *plan, DpsCheckReport *report)
{
  DpsCheckRun self = { .plan = plan, .report = report };

  self.texts = g_ptr_array_new_with_free_func (g_free);
  self.needles = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self.late = g_string_new (NULL);
  dps_check_host_init (&self.host, plan->plugin_host, plan->file);
  run (&self);
  g_clear_pointer (&self.exercise, dps_check_exercise_free);
  g_ptr_array_unref (self.texts);
  g_ptr_array_unref (self.needles);
  g_string_free (self.late, TRUE);
  dps_check_host_clear (&self.host);
}
