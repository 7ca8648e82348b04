/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "crash-scenario.h"

#include "common/dps-io.h"
#include "test-sealer.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_1 "read "
#define READ_2 "read read "
#define DURABLE "write sync-file link sync-directory "
#define NAMED "unlink write sync-file link unlink sync-directory "
#define SET_ASIDE "mkdir rename sync-directory sync-directory "

const CrashScenario crash_scenarios[] = {
  { "commit/first",
    CRASH_COMMIT,
    .after = "new",
    .steps = DURABLE DURABLE "read announce" },
  { "commit/second",
    CRASH_COMMIT,
    .commits = 1,
    .before = "old 1",
    .after = "new",
    .steps = READ_1 DURABLE "read announce" },
  { "commit/third",
    CRASH_COMMIT,
    .commits = 2,
    .before = "old 2",
    .after = "new",
    .steps = READ_2 DURABLE "read unlink announce" },
  { "commit/without-tmpfile",
    CRASH_COMMIT,
    .commits = 2,
    .weather = CRASH_NO_TMPFILE,
    .before = "old 2",
    .after = "new",
    .steps = READ_2 NAMED "read unlink announce" },
  { "commit/newest-damaged",
    CRASH_COMMIT,
    .commits = 2,
    .damaged = 1,
    .before = "old 1",
    .after = "new",
    .steps = READ_2 SET_ASIDE DURABLE "read announce" },
  { "commit/all-damaged",
    CRASH_COMMIT,
    .commits = 2,
    .damaged = 2,
    .before = CRASH_UNREADABLE,
    .after = "new",
    .steps = READ_2 DURABLE "read announce" },
  { "migrate",
    CRASH_MIGRATE,
    .commits = 2,
    .rises = TRUE,
    .before = "old 2 at host",
    .after = "old 2 at tpm2+host",
    .steps = READ_2 DURABLE DURABLE "read unlink unlink sync-directory announce" },
  { "set-aside",
    CRASH_SET_ASIDE,
    .commits = 2,
    .before = "old 2",
    .steps = SET_ASIDE SET_ASIDE "announce" },
  { "commit/rises",
    CRASH_COMMIT,
    .commits = 2,
    .rises = TRUE,
    .before = "old 2",
    .after = "new",
    .steps = READ_2 DURABLE DURABLE "read unlink unlink sync-directory announce" },
  { "load/healthy",
    CRASH_LOAD,
    .commits = 2,
    .before = "old 2",
    .after = "old 2",
    .steps = READ_2 "announce" },
  { "load/newest-damaged",
    CRASH_LOAD,
    .commits = 2,
    .damaged = 1,
    .before = "old 1",
    .after = "old 1",
    .steps = READ_2 SET_ASIDE "announce" },
  { "open/left-over",
    CRASH_OPEN,
    .commits = 2,
    .litter = TRUE,
    .before = "old 2",
    .after = "old 2",
    .steps = "unlink announce" },
  { "reset",
    CRASH_RESET,
    .commits = 2,
    .before = "old 2",
    .steps = "unlink unlink sync-directory unlink unlink sync-directory announce" },
  { "reset/with-quarantine",
    CRASH_RESET,
    .commits = 2,
    .damaged = 1,
    .set_aside = TRUE,
    .before = "old 1",
    .steps = "unlink unlink unlink sync-directory unlink unlink sync-directory "
             "announce" },
  { "intent/first",
    CRASH_WRITE_INTENT,
    .after = "new",
    .steps = "unlink write sync-file rename sync-directory announce" },
  { "intent/replace",
    CRASH_WRITE_INTENT,
    .intent = TRUE,
    .before = "old",
    .after = "new",
    .steps = "unlink write sync-file rename sync-directory announce" },
  { "intent/read",
    CRASH_READ_INTENT,
    .intent = TRUE,
    .before = "old",
    .after = "old",
    .steps = "announce" },
  { "intent/clear",
    CRASH_CLEAR_INTENT,
    .intent = TRUE,
    .before = "old",
    .steps = "unlink sync-directory announce" },
};

const guint crash_n_scenarios = G_N_ELEMENTS (crash_scenarios);

static void
set_weather (gpointer data, int announce_fd)
{
  CrashStage *self = data;
  scmp_filter_ctx context;
  int failed;

  if (self->scenario->weather == CRASH_NORMAL)
    return;
  context = seccomp_init (SCMP_ACT_ALLOW);
  if (self->scenario->weather == CRASH_NO_TMPFILE)
    failed = seccomp_rule_add (context,
                               SCMP_ACT_ERRNO (EOPNOTSUPP),
                               SCMP_SYS (openat),
                               1,
                               SCMP_A2 (SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE));
  else
    failed = seccomp_rule_add (context, SCMP_ACT_ERRNO (EIO), SCMP_SYS (fsync), 0);
  if (failed != 0 || seccomp_load (context) != 0)
    _exit (2);
  seccomp_release (context);
}

static gboolean
is_about_intent (const CrashStage *self)
{
  return self->scenario->action == CRASH_WRITE_INTENT ||
         self->scenario->action == CRASH_READ_INTENT ||
         self->scenario->action == CRASH_CLEAR_INTENT;
}

static char *
take_text (DpsSecret *payload)
{
  return payload != NULL ? g_strndup ((const char *) dps_secret_data (payload),
                                      dps_secret_size (payload))
                         : NULL;
}

static char *
take_text_and_level (CrashStage *self, DpsSecret *payload)
{
  g_autofree char *text = take_text (payload);

  return g_strconcat (text, " at ", dps_store_get_protection (self->copy.store), NULL);
}

static char *
take_record (GBytes *record)
{
  return record != NULL
             ? g_strndup (g_bytes_get_data (record, NULL), g_bytes_get_size (record))
             : NULL;
}

static gboolean
load (CrashStage *self)
{
  gboolean is_newest = FALSE;
  g_autoptr (DpsSecret) payload =
      dps_store_load (self->copy.store, NULL, &is_newest, &self->error);
  g_autofree char *text = take_text (payload);

  if (payload != NULL)
    self->loaded = g_strconcat (text, is_newest ? "" : " (not the newest)", NULL);
  return payload != NULL;
}

gboolean
crash_stage_act (CrashStage *self)
{
  StoreFixture *f = &self->copy;
  g_autoptr (DpsSecret) payload = dps_secret_new ("new", 3);
  g_autoptr (GBytes) record = g_bytes_new_static ("new", 3);

  g_clear_error (&self->error);
  g_clear_pointer (&self->loaded, g_free);
  switch (self->scenario->action)
    {
    case CRASH_COMMIT:
      return dps_store_commit (f->store, payload, &self->error);
    case CRASH_MIGRATE:
      return dps_store_migrate (f->store, &self->error);
    case CRASH_SET_ASIDE:
      return dps_store_set_aside (f->store, &self->error);
    case CRASH_RESET:
      return dps_store_reset (f->store, &self->error);
    case CRASH_LOAD:
      return load (self);
    case CRASH_OPEN:
      f->store = dps_store_open (f->path, f->sealer, &self->error);
      return f->store != NULL;
    case CRASH_WRITE_INTENT:
      return dps_store_write_intent (f->store, record, &self->error);
    case CRASH_READ_INTENT:
      g_clear_pointer (&record, g_bytes_unref);
      record = dps_store_read_intent (f->store, &self->error);
      self->loaded = take_record (record);
      return self->error == NULL;
    case CRASH_CLEAR_INTENT:
      return dps_store_clear_intent (f->store, &self->error);
    default:
      g_assert_not_reached ();
    }
}

char *
crash_stage_observe (CrashStage *self, gboolean *torn)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) payload = NULL;
  g_autoptr (GBytes) record = NULL;

  *torn = FALSE;
  if (is_about_intent (self))
    {
      store_fixture_take_warnings ();
      record = dps_store_read_intent (self->copy.store, &error);
      *torn = error != NULL || store_fixture_take_warnings () > 0;
      return take_record (record);
    }
  payload = dps_store_load (self->copy.store, NULL, NULL, &error);
  if (g_error_matches (error, DPS_ERROR, DPS_ERROR_FAILED) &&
      strstr (error->message, "no stored identity can be read") != NULL)
    return g_strdup (CRASH_UNREADABLE);
  *torn = error != NULL && !g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED);
  if (*torn)
    g_test_message ("%s", error->message);
  if (payload != NULL && self->scenario->action == CRASH_MIGRATE)
    return take_text_and_level (self, payload);
  return take_text (payload);
}

static void
make_template (CrashStage *self)
{
  const CrashScenario *scenario = self->scenario;
  StoreFixture *f = &self->template;
  g_autoptr (GBytes) record = g_bytes_new_static ("old", 3);

  for (guint i = 1; i <= scenario->commits; i++)
    {
      g_autofree char *text = g_strdup_printf ("old %u", i);

      store_fixture_commit (f, text);
    }
  for (guint i = 0; i < scenario->damaged; i++)
    {
      g_autofree char *name = g_strdup_printf ("gen-%08u", scenario->commits - i);

      store_fixture_write (f, name, "damaged", 7);
    }
  if (scenario->set_aside)
    store_fixture_assert_load (f, scenario->before, 1, FALSE);
  if (scenario->intent)
    g_assert_true (dps_store_write_intent (f->store, record, NULL));
  if (scenario->litter)
    store_fixture_write (f, ".tmp-gen-00000003", "half", 4);
  store_fixture_close (f);
}

static void
copy_template (CrashStage *self)
{
  StoreFixture *to = &self->copy;

  store_fixture_close (to);
  dps_close_fd (&to->dir_fd);
  store_fixture_remove_tree (to->path);
  store_fixture_copy_tree (self->template.path, to->path);
  to->dir_fd = open (to->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (to->dir_fd, >=, 0);
}

void
crash_stage_set_up (CrashStage *self, const CrashScenario *scenario)
{
  *self = (CrashStage){ .scenario = scenario };
  store_fixture_set_up (&self->template, NULL);
  store_fixture_set_up (&self->copy, NULL);
  make_template (self);
  if (scenario->rises)
    {
      g_clear_object (&self->copy.sealer);
      self->copy.sealer = test_sealer_new ();
    }
}

void
crash_stage_tear_down (CrashStage *self)
{
  store_fixture_tear_down (&self->copy, NULL);
  store_fixture_tear_down (&self->template, NULL);
}

void
crash_stage_run (CrashStage *self, CrashBody body, const CrashFault *fault, CrashRun *run)
{
  copy_template (self);
  if (self->scenario->action != CRASH_OPEN)
    store_fixture_open (&self->copy);
  crash_run (set_weather, body, self, fault, run);
  store_fixture_reopen (&self->copy);
}

void
crash_stage_assert_usable (CrashStage *self)
{
  StoreFixture *f = &self->copy;
  g_autoptr (DpsSecret) payload = dps_secret_new ("next", 4);
  g_autoptr (DpsSecret) seen = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (f->path, 0, NULL);
  guint generations = 0;
  const char *name;

  dps_store_commit (f->store, payload, &error);
  g_assert_no_error (error);
  seen = dps_store_load (f->store, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (dps_secret_equal (seen, payload));
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_assert_false (g_str_has_prefix (name, ".tmp-"));
      generations += g_str_has_prefix (name, "gen-");
    }
  g_assert_cmpuint (generations, <=, 2);
}
