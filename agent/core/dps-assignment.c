/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-assignment.h"
#include "common/dps-log.h"
#include "core/dps-challenge.h"
#include "core/dps-hub-check.h"
#include "core/dps-plugin-cause.h"
#include "net/dps-endpoint.h"

/* One proof, the data of its task. */
typedef struct
{
  const DpsAssignment *assignment;
  DpsIdentity *identity; /* in the making */
  DpsFailure *failure;
} Proof;

static void
proof_free (Proof *proof)
{
  g_clear_pointer (&proof->identity, dps_identity_unref);
  g_clear_pointer (&proof->failure, dps_failure_unref);
  g_free (proof);
}

/* Consumes task; takes failure, NULL with success. */
static void
finish (GTask *task, DpsFailure *failure)
{
  Proof *proof = g_task_get_task_data (task);

  proof->failure = failure;
  g_task_return_boolean (task, failure == NULL);
  g_object_unref (task);
}

static void
on_hub_checked (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  DpsIdentity *identity = ((Proof *) g_task_get_task_data (task))->identity;
  g_autofree char *detail = NULL;
  DpsFailureKind unsigned_why;
  DpsProofVerdict verdict = dps_hub_check_finish (result, &detail, &unsigned_why);

  if (g_cancellable_is_cancelled (g_task_get_cancellable (task)))
    finish (task, dps_failure_new (DPS_FAILURE_CANCELLED, NULL));
  else if (unsigned_why != DPS_FAILURE_NONE)
    finish (task, dps_failure_new (unsigned_why, "signing toward the hub"));
  else if (verdict == DPS_PROOF_REFUSED)
    finish (task, dps_failure_new (DPS_FAILURE_HUB_REFUSED, "%s", detail));
  else
    {
      identity->verified = verdict == DPS_PROOF_VERIFIED;
      if (!identity->verified)
        dps_warning ((TOPIC ("hub"), OBJECT (identity->hub)),
                     "the new identity could not be shown to its hub: %s",
                     detail);
      finish (task, NULL);
    }
}

static DpsIdentity *
make_identity (const DpsAssignment *self)
{
  const DpsRegistration *registration = self->registration;
  DpsIdentity *identity = dps_identity_new ();

  identity->hub = g_strdup (registration->assigned_hub);
  identity->device_id = g_strdup (registration->device_id);
  identity->registration_id = g_strdup (self->attestation->registration_id);
  identity->attestation =
      g_strdup (dps_config_get_string (self->config, DPS_CONFIG_ATTESTATION));
  identity->config_digest = dps_config_dup_identity_digest (self->config);
  identity->payload = g_strdup (registration->payload);
  identity->assigned_at = (guint64) g_get_real_time ();
  return identity;
}

/* hub_key: the plugin's answer to the second challenge, NULL where the host has a key or
 * a certificate. */
static void
give_credential (const DpsAssignment *self, DpsIdentity *identity, DpsSecret *hub_key)
{
  if (hub_key != NULL)
    {
      identity->shape = DPS_SHAPE_PLUGIN;
      identity->blob = dps_secret_ref (hub_key);
    }
  else if (self->attestation->tls != NULL)
    {
      identity->shape = DPS_SHAPE_CERTIFICATE;
      identity->chain = dps_certificate_chain_to_pem (
          dps_tls_identity_get_chain (self->attestation->tls));
    }
  else
    {
      identity->shape = DPS_SHAPE_KEY;
      identity->key = dps_secret_ref (self->attestation->key);
    }
}

/* Consumes task. */
static void
show_to_hub (GTask *task)
{
  Proof *proof = g_task_get_task_data (task);
  const DpsAssignment *self = proof->assignment;

  dps_report_move (self->report, DPS_STATE_PROVING, NULL, 0);
  dps_hub_check_async (self->config,
                       dps_settings_get_sessions (self->settings),
                       self->signer,
                       proof->identity,
                       TRUE,
                       self->clock_offset,
                       g_task_get_cancellable (task),
                       on_hub_checked,
                       task);
}

/* Consumes task. */
static void
prove (GTask *task, DpsSecret *hub_key)
{
  Proof *proof = g_task_get_task_data (task);
  const DpsAssignment *self = proof->assignment;

  proof->identity = make_identity (self);
  give_credential (self, proof->identity, hub_key);
  if (self->attestation->setup != NULL)
    dps_signer_adopt (self->signer, self->attestation->setup);
  show_to_hub (task);
}

/* What the host was attested with stays the onboarding credential. Consumes task. */
static void
prove_issued (GTask *task)
{
  Proof *proof = g_task_get_task_data (task);
  const DpsAssignment *self = proof->assignment;
  DpsFailure *failure = NULL;

  proof->identity = make_identity (self);
  if (dps_issuance_take (self->issuance,
                         self->registration->issued_chain,
                         g_get_real_time () + self->clock_offset,
                         proof->identity,
                         &failure))
    show_to_hub (task);
  else
    finish (task, failure);
}

static void
on_hub_key (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) hub_key = dps_challenge_answer_finish (result, &error);

  if (hub_key == NULL)
    finish (data, dps_failure_new_from_error (dps_plugin_cause_kind (error), error));
  else
    prove (data, hub_key);
}

static gboolean
check_hub (const DpsAssignment *self, GError **error)
{
  const DpsRegistration *registration = self->registration;
  const char *endpoint = dps_config_get_string (self->config, DPS_CONFIG_ENDPOINT);
  g_autofree char *warning = NULL;

  if (!dps_endpoint_check_hub (registration->assigned_hub,
                               dps_endpoint_cloud (endpoint),
                               &warning,
                               error))
    return FALSE;
  if (warning != NULL)
    dps_warning ((TOPIC ("hub"), OBJECT (registration->assigned_hub)), "%s", warning);
  if (registration->connection_profile != NULL &&
      g_ascii_strcasecmp (registration->connection_profile, "classic") != 0)
    dps_warning ((TOPIC ("hub"), OBJECT (registration->assigned_hub)),
                 "the hub has the connection profile '%s', which this version does not "
                 "know",
                 registration->connection_profile);
  return TRUE;
}

void
dps_assignment_prove_async (const DpsAssignment *self,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, data);
  Proof *proof = g_new0 (Proof, 1);
  g_autoptr (GError) error = NULL;

  proof->assignment = self;
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, proof, (GDestroyNotify) proof_free);
  if (!check_hub (self, &error))
    finish (task, dps_failure_new_from_error (DPS_FAILURE_BAD_ASSIGNMENT, error));
  else if (self->issuance != NULL)
    prove_issued (task);
  else if (self->challenged)
    dps_challenge_answer_async (self->attestation->setup,
                                self->registration->authentication_key,
                                cancellable,
                                on_hub_key,
                                task);
  else
    prove (task, NULL);
}

DpsIdentity *
dps_assignment_prove_finish (GAsyncResult *result, DpsFailure **failure)
{
  Proof *proof = g_task_get_task_data (G_TASK (result));

  if (g_task_propagate_boolean (G_TASK (result), NULL))
    return g_steal_pointer (&proof->identity);
  *failure = g_steal_pointer (&proof->failure);
  return NULL;
}
