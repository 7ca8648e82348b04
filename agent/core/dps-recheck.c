/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-recheck.h"
#include "common/dps-log.h"
#include "core/dps-attestation.h"
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
  GCancellable *check;   /* of the one under way */
  DpsIdentity *identity; /* which that one shows */
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
  g_clear_pointer (&self->identity, dps_identity_unref);
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
      verified = dps_identity_copy (self->identity);
      verified->verified = TRUE;
      dps_keeper_put_identity_async (self->keeper, verified, on_stored, self);
      return;
    }
  tell (self, verdict);
  recheck_unref (self);
}

/* Takes the reference for the check. */
static void
show (DpsRecheck *self)
{
  dps_hub_check_async (dps_settings_get_config (self->settings),
                       dps_settings_get_sessions (self->settings),
                       self->signer,
                       self->identity,
                       FALSE,
                       dps_report_get_clock_offset (self->report),
                       self->check,
                       on_checked,
                       self);
}

/* The identity with the certificate that the plugin has by now: in a group the hub takes
 * a new one at once, and it is this one's key that signs. */
static void
renew (DpsRecheck *self, DpsAttestation *attestation)
{
  g_autofree char *chain = NULL;

  if (attestation->tls == NULL ||
      g_ascii_strcasecmp (attestation->registration_id,
                          self->identity->registration_id) != 0)
    return;
  chain = dps_certificate_chain_to_pem (dps_tls_identity_get_chain (attestation->tls));
  dps_signer_adopt (self->signer, attestation->setup);
  if (g_str_equal (chain, self->identity->chain))
    return;
  dps_info ((TOPIC ("identity"), OBJECT (self->identity->device_id)),
            "the plugin has another certificate than the stored one");
  dps_identity_unref (self->identity);
  self->identity = dps_identity_copy (dps_keeper_get_identity (self->keeper));
  g_free (self->identity->chain);
  self->identity->chain = g_steal_pointer (&chain);
}

static void
on_attested (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsRecheck *self = data;
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (DpsAttestation) attestation = dps_attestation_finish (result, &failure);
  g_autofree char *text = NULL;

  if (self->check == NULL || g_cancellable_is_cancelled (self->check))
    {
      recheck_unref (self);
      return;
    }
  if (attestation != NULL)
    {
      renew (self, attestation);
      show (self);
      return;
    }
  text = dps_failure_describe (failure);
  dps_warning ((TOPIC ("identity"), CODE (dps_failure_row (failure->kind)->code)),
               "cannot show the certificate to the hub: %s",
               text);
  tell (self, DPS_PROOF_INCONCLUSIVE);
  recheck_unref (self);
}

/* By the configuration, which may name another plugin by now. */
static gboolean
plugin_signs (DpsConfig *config, const DpsIdentity *identity)
{
  return identity->shape == DPS_SHAPE_CERTIFICATE && identity->key == NULL &&
         identity->blob == NULL &&
         g_strcmp0 (dps_config_get_string (config, DPS_CONFIG_ATTESTATION),
                    identity->attestation) == 0;
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
  g_clear_pointer (&self->identity, dps_identity_unref);
  self->identity = dps_identity_ref (identity);
  g_atomic_ref_count_inc (&self->refs);
  if (plugin_signs (config, identity))
    dps_attestation_run_async (self->settings, NULL, self->check, on_attested, self);
  else
    show (self);
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
