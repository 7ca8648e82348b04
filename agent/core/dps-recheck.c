/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-recheck.h"
#include "common/dps-log.h"
#include "core/dps-hub-check.h"
#include "dps/dps-pacing.h"

struct _DpsRecheck
{
  gatomicrefcount refs; /* one for the owner, one for a check under way */
  DpsSettings *settings;
  DpsKeeper *keeper;
  DpsReport *report;
  DpsSigner *signer;
  void (*done) (DpsProofVerdict verdict, gpointer data);
  gpointer data;
  guint timer;
  GCancellable *check; /* of the one under way */
};

DpsRecheck *
dps_recheck_new (DpsSettings *settings,
                 DpsKeeper *keeper,
                 DpsReport *report,
                 DpsSigner *signer,
                 void (*done) (DpsProofVerdict verdict, gpointer data),
                 gpointer data)
{
  DpsRecheck *self = g_new0 (DpsRecheck, 1);

  g_atomic_ref_count_init (&self->refs);
  self->settings = g_object_ref (settings);
  self->keeper = g_object_ref (keeper);
  self->report = g_object_ref (report);
  self->signer = g_object_ref (signer);
  self->done = done;
  self->data = data;
  return self;
}

static void
recheck_unref (DpsRecheck *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_object_unref (self->settings);
  g_object_unref (self->keeper);
  g_object_unref (self->report);
  g_object_unref (self->signer);
  g_free (self);
}

void
dps_recheck_free (DpsRecheck *self)
{
  dps_recheck_stop (self);
  self->done = NULL;
  recheck_unref (self);
}

void
dps_recheck_stop (DpsRecheck *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  if (self->check != NULL)
    g_cancellable_cancel (self->check);
  g_clear_object (&self->check);
}

gboolean
dps_recheck_is_active (DpsRecheck *self)
{
  return self->timer != 0 || self->check != NULL;
}

static void
tell (DpsRecheck *self, DpsProofVerdict verdict)
{
  gboolean stopped = self->check == NULL;

  g_clear_object (&self->check);
  if (verdict == DPS_PROOF_INCONCLUSIVE && !stopped)
    dps_recheck_plan (self);
  if (self->done != NULL)
    self->done (verdict, self->data);
}

static void
on_stored (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsRecheck *self = data;
  g_autoptr (GError) error = NULL;
  gboolean stored = dps_keeper_finish (DPS_KEEPER (source), result, &error);

  if (!stored)
    dps_warning ((TOPIC ("identity")), "cannot note the hub's proof: %s", error->message);
  tell (self, stored ? DPS_PROOF_VERIFIED : DPS_PROOF_INCONCLUSIVE);
  recheck_unref (self);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsRecheck *self = data;
  g_autofree char *detail = NULL;
  g_autoptr (DpsIdentity) verified = NULL;
  DpsProofVerdict verdict = dps_hub_check_finish (result, &detail, NULL);

  if (self->check == NULL || g_cancellable_is_cancelled (self->check))
    {
      recheck_unref (self);
      return;
    }
  dps_info ((TOPIC ("identity")), "asked the hub again: %s", detail);
  if (verdict == DPS_PROOF_VERIFIED)
    {
      verified = dps_identity_copy (dps_keeper_get_identity (self->keeper));
      verified->verified = TRUE;
      dps_keeper_put_identity_async (self->keeper, verified, on_stored, self);
      return;
    }
  tell (self, verdict);
  recheck_unref (self);
}

static gboolean
on_due (gpointer data)
{
  DpsRecheck *self = data;
  DpsIdentity *identity = dps_keeper_get_identity (self->keeper);
  DpsConfig *config = dps_settings_get_config (self->settings);

  self->timer = 0;
  if (identity == NULL || config == NULL)
    return G_SOURCE_REMOVE;
  self->check = g_cancellable_new ();
  g_atomic_ref_count_inc (&self->refs);
  dps_hub_check_async (config,
                       dps_settings_get_sessions (self->settings),
                       self->signer,
                       identity,
                       FALSE,
                       dps_report_get_clock_offset (self->report),
                       self->check,
                       on_checked,
                       self);
  return G_SOURCE_REMOVE;
}

void
dps_recheck_plan (DpsRecheck *self)
{
  DpsIdentity *identity = dps_keeper_get_identity (self->keeper);

  if (dps_recheck_is_active (self) || dps_keeper_get_obstacle (self->keeper) != NULL ||
      identity == NULL || identity->verified ||
      dps_settings_get_config (self->settings) == NULL)
    return;
  self->timer =
      g_timeout_add ((guint) (dps_pacing_slow (g_random_int ()) / 1000), on_due, self);
}
