/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-error.h"
#include "core/dps-standing.h"
#include "core/dps-summary.h"

/* Longer than the one command of a TPM that does not respond, and than the wait for the
 * process before: so the caller mostly learns the reason. Shorter than the 25 s after
 * which callers on the bus give up. */
#define READY_WAIT_SECONDS 12

/* One call that waits. */
typedef struct
{
  DpsProvisioner *provisioner; /* borrowed: the task has a reference */
  guint timer;
} Wait;

static void
wait_free (Wait *wait)
{
  g_clear_handle_id (&wait->timer, g_source_remove);
  g_free (wait);
}

static gboolean
on_waited (gpointer data)
{
  g_autoptr (GTask) task = data;
  Wait *wait = g_task_get_task_data (task);
  DpsProvisioner *self = wait->provisioner;

  wait->timer = 0;
  self->waiting = g_slist_remove (self->waiting, task);
  g_task_return_new_error (task,
                           DPS_ERROR,
                           DPS_ERROR_BUSY,
                           "the store is still being opened: the TPM or the disk does "
                           "not respond; try again");
  return G_SOURCE_REMOVE;
}

static void
release_waiting (DpsProvisioner *self)
{
  GSList *waiting = g_steal_pointer (&self->waiting);

  waiting = g_slist_reverse (waiting);
  for (GSList *i = waiting; i != NULL; i = i->next)
    {
      g_autoptr (GTask) task = i->data;
      Wait *wait = g_task_get_task_data (task);

      g_clear_handle_id (&wait->timer, g_source_remove);
      g_task_return_boolean (task, TRUE);
    }
  g_slist_free (waiting);
}

/* The keeper follows the configuration in force. */
static gboolean
read_config (DpsProvisioner *self, GError **error)
{
  gboolean good = dps_settings_reload (self->settings, error);

  dps_keeper_set_config (self->keeper, dps_settings_get_config (self->settings));
  dps_signer_drop (self->signer);
  return good;
}

gboolean
dps_provisioner_store_heals (DpsProvisioner *self)
{
  DpsFailure *failure = dps_keeper_get_failure (self->keeper);

  return failure != NULL && self->timer != 0 &&
         dps_failure_row (failure->kind)->healing == DPS_HEALS_BY_ITSELF;
}

/* What an attempt was to be begun for is done, or planned again. */
static void
after_preparing (DpsProvisioner *self)
{
  DpsFailure *failure = dps_keeper_get_failure (self->keeper);
  DpsFailure *obstacle = dps_keeper_get_obstacle (self->keeper);
  g_autoptr (DpsFailure) cancelled = NULL;
  Want want = self->want;

  self->preparing = FALSE;
  if (self->reset != NULL)
    return;
  self->want = WANT_NOTHING;
  if (want == WANT_NOTHING)
    {
      cancelled = dps_failure_new (DPS_FAILURE_CANCELLED, NULL);
      dps_provisioner_rest (self, cancelled);
    }
  else if (failure != NULL || obstacle != NULL)
    dps_provisioner_after_failure (self, failure ? failure : obstacle, want);
  else
    {
      self->prepared = TRUE;
      dps_provisioner_begin (self, want);
      self->prepared = FALSE;
    }
}

/* The store was read because somebody, or the start, asked for it. */
static void
after_reading (DpsProvisioner *self)
{
  DpsFailure *failure = dps_keeper_get_failure (self->keeper);
  g_autoptr (DpsFailure) reason = NULL;
  Want want = self->want;

  if (failure != NULL && dps_failure_row (failure->kind)->healing == DPS_HEALS_BY_ITSELF)
    {
      self->want = WANT_NOTHING;
      dps_provisioner_after_failure (self, failure, want);
      return;
    }
  /* Later ones are for callers that look themselves, and would find it under way. */
  if (failure == NULL && !(self->looked && self->waiting != NULL))
    {
      self->looked = TRUE;
      dps_group_import_look (self->import);
    }
  if (self->timer != 0)
    return;
  reason = dps_standing_reason (self->settings, self->keeper);
  dps_provisioner_rest (self, reason);
}

static void
on_loaded (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsProvisioner) self = data;

  dps_keeper_load_finish (DPS_KEEPER (source), result);
  if (self->keeper == NULL) /* disposed of meanwhile */
    return;
  dps_provisioner_read_refusal (self);
  if (dps_keeper_get_failure (self->keeper) == NULL)
    dps_summary_show_identity (self->report, self->keeper);
  dps_summary_show_config (self->report, self->settings, self->keeper);
  /* Nobody is needed for that (design §9). */
  if (dps_keeper_take_started_over (self->keeper) && self->reset == NULL)
    self->want = MAX (self->want, WANT_IDENTITY);
  if (self->preparing)
    after_preparing (self);
  else
    after_reading (self);
  release_waiting (self);
  dps_provisioner_settle (self);
}

static void
load (DpsProvisioner *self, DpsOpeningFlags flags)
{
  dps_keeper_load_async (self->keeper, flags, on_loaded, g_object_ref (self));
  dps_provisioner_update_busy (self);
}

gboolean
dps_provisioner_prepare_first (DpsProvisioner *self, Want want)
{
  if (self->prepared)
    return FALSE;
  dps_provisioner_end_waits (self);
  /* The splay is over. */
  self->want = MAX (self->want, MAX (want, WANT_IDENTITY));
  self->preparing = TRUE;
  dps_report_move (self->report, DPS_STATE_ATTESTING, NULL, 0);
  load (self, DPS_OPENING_PREPARE);
  return TRUE;
}

void
dps_provisioner_mend_store (DpsProvisioner *self, Want want)
{
  self->want = MAX (self->want, want);
  if (dps_keeper_is_loading (self->keeper) || dps_keeper_is_busy (self->keeper))
    return;
  read_config (self, NULL);
  dps_provisioner_end_wait (self);
  load (self, DPS_OPENING_READ);
}

void
dps_provisioner_start (DpsProvisioner *self)
{
  g_autoptr (DpsFailure) reason = NULL;

  read_config (self, NULL);
  reason = dps_standing_reason (self->settings, self->keeper);
  dps_summary_show_config (self->report, self->settings, self->keeper);
  dps_summary_show_plugins (self->report, self->settings, NULL);
  dps_provisioner_rest (self, reason);
  load (self, DPS_OPENING_READ);
}

gboolean
dps_provisioner_is_opening (DpsProvisioner *self)
{
  return dps_keeper_is_loading (self->keeper);
}

/* While an attempt is in flight the store was read, and will be written. */
static gboolean
may_mend (DpsProvisioner *self)
{
  return (dps_keeper_get_failure (self->keeper) != NULL ||
          dps_keeper_may_rise (self->keeper)) &&
         self->attempt == NULL && !dps_keeper_is_busy (self->keeper) &&
         self->reset == NULL && !self->resetting &&
         !dps_group_import_is_active (self->import);
}

gboolean
dps_provisioner_is_ready (DpsProvisioner *self, gboolean mend)
{
  return !dps_keeper_is_loading (self->keeper) && !(mend && may_mend (self));
}

void
dps_provisioner_ready_async (DpsProvisioner *self,
                             gboolean mend,
                             GAsyncReadyCallback callback,
                             gpointer data)
{
  GTask *task = g_task_new (self, NULL, callback, data);
  Wait *wait = g_new0 (Wait, 1);

  wait->provisioner = self;
  g_task_set_task_data (task, wait, (GDestroyNotify) wait_free);
  if (dps_provisioner_is_ready (self, mend))
    {
      g_task_return_boolean (task, TRUE);
      g_object_unref (task);
      return;
    }
  wait->timer = g_timeout_add_seconds (READY_WAIT_SECONDS, on_waited, task);
  self->waiting = g_slist_prepend (self->waiting, task);
  if (dps_keeper_is_loading (self->keeper))
    return;
  if (dps_keeper_get_failure (self->keeper) != NULL)
    dps_provisioner_mend_store (self, self->timer != 0 ? self->due : WANT_NOTHING);
  else
    {
      read_config (self, NULL);
      load (self, DPS_OPENING_READ);
    }
}

gboolean
dps_provisioner_ready_finish (DpsProvisioner *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* Reads the configuration again. An error leaves what is in force. */
gboolean
dps_provisioner_refresh (DpsProvisioner *self, GError **error)
{
  g_autoptr (DpsFailure) reason = NULL;
  gboolean good = read_config (self, error);

  dps_summary_show_config (self->report, self->settings, self->keeper);
  reason = dps_standing_reason (self->settings, self->keeper);
  if (self->timer == 0 && !dps_provisioner_is_queued (self))
    dps_provisioner_rest (self, reason);
  return good;
}
