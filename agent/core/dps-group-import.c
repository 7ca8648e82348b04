/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-group-import.h"
#include "common/dps-log.h"
#include "core/dps-group-file.h"
#include "core/dps-group-key.h"

struct _DpsGroupImport
{
  gatomicrefcount refs; /* one for the owner, one for an import under way */
  DpsSettings *settings;
  DpsKeeper *keeper;
  DpsReport *report;
  DpsGroupImportDone done;
  gpointer data;
  gboolean active;
  char *known; /* the credential that was read since the start */
  char *stuck; /* the file that could not be removed */
};

/* One import, the data of its workers' tasks. */
typedef struct
{
  DpsGroupImport *import;
  DpsConfig *config;
  DpsImportedKey *key; /* derived; NULL where only the removal is left */
  char *origin;
} Job;

DpsGroupImport *
dps_group_import_new (DpsSettings *settings,
                      DpsKeeper *keeper,
                      DpsReport *report,
                      DpsGroupImportDone done,
                      gpointer data)
{
  DpsGroupImport *self = g_new0 (DpsGroupImport, 1);

  g_atomic_ref_count_init (&self->refs);
  self->settings = g_object_ref (settings);
  self->keeper = g_object_ref (keeper);
  self->report = g_object_ref (report);
  self->done = done;
  self->data = data;
  return self;
}

static void
import_unref (DpsGroupImport *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_object_unref (self->settings);
  g_object_unref (self->keeper);
  g_object_unref (self->report);
  g_free (self->known);
  g_free (self->stuck);
  g_free (self);
}

void
dps_group_import_free (DpsGroupImport *self)
{
  self->done = NULL;
  import_unref (self);
}

gboolean
dps_group_import_is_active (DpsGroupImport *self)
{
  return self->active;
}

static void
job_free (Job *job)
{
  import_unref (job->import);
  g_object_unref (job->config);
  g_clear_pointer (&job->key, dps_imported_key_unref);
  g_free (job->origin);
  g_free (job);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Job, job_free)

/* What there is to say of a group key that is left, or NULL; the caller's. A line that is
 * gone from the configuration has taken no file away. */
static char *
describe_remains (DpsGroupImport *self, DpsConfig *config, const char *why)
{
  g_autofree char *origin = NULL;
  const char *path = NULL;

  if (config != NULL)
    dps_group_file_find (config, &origin);
  if (origin != NULL && dps_group_file_is_credential (origin))
    return g_strdup_printf ("systemd passes the %s at each start", origin);
  if (origin != NULL)
    path = dps_config_get_string (config, DPS_CONFIG_GROUP_KEY_FILE);
  if (path == NULL)
    path = dps_group_file_remaining (dps_keeper_get_used_file (self->keeper));
  if (path == NULL)
    path = dps_group_file_remaining (dps_keeper_get_overruled_file (self->keeper));
  return path ? g_strdup_printf ("'%s'%s%s", path, why ? "; " : "", why ? why : "")
              : NULL;
}

/* On the bus and, when it is news, in the journal. */
static void
show_what_is_there (DpsGroupImport *self, DpsConfig *config, const char *why)
{
  g_autofree char *detail = describe_remains (self, config, why);
  g_autoptr (DpsFailure) warning = NULL;

  if (detail != NULL)
    warning = dps_failure_new (DPS_FAILURE_GROUP_KEY_REMAINS, "%s", detail);
  dps_report_warn (self->report, DPS_FAILURE_GROUP_KEY_REMAINS, warning);
}

/* Consumes job and failure. */
static void
end (Job *job, DpsFailure *failure, const char *why)
{
  g_autoptr (Job) owned = job;
  g_autoptr (DpsFailure) reason = failure;
  DpsGroupImport *self = job->import;

  show_what_is_there (self, job->config, why);
  self->active = FALSE;
  if (self->done != NULL)
    self->done (reason, self->data);
}

static void
in_worker (Job *job, GTaskThreadFunc work, GAsyncReadyCallback callback)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, job);

  g_task_set_task_data (task, job, NULL);
  g_task_run_in_thread (task, work);
}

static void
remove_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  GError *error = NULL;
  DpsGroupFileEnd what = dps_group_file_remove (job->config, job->origin, &error);

  if (what == DPS_GROUP_FILE_STAYS)
    g_task_return_error (task, error);
  else
    g_task_return_int (task, what);
}

static void
on_removed (GObject *source, GAsyncResult *result, gpointer data)
{
  Job *job = data;
  g_autoptr (GError) error = NULL;
  gssize what = g_task_propagate_int (G_TASK (result), &error);

  g_clear_pointer (&job->import->stuck, g_free);
  if (error != NULL)
    job->import->stuck = g_strdup (job->origin);
  else
    dps_message ((TOPIC ("identity")),
                 "%s",
                 what == DPS_GROUP_FILE_REMOVED ? "the group key's file was removed"
                 : what == DPS_GROUP_FILE_GONE
                     ? "the group key's file is gone; somebody else removed it"
                     : "another file has taken the place of the group key's, and stays");
  end (job, NULL, error ? error->message : NULL);
}

/* The device key is in the store. */
static void
leave (Job *job)
{
  DpsGroupImport *self = job->import;

  if (!dps_group_file_is_credential (job->origin))
    {
      in_worker (job, remove_in_thread, on_removed);
      return;
    }
  g_free (self->known);
  self->known = g_strdup (job->origin);
  end (job, NULL, NULL);
}

static void
on_stored (GObject *source, GAsyncResult *result, gpointer data)
{
  Job *job = data;
  g_autoptr (GError) error = NULL;

  if (!dps_keeper_finish (DPS_KEEPER (source), result, &error))
    {
      end (job, dps_failure_new_from_error (DPS_FAILURE_STORE_WRITE, error), NULL);
      return;
    }
  dps_message ((TOPIC ("identity"), OBJECT (job->key->registration_id)),
               "the device key was derived from the group key and is in the store");
  leave (job);
}

static gboolean
same (const DpsImportedKey *a, const DpsImportedKey *b)
{
  return a != NULL && dps_secret_equal (a->text, b->text) &&
         g_strcmp0 (a->registration_id, b->registration_id) == 0 &&
         g_strcmp0 (a->origin, b->origin) == 0;
}

static void
derive_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  GError *error = NULL;
  g_autofree char *origin = NULL;
  g_autoptr (DpsSecret) text = dps_group_file_read (job->config, &origin, &error);

  if (text != NULL)
    {
      g_free (job->origin);
      job->origin = g_steal_pointer (&origin);
      job->key = dps_group_key_derive (text,
                                       dps_config_get_string (job->config,
                                                              DPS_CONFIG_REGISTRATION_ID),
                                       job->origin,
                                       &error);
      if (job->key == NULL)
        g_prefix_error (&error,
                        "'%s': ",
                        dps_config_get_string (job->config, DPS_CONFIG_GROUP_KEY_FILE));
    }
  if (job->key != NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
on_derived (GObject *source, GAsyncResult *result, gpointer data)
{
  Job *job = data;
  DpsKeeper *keeper = job->import->keeper;
  g_autoptr (GError) error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    end (job, dps_failure_new_from_error (DPS_FAILURE_GROUP_KEY_FILE, error), NULL);
  else if (same (dps_keeper_get_imported_key (keeper), job->key))
    leave (job);
  else
    dps_keeper_put_imported_key_async (keeper, job->key, NULL, on_stored, job);
}

/* *found, the caller's, is what the facts borrow. */
static DpsKeyFacts
collect (DpsGroupImport *self, DpsConfig *config, char **found)
{
  DpsKeyFacts facts = dps_group_key_facts (config, self->keeper);

  facts.is_unfit = dps_group_file_find (config, found) == DPS_GROUP_FILE_UNFIT;
  facts.found = *found;
  facts.is_credential = *found != NULL && dps_group_file_is_credential (*found);
  facts.is_known = *found != NULL && g_strcmp0 (*found, self->known) == 0;
  return facts;
}

static void
begin (DpsGroupImport *self, DpsConfig *config, const char *origin, gboolean derive)
{
  Job *job = g_new0 (Job, 1);

  g_atomic_ref_count_inc (&self->refs);
  job->import = self;
  job->config = g_object_ref (config);
  job->origin = g_strdup (origin);
  self->active = TRUE;
  if (derive)
    in_worker (job, derive_in_thread, on_derived);
  else
    in_worker (job, remove_in_thread, on_removed);
}

gboolean
dps_group_import_look (DpsGroupImport *self)
{
  DpsConfig *config = dps_settings_get_config (self->settings);
  g_autofree char *found = NULL;
  DpsKeyFacts facts;
  DpsKeyChoice choice = DPS_KEY_FILE;

  if (self->active)
    return TRUE;
  if (config != NULL)
    {
      facts = collect (self, config, &found);
      choice = dps_group_key_choose (&facts);
    }
  if (choice == DPS_KEY_DERIVE ||
      (choice == DPS_KEY_REMOVE && g_strcmp0 (found, self->stuck) != 0))
    begin (self, config, found, choice == DPS_KEY_DERIVE);
  else if (choice != DPS_KEY_REMOVE)
    show_what_is_there (self, config, NULL);
  return self->active;
}

static DpsFailure *
explain_gone (DpsConfig *config, const DpsKeyFacts *facts)
{
  const DpsImportedKey *stored = facts->stored;
  const char *path = dps_config_get_string (config, DPS_CONFIG_GROUP_KEY_FILE);
  g_autofree char *found = NULL;

  dps_group_file_find (config, &found);
  if (stored != NULL && found != NULL && g_strcmp0 (found, facts->used) == 0)
    return dps_failure_new (DPS_FAILURE_GROUP_KEY_GONE,
                            "'%s' was used for '%s' and could not be removed, and the "
                            "registration id is '%s' now; remove the file and put it "
                            "there again",
                            path,
                            stored->registration_id,
                            facts->registration_id);
  if (stored != NULL)
    return dps_failure_new (DPS_FAILURE_GROUP_KEY_GONE,
                            "the key in the store was derived for '%s', and the "
                            "registration id is '%s' now",
                            stored->registration_id,
                            facts->registration_id);
  return dps_failure_new (DPS_FAILURE_GROUP_KEY_GONE,
                          "no key is in the store, and '%s' is not there",
                          path);
}

DpsImportedKey *
dps_group_import_choose (DpsGroupImport *self, DpsFailure **failure)
{
  DpsImportedKey *stored = dps_keeper_get_imported_key (self->keeper);
  DpsConfig *config = dps_settings_get_config (self->settings);
  DpsKeyFacts facts = dps_group_key_facts (config, self->keeper);
  DpsKeyChoice choice = dps_group_key_choose (&facts);

  *failure = NULL;
  if (choice == DPS_KEY_GONE || choice == DPS_KEY_OTHER_ID)
    *failure = explain_gone (config, &facts);
  return choice == DPS_KEY_STORED ? dps_imported_key_ref (stored) : NULL;
}

char *
dps_group_import_find_file (DpsGroupImport *self)
{
  DpsConfig *config = dps_settings_get_config (self->settings);
  char *found = NULL;

  if (config != NULL)
    dps_group_file_find (config, &found);
  return found;
}
