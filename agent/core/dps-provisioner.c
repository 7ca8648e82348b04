/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "core/dps-schedule.h"
#include "core/dps-standing.h"
#include "core/dps-summary.h"

G_DEFINE_FINAL_TYPE (DpsProvisioner, dps_provisioner, G_TYPE_OBJECT)

enum
{
  PROPERTY_BUSY = 1,
  N_PROPERTIES
};
static GParamSpec *properties[N_PROPERTIES];

static void
dps_provisioner_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  g_value_set_boolean (value, DPS_PROVISIONER (object)->busy);
}

static void
dps_provisioner_dispose (GObject *object)
{
  DpsProvisioner *self = DPS_PROVISIONER (object);

  dps_provisioner_end_wait (self);
  g_clear_handle_id (&self->refusal_timer, g_source_remove);
  if (self->settings != NULL)
    dps_refusal_watch (dps_settings_get_refusal (self->settings), NULL, NULL);
  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  g_clear_pointer (&self->recheck, dps_recheck_free);
  g_clear_pointer (&self->renewer, dps_renewer_free);
  g_clear_pointer (&self->import, dps_group_import_free);
  if (self->signer != NULL)
    g_signal_handlers_disconnect_by_data (self->signer, self);
  g_clear_object (&self->signer);
  g_clear_object (&self->attempt);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->settings);
  g_clear_object (&self->keeper);
  g_clear_object (&self->report);
  G_OBJECT_CLASS (dps_provisioner_parent_class)->dispose (object);
}

static void
dps_provisioner_class_init (DpsProvisionerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = dps_provisioner_get_property;
  object_class->dispose = dps_provisioner_dispose;
  properties[PROPERTY_BUSY] =
      g_param_spec_boolean ("busy",
                            NULL,
                            NULL,
                            FALSE,
                            G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
  g_signal_new ("assignment-changed",
                DPS_TYPE_PROVISIONER,
                G_SIGNAL_RUN_LAST,
                0,
                NULL,
                NULL,
                NULL,
                G_TYPE_NONE,
                2,
                G_TYPE_STRING,
                G_TYPE_STRING);
}

static void
dps_provisioner_init (DpsProvisioner *self)
{
}

gboolean
dps_provisioner_is_queued (DpsProvisioner *self)
{
  return self->describing && self->want != WANT_NOTHING;
}

/* Announces whether anything is under way. */
void
dps_provisioner_update_busy (DpsProvisioner *self)
{
  gboolean busy =
      self->attempt != NULL || self->timer != 0 || self->resetting ||
      dps_provisioner_is_queued (self) || dps_recheck_is_active (self->recheck) ||
      dps_renewer_is_active (self->renewer) ||
      dps_group_import_is_active (self->import) || dps_keeper_is_busy (self->keeper) ||
      dps_keeper_is_loading (self->keeper);

  if (busy == self->busy)
    return;
  self->busy = busy;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROPERTY_BUSY]);
}

void
dps_provisioner_rest (DpsProvisioner *self, const DpsFailure *reason)
{
  dps_report_move (self->report,
                   dps_standing_state (self->settings, self->keeper),
                   reason,
                   0);
  dps_recheck_plan (self->recheck);
  dps_renewer_plan (self->renewer);
  dps_provisioner_update_busy (self);
}

static gboolean
on_attempt_due (gpointer data)
{
  DpsProvisioner *self = data;

  self->timer = 0;
  if (dps_keeper_get_failure (self->keeper) != NULL)
    dps_provisioner_mend_store (self, self->due);
  else
    dps_provisioner_begin (self, MAX (self->due, WANT_IDENTITY));
  return G_SOURCE_REMOVE;
}

/* For the next attempt, and for what would have ended it early. */
void
dps_provisioner_end_wait (DpsProvisioner *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  g_clear_pointer (&self->tpm_watch, dps_tpm_watch_free);
}

static guint64
set_timer (DpsProvisioner *self, gint64 wait, Want want)
{
  dps_provisioner_end_wait (self);
  self->due = want;
  self->timer = g_timeout_add ((guint) MIN (wait / 1000 + 1, (gint64) G_MAXUINT),
                               on_attempt_due,
                               self);
  return (guint64) (g_get_real_time () + wait);
}

void
dps_provisioner_end_wait_early (DpsProvisioner *self)
{
  if (self->timer == 0)
    return;
  g_source_remove (self->timer);
  self->timer = g_idle_add (on_attempt_due, self);
}

void
dps_provisioner_end_waits (DpsProvisioner *self)
{
  dps_provisioner_end_wait (self);
  dps_recheck_stop (self->recheck);
}

void
dps_provisioner_after_failure (DpsProvisioner *self, const DpsFailure *failure, Want want)
{
  DpsPlan plan;

  self->failures++;
  self->not_before = g_get_monotonic_time () + failure->wait;
  dps_summary_show_plugins (self->report, self->settings, failure);
  plan = dps_schedule_plan (failure,
                            self->failures,
                            g_random_int (),
                            dps_schedule_network_is_up ());
  if (dps_provisioner_serves_on (self))
    {
      plan.state = dps_standing_state (self->settings, self->keeper);
      plan.wait = dps_renewer_retry (self->renewer, plan.wait, failure->wait);
    }
  dps_report_move (self->report, plan.state, failure, set_timer (self, plan.wait, want));
  dps_provisioner_watch_tpm (self, failure);
  dps_renewer_plan (self->renewer);
  dps_provisioner_update_busy (self);
}

/* What was asked for while something else was under way. */
void
dps_provisioner_settle (DpsProvisioner *self)
{
  Want want = self->want;

  if (dps_keeper_is_busy (self->keeper) || dps_keeper_is_loading (self->keeper))
    {
      dps_provisioner_update_busy (self);
      return;
    }
  if (self->reset != NULL)
    dps_provisioner_begin_reset (self);
  else if (self->attempt == NULL)
    {
      dps_provisioner_describe_first (self);
      self->want = WANT_NOTHING;
      if (want != WANT_NOTHING && dps_provisioner_refresh (self, NULL) &&
          !dps_provisioner_import_first (self, want))
        dps_provisioner_begin (self, want);
    }
  dps_provisioner_update_busy (self);
}

/* The store is being read or written, though not by an attempt: a key is handed to the
 * agent, or the hub's proof is noted. Whoever has that done calls
 * dps_provisioner_settle(). */
static gboolean
store_is_taken (DpsProvisioner *self)
{
  return self->attempt == NULL &&
         (dps_keeper_is_busy (self->keeper) || dps_keeper_is_loading (self->keeper));
}

gboolean
dps_provisioner_must_wait (DpsProvisioner *self)
{
  return self->resetting || self->reset != NULL ||
         dps_group_import_is_active (self->import) || store_is_taken (self) ||
         (self->attempt != NULL && g_cancellable_is_cancelled (self->cancellable));
}

/* Whoever asked sees at once that it is seen to. */
static void
queue_attempt (DpsProvisioner *self, Want want)
{
  dps_provisioner_end_waits (self);
  self->want = MAX (self->want, want);
  dps_report_move (self->report, DPS_STATE_ATTESTING, NULL, 0);
  dps_provisioner_update_busy (self);
}

void
dps_provisioner_begin_attempt (DpsProvisioner *self, Want want)
{
  gint64 wait = self->not_before - g_get_monotonic_time ();
  g_autoptr (DpsFailure) note = NULL;

  if (self->attempt != NULL)
    return;
  if (dps_group_import_is_active (self->import) || store_is_taken (self))
    {
      self->want = MAX (self->want, want);
      return;
    }
  if (wait <= 0)
    {
      if (self->describing)
        queue_attempt (self, want);
      else
        dps_provisioner_run_attempt (self, want);
      return;
    }
  if (self->timer != 0)
    return;
  note = dps_failure_new (DPS_FAILURE_NONE, "the service asked to wait");
  dps_report_move (self->report,
                   DPS_STATE_BACKING_OFF,
                   note,
                   set_timer (self, wait, want));
  dps_provisioner_update_busy (self);
}

static void
on_rechecked (DpsProofVerdict verdict, gpointer data)
{
  DpsProvisioner *self = data;
  g_autoptr (DpsFailure) reason = NULL;

  if (verdict == DPS_PROOF_REFUSED && dps_settings_get_config (self->settings) != NULL)
    {
      dps_provisioner_begin_attempt (self, WANT_NEW_IDENTITY);
      return;
    }
  dps_summary_show_identity (self->report, self->keeper);
  reason = dps_standing_reason (self->settings, self->keeper);
  if (verdict == DPS_PROOF_VERIFIED)
    dps_report_explain (self->report, reason);
  dps_provisioner_settle (self);
}

static void
on_renewer_changed (gpointer data)
{
  dps_provisioner_update_busy (data);
}

DpsProvisioner *
dps_provisioner_new (DpsSettings *settings, DpsKeeper *keeper, DpsReport *report)
{
  DpsProvisioner *self = g_object_new (DPS_TYPE_PROVISIONER, NULL);

  self->settings = g_object_ref (settings);
  self->keeper = g_object_ref (keeper);
  self->report = g_object_ref (report);
  self->signer = dps_signer_new (settings);
  g_signal_connect (self->signer,
                    "identity-lost",
                    G_CALLBACK (dps_provisioner_on_identity_lost),
                    self);
  dps_refusal_watch (dps_settings_get_refusal (settings),
                     dps_provisioner_store_refusal,
                     self);
  self->recheck =
      dps_recheck_new (settings, keeper, report, self->signer, on_rechecked, self);
  self->renewer = dps_renewer_new (keeper,
                                   report,
                                   dps_provisioner_on_renewal_due,
                                   on_renewer_changed,
                                   self);
  self->import =
      dps_group_import_new (settings, keeper, report, dps_provisioner_on_imported, self);
  return self;
}

DpsSigner *
dps_provisioner_get_signer (DpsProvisioner *self)
{
  return self->signer;
}

static void
start_after_splay (DpsProvisioner *self)
{
  DpsConfig *config = dps_settings_get_config (self->settings);
  g_autoptr (DpsFailure) note =
      dps_failure_new (DPS_FAILURE_NONE,
                       "the first attempt is spread over splay-seconds");
  gint64 wait =
      dps_schedule_splay (dps_config_get_uint (config, DPS_CONFIG_SPLAY_SECONDS));

  if (wait <= 0)
    {
      dps_provisioner_begin_attempt (self, WANT_IDENTITY_AT_BOOT);
      return;
    }
  dps_report_move (self->report,
                   dps_standing_state (self->settings, self->keeper),
                   note,
                   set_timer (self, wait, WANT_IDENTITY_AT_BOOT));
  dps_provisioner_update_busy (self);
}

/* What was to be had is there; only another registration may still be waited for. */
static void
stand (DpsProvisioner *self)
{
  g_autoptr (DpsFailure) reason = NULL;

  if (self->timer != 0 && self->due == WANT_NEW_IDENTITY)
    return;
  dps_provisioner_end_wait (self);
  reason = dps_standing_reason (self->settings, self->keeper);
  dps_provisioner_rest (self, reason);
}

void
dps_provisioner_begin (DpsProvisioner *self, Want want)
{
  if (want != WANT_NEW_IDENTITY &&
      dps_standing_is_current (self->settings, self->keeper) &&
      !dps_provisioner_must_renew (self))
    {
      stand (self);
      return;
    }
  if (want != WANT_IDENTITY_AT_BOOT)
    dps_provisioner_begin_attempt (self, want);
  else if (self->timer == 0)
    start_after_splay (self);
}

static gboolean
ask_for (DpsProvisioner *self, Want want, GError **error)
{
  if (dps_provisioner_must_wait (self))
    {
      self->want = MAX (self->want, want);
      return TRUE;
    }
  if (self->attempt != NULL)
    return TRUE;
  if (!dps_provisioner_refresh (self, error))
    return FALSE;
  if (dps_provisioner_store_heals (self))
    {
      self->due = MAX (self->due, want);
      return TRUE;
    }
  if (!dps_keeper_is_readable (self->keeper, error))
    return FALSE;
  if (!dps_provisioner_import_first (self, want))
    dps_provisioner_begin (self, want);
  return TRUE;
}

gboolean
dps_provisioner_provision (DpsProvisioner *self, DpsOrigin origin, GError **error)
{
  if (origin == DPS_ORIGIN_TIMER)
    return dps_provisioner_renew (self, error);
  return ask_for (self,
                  origin == DPS_ORIGIN_BOOT ? WANT_IDENTITY_AT_BOOT : WANT_IDENTITY,
                  error);
}

gboolean
dps_provisioner_reprovision (DpsProvisioner *self, GError **error)
{
  return ask_for (self, WANT_NEW_IDENTITY, error);
}

void
dps_provisioner_cancel (DpsProvisioner *self)
{
  g_autoptr (DpsFailure) reason = NULL;
  gboolean waits = self->timer != 0 || dps_provisioner_is_queued (self);

  self->want = WANT_NOTHING;
  if (self->attempt != NULL)
    {
      g_cancellable_cancel (self->cancellable);
      return;
    }
  if (!waits)
    return;
  dps_provisioner_end_waits (self);
  reason = dps_failure_new (DPS_FAILURE_CANCELLED, NULL);
  dps_provisioner_rest (self, reason);
}

gboolean
dps_provisioner_reload (DpsProvisioner *self, GError **error)
{
  Want want = WANT_NOTHING;

  if (self->attempt != NULL || dps_provisioner_must_wait (self))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_BUSY,
                   "an attempt is in flight; try again");
      return FALSE;
    }
  if (!dps_provisioner_refresh (self, error))
    return FALSE;
  if (self->timer != 0)
    want = MAX (self->due, WANT_IDENTITY);
  else if (dps_keeper_get_identity (self->keeper) != NULL)
    want = WANT_IDENTITY;
  if (dps_provisioner_import_first (self, want))
    return TRUE;
  /* What is being waited for may just have been mended, and an identity of another
   * configuration is not this host's any more. */
  if (want != WANT_NOTHING)
    dps_provisioner_begin (self, want);
  return TRUE;
}

void
dps_provisioner_reset_async (DpsProvisioner *self,
                             GAsyncReadyCallback callback,
                             gpointer data)
{
  GTask *task = g_task_new (self, NULL, callback, data);

  if (self->reset != NULL || self->resetting)
    {
      g_task_return_new_error (task,
                               DPS_ERROR,
                               DPS_ERROR_BUSY,
                               "another reset is under way");
      g_object_unref (task);
      return;
    }
  self->reset = task;
  self->want = WANT_NOTHING;
  self->prepared = FALSE;
  if (self->attempt != NULL)
    g_cancellable_cancel (self->cancellable);
  else if (!self->describing && !dps_group_import_is_active (self->import) &&
           !store_is_taken (self))
    dps_provisioner_settle (self);
}

gboolean
dps_provisioner_reset_finish (DpsProvisioner *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
