/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "core/dps-standing.h"
#include "core/dps-summary.h"

/* After an attempt has ended, whichever way; whether it had been cancelled. */
static gboolean
attempt_over (DpsProvisioner *self)
{
  gboolean cancelled = g_cancellable_is_cancelled (self->cancellable);

  g_clear_object (&self->attempt);
  g_clear_object (&self->cancellable);
  return cancelled;
}

static void
on_identity_stored (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsProvisioner) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsFailure) reason = NULL;
  gboolean cancelled = attempt_over (self);

  if (dps_keeper_finish (DPS_KEEPER (source), result, &error))
    {
      self->failures = 0;
      if (dps_summary_announce_identity (self->report, self->keeper))
        {
          DpsIdentity *identity = dps_keeper_get_identity (self->keeper);

          g_signal_emit_by_name (self,
                                 "assignment-changed",
                                 identity->hub,
                                 identity->device_id);
        }
      reason = dps_standing_reason (self->settings, self->keeper);
      dps_provisioner_rest (self, reason);
    }
  else
    {
      reason = dps_failure_new_from_error (DPS_FAILURE_STORE_WRITE, error);
      if (cancelled)
        dps_provisioner_rest (self, reason);
      else
        dps_provisioner_after_failure (self, reason, WANT_NEW_IDENTITY);
    }
  dps_provisioner_settle (self);
}

static void
attempt_failed (DpsProvisioner *self, DpsFailure *failure)
{
  if (self->keeper == NULL) /* disposed of meanwhile */
    return;
  if (attempt_over (self))
    dps_provisioner_rest (self, failure);
  else
    dps_provisioner_after_failure (self, failure, WANT_NEW_IDENTITY);
  dps_provisioner_settle (self);
}

static void
on_attempt_done (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsProvisioner) self = data;
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (DpsIdentity) identity =
      dps_attempt_run_finish (DPS_ATTEMPT (source), result, &failure);

  if (self->keeper == NULL) /* disposed of meanwhile */
    return;
  if (identity != NULL && !g_cancellable_is_cancelled (self->cancellable))
    {
      dps_report_move (self->report, DPS_STATE_COMMITTING, NULL, 0);
      dps_keeper_put_identity_async (self->keeper,
                                     identity,
                                     on_identity_stored,
                                     g_object_ref (self));
      return;
    }
  if (failure == NULL)
    failure = dps_failure_new (DPS_FAILURE_CANCELLED, NULL);
  dps_provisioner_judge_clock (self, g_steal_pointer (&failure), attempt_failed);
}

void
dps_provisioner_run_attempt (DpsProvisioner *self, Want want)
{
  g_autoptr (DpsImportedKey) key = NULL;
  g_autoptr (DpsFailure) failure = NULL;

  if (dps_provisioner_import_first (self, want) ||
      dps_provisioner_prepare_first (self, want))
    return;
  dps_provisioner_end_waits (self);
  key = dps_group_import_choose (self->import, &failure);
  if (failure != NULL)
    {
      dps_report_move (self->report, DPS_STATE_ATTESTING, NULL, 0);
      dps_provisioner_after_failure (self, failure, want);
      return;
    }
  self->cancellable = g_cancellable_new ();
  self->attempt = dps_attempt_new (self->settings,
                                   self->report,
                                   self->signer,
                                   key,
                                   dps_keeper_is_sealed_by_tpm (self->keeper),
                                   &self->polls);
  dps_attempt_run_async (self->attempt,
                         self->cancellable,
                         on_attempt_done,
                         g_object_ref (self));
  dps_provisioner_update_busy (self);
}
