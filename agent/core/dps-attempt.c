/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-attempt.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "core/dps-assignment.h"
#include "core/dps-attestation.h"
#include "core/dps-authorization.h"
#include "core/dps-challenge.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-registrar.h"
#include "core/dps-step.h"
#include "core/dps-summary.h"
#include "dps/dps-pacing.h"

#define REGISTRATION_DEADLINE (15 * 60 * G_USEC_PER_SEC)
#define TOKEN_TTL 3600
/* As every client has it (dps-protocol §3.1, §5.4). */
#define KEY_NAME "registration"
/* A smaller difference is no clock's fault (design §7, "Time"). */
#define CLOCK_TOLERANCE (5 * 60 * G_USEC_PER_SEC)

struct _DpsAttempt
{
  GObject parent;
  DpsSettings *settings;
  DpsConfig *config;
  DpsReport *report;
  DpsSigner *signer;
  DpsImportedKey *imported_key;
  gboolean tpm_sealed;
  GTask *task; /* of the run */
  GCancellable *cancellable;

  DpsAttestation *attestation;
  DpsIssuance *issuance; /* of the certificate that is asked for, or NULL */
  DpsRegistrar *registrar;
  DpsSecret *authorization; /* the token; NULL before the challenge, and for X.509 */
  DpsChallengeState challenge;
  DpsSecret *answer; /* to the challenge: what signs the token, in memory alone */
  char *key_name;    /* the challenge's, or "registration" */
  gint64 clock_offset;
  gboolean redated; /* the token was signed again by the service's clock */

  char *operation_id;
  gint64 registered_at;
  DpsPollHistory *polls; /* the owner's */
  guint lost_polls;      /* failed ones in a row */
  guint connections;
  guint timer;
  gulong cancelled_handler;

  DpsAssignment assignment;
  DpsIdentity *identity;
};

G_DEFINE_FINAL_TYPE (DpsAttempt, dps_attempt, G_TYPE_OBJECT)

static void
dps_attempt_finalize (GObject *object)
{
  DpsAttempt *self = DPS_ATTEMPT (object);

  g_clear_pointer (&self->registrar, dps_registrar_free);
  g_clear_pointer (&self->issuance, dps_issuance_free);
  g_clear_pointer (&self->imported_key, dps_imported_key_unref);
  g_clear_pointer (&self->attestation, dps_attestation_free);
  g_clear_pointer (&self->authorization, dps_secret_unref);
  g_clear_pointer (&self->answer, dps_secret_unref);
  g_clear_pointer (&self->assignment.registration, dps_registration_free);
  g_clear_pointer (&self->identity, dps_identity_unref);
  g_clear_object (&self->signer);
  g_clear_object (&self->config);
  g_clear_object (&self->settings);
  g_clear_object (&self->report);
  g_clear_object (&self->cancellable);
  g_free (self->operation_id);
  g_free (self->key_name);
  G_OBJECT_CLASS (dps_attempt_parent_class)->finalize (object);
}

static void
dps_attempt_class_init (DpsAttemptClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_attempt_finalize;
}

static void
dps_attempt_init (DpsAttempt *self)
{
}

DpsAttempt *
dps_attempt_new (DpsSettings *settings,
                 DpsReport *report,
                 DpsSigner *signer,
                 DpsImportedKey *imported_key,
                 gboolean tpm_sealed,
                 DpsPollHistory *polls)
{
  DpsAttempt *self = g_object_new (DPS_TYPE_ATTEMPT, NULL);

  self->settings = g_object_ref (settings);
  self->config = g_object_ref (dps_settings_get_config (settings));
  self->report = g_object_ref (report);
  self->signer = g_object_ref (signer);
  self->imported_key = imported_key ? dps_imported_key_ref (imported_key) : NULL;
  self->tpm_sealed = tpm_sealed;
  self->polls = polls;
  return self;
}

/* Ends the run; takes failure, NULL with success. */
static void
finish (DpsAttempt *self, DpsFailure *failure)
{
  g_autoptr (GTask) task = g_steal_pointer (&self->task);

  if (self->cancelled_handler != 0)
    g_cancellable_disconnect (self->cancellable, self->cancelled_handler);
  self->cancelled_handler = 0;
  if (failure != NULL && g_cancellable_is_cancelled (self->cancellable))
    {
      dps_failure_unref (failure);
      failure = dps_failure_new (DPS_FAILURE_CANCELLED, NULL);
    }
  g_task_return_pointer (task, failure, (GDestroyNotify) dps_failure_unref);
}

static void
fail (DpsAttempt *self, DpsFailureKind kind, const GError *error)
{
  finish (self, dps_failure_new_from_error (kind, error));
}

/* --- proving ---------------------------------------------------------------------------
 */

static void
on_proven (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsAttempt) self = data;
  DpsFailure *failure = NULL;

  self->identity = dps_assignment_prove_finish (result, &failure);
  finish (self, failure);
}

/* Takes registration. */
static void
take_assignment (DpsAttempt *self, DpsRegistration *registration)
{
  /* DPS is done with; its connection would only idle while the hub is asked. */
  g_clear_pointer (&self->registrar, dps_registrar_free);
  self->assignment = (DpsAssignment){
    .settings = self->settings,
    .config = self->config,
    .report = self->report,
    .signer = self->signer,
    .attestation = self->attestation,
    .registration = registration,
    .issuance = self->issuance,
    .challenged = self->challenge == DPS_CHALLENGE_ANSWERED,
    .clock_offset = self->clock_offset,
  };
  dps_assignment_prove_async (&self->assignment,
                              self->cancellable,
                              on_proven,
                              g_object_ref (self));
}

/* --- registering and assigning ---------------------------------------------------------
 */

static void authorise (DpsAttempt *self);
static void answer_challenge (DpsAttempt *self, const DpsServiceError *challenge);
static void plan_poll (DpsAttempt *self, gint64 wait);

static void
add_text (GVariantBuilder *builder, const char *name, const char *value)
{
  if (value != NULL)
    g_variant_builder_add (builder, "{sv}", name, g_variant_new_string (value));
}

static void
show_path (DpsAttempt *self, const DpsHttpResponse *http)
{
  GVariantBuilder builder;

  if (http == NULL)
    return;
  self->connections += http->connections;
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  add_text (&builder,
            "endpoint",
            dps_config_get_string (self->config, DPS_CONFIG_ENDPOINT));
  add_text (&builder, "address", http->address);
  if (http->address != NULL)
    g_variant_builder_add (&builder, "{sv}", "port", g_variant_new_uint32 (http->port));
  add_text (&builder, "tls", http->tls_version);
  add_text (&builder, "cipher", http->tls_cipher);
  g_variant_builder_add (&builder,
                         "{sv}",
                         "connections",
                         g_variant_new_uint32 (self->connections));
  g_object_set (self->report, "network-path", g_variant_builder_end (&builder), NULL);
}

/* An answer over a verified connection dates our tokens where our clock is far off. */
static void
note_clock (DpsAttempt *self, const DpsOutcome *outcome)
{
  gint64 offset = outcome->server_offset;

  if (outcome->http == NULL || outcome->http->date == NULL)
    return;
  if (ABS (offset) <= CLOCK_TOLERANCE)
    offset = 0;
  if (offset != 0 && self->clock_offset == 0)
    dps_warning ((TOPIC ("clock")),
                 "the service's clock is %" G_GINT64_FORMAT
                 " s ahead of this host's; tokens are dated by the service's",
                 offset / G_USEC_PER_SEC);
  self->clock_offset = offset;
  dps_report_note_clock (self->report, offset);
}

/* A refusal may be the fault of our clock alone: once, it is worth a token by the
 * service's. */
static gboolean
worth_redating (DpsAttempt *self, const DpsFailure *failure)
{
  return failure->kind == DPS_FAILURE_UNAUTHORISED && self->clock_offset != 0 &&
         self->authorization != NULL && !self->redated;
}

static void
on_poll_failed (DpsAttempt *self, DpsFailure *failure)
{
  gint64 paced, wait;

  if (!dps_step_may_poll_again (failure))
    {
      finish (self, failure);
      return;
    }
  self->lost_polls++;
  paced = dps_pacing_next_poll (self->polls,
                                failure->wait > 0 ? failure->wait : DPS_PACING_NONE,
                                g_get_monotonic_time (),
                                g_random_int ());
  wait = MAX (dps_pacing_backoff (self->lost_polls, g_random_int ()), paced);
  dps_report_explain (self->report, failure);
  dps_failure_unref (failure);
  plan_poll (self, wait);
}

static void
act (DpsAttempt *self, const DpsExchange *exchange, gboolean polling)
{
  const DpsOutcome *outcome = &exchange->outcome;
  DpsFailure *failure = NULL;

  show_path (self, outcome->http);
  note_clock (self, outcome);
  if (g_cancellable_is_cancelled (self->cancellable))
    {
      finish (self, dps_failure_new (DPS_FAILURE_CANCELLED, NULL));
      return;
    }
  switch (dps_step_decide (exchange, polling, self->challenge, &failure))
    {
    case DPS_STEP_ASSIGNED:
      take_assignment (self, g_steal_pointer (&outcome->reply->registration));
      return;
    case DPS_STEP_ANSWER:
      answer_challenge (self, outcome->service_error);
      return;
    case DPS_STEP_POLL:
      self->lost_polls = 0;
      if (outcome->reply->operation_id != NULL)
        {
          g_free (self->operation_id);
          self->operation_id = g_strdup (outcome->reply->operation_id);
        }
      if (!polling)
        {
          self->registered_at = g_get_monotonic_time ();
          dps_poll_history_begin (self->polls);
        }
      dps_report_move (self->report, DPS_STATE_ASSIGNING, NULL, 0);
      plan_poll (self,
                 dps_pacing_next_poll (self->polls,
                                       outcome->retry_after,
                                       g_get_monotonic_time (),
                                       g_random_int ()));
      return;
    case DPS_STEP_FAIL:
    default:
      break;
    }
  if (polling)
    on_poll_failed (self, failure);
  else if (worth_redating (self, failure))
    {
      self->redated = TRUE;
      dps_failure_unref (failure);
      authorise (self);
    }
  else
    finish (self, failure);
}

static void
on_polled (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsAttempt) self = data;
  g_autoptr (DpsExchange) exchange = dps_registrar_finish (result, NULL);

  dps_poll_history_note (self->polls, g_get_monotonic_time ());
  act (self, exchange, TRUE);
}

static gboolean
on_poll_due (gpointer data)
{
  DpsAttempt *self = data;

  self->timer = 0;
  dps_registrar_poll_async (self->registrar,
                            self->operation_id,
                            self->authorization,
                            self->cancellable,
                            on_polled,
                            g_object_ref (self));
  return G_SOURCE_REMOVE;
}

static void
plan_poll (DpsAttempt *self, gint64 wait)
{
  gint64 now = g_get_monotonic_time ();

  if (now + wait - self->registered_at > REGISTRATION_DEADLINE)
    {
      finish (self, dps_failure_new (DPS_FAILURE_REGISTRATION_TIMEOUT, NULL));
      return;
    }
  /* Rounded up: a poll that came a moment early could be one too many in its window. */
  self->timer = g_timeout_add ((guint) ((wait + 999) / 1000), on_poll_due, self);
}

static void
on_registered (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsAttempt) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsExchange) exchange = dps_registrar_finish (result, &error);

  if (exchange == NULL)
    fail (self, DPS_FAILURE_CONFIG_INVALID, error);
  else
    act (self, exchange, FALSE);
}

static void
register_now (DpsAttempt *self)
{
  dps_registrar_register_async (self->registrar,
                                self->authorization,
                                self->cancellable,
                                on_registered,
                                g_object_ref (self));
}

static void
on_authorised (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsAttempt) self = data;
  DpsFailure *failure = NULL;

  g_clear_pointer (&self->authorization, dps_secret_unref);
  self->authorization = dps_authorization_sign_finish (result, &failure);
  if (self->authorization == NULL)
    finish (self, failure);
  else
    register_now (self);
}

static void
authorise (DpsAttempt *self)
{
  gint64 now = g_get_real_time () + self->clock_offset;

  dps_authorization_sign_async (self->attestation,
                                self->answer,
                                self->key_name ? self->key_name : KEY_NAME,
                                dps_config_get_string (self->config, DPS_CONFIG_ID_SCOPE),
                                (guint64) now / G_USEC_PER_SEC + TOKEN_TTL,
                                self->cancellable,
                                on_authorised,
                                g_object_ref (self));
}

static void
on_answered (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsAttempt) self = data;
  g_autoptr (GError) error = NULL;

  self->answer = dps_challenge_answer_finish (result, &error);
  if (self->answer == NULL)
    finish (self, dps_failure_new_from_error (dps_plugin_cause_kind (error), error));
  else
    authorise (self);
}

static void
answer_challenge (DpsAttempt *self, const DpsServiceError *challenge)
{
  self->challenge = DPS_CHALLENGE_ANSWERED;
  self->key_name = g_strdup (challenge->key_name);
  dps_challenge_answer_async (self->attestation->setup,
                              challenge->authentication_key,
                              self->cancellable,
                              on_answered,
                              g_object_ref (self));
}

/* --- attesting -------------------------------------------------------------------------
 */

static void
begin_registration (DpsAttempt *self)
{
  dps_report_move (self->report, DPS_STATE_REGISTERING, NULL, 0);
  self->registrar = dps_registrar_new (self->settings, self->attestation);
  if (self->issuance != NULL)
    dps_registrar_set_certificate_request (self->registrar,
                                           dps_issuance_get_request (self->issuance));
  if (self->attestation->key != NULL)
    {
      authorise (self);
      return;
    }
  if (self->attestation->tls == NULL)
    self->challenge = DPS_CHALLENGE_DUE;
  register_now (self);
}

static void
on_request_made (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsAttempt) self = data;
  DpsFailure *failure = NULL;

  self->issuance = dps_issuance_begin_finish (result, &failure);
  if (self->issuance == NULL)
    finish (self, failure);
  else
    begin_registration (self);
}

static void
on_attested (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsAttempt) self = data;
  DpsFailure *failure = NULL;

  self->attestation = dps_attestation_finish (result, &failure);
  if (self->attestation == NULL)
    {
      finish (self, failure);
      return;
    }
  dps_report_set_string (self->report,
                         "registration-id",
                         self->attestation->registration_id);
  dps_summary_show_plugin_usable (self->report,
                                  self->settings,
                                  &self->attestation->confinement);
  if (dps_config_get_boolean (self->config, DPS_CONFIG_CERTIFICATE_ISSUANCE))
    dps_issuance_begin_async (self->config,
                              self->tpm_sealed,
                              self->attestation->registration_id,
                              self->cancellable,
                              on_request_made,
                              g_object_ref (self));
  else
    begin_registration (self);
}

/* A wait between polls is the one place where nothing else would notice the cancelling.
 */
static gboolean
end_wait (gpointer data)
{
  DpsAttempt *self = data;

  if (self->timer == 0 || self->task == NULL)
    return G_SOURCE_REMOVE;
  g_clear_handle_id (&self->timer, g_source_remove);
  finish (self, dps_failure_new (DPS_FAILURE_CANCELLED, NULL));
  return G_SOURCE_REMOVE;
}

static void
on_cancelled (GCancellable *cancellable, DpsAttempt *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, end_wait, g_object_ref (self), g_object_unref);
}

void
dps_attempt_run_async (DpsAttempt *self,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer data)
{
  g_return_if_fail (self->task == NULL && self->cancellable == NULL);

  self->task = g_task_new (self, NULL, callback, data);
  self->cancellable = g_object_ref (cancellable);
  self->cancelled_handler =
      g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), self, NULL);
  dps_report_move (self->report, DPS_STATE_ATTESTING, NULL, 0);
  dps_attestation_run_async (self->settings,
                             self->imported_key,
                             cancellable,
                             on_attested,
                             g_object_ref (self));
}

DpsIdentity *
dps_attempt_run_finish (DpsAttempt *self, GAsyncResult *result, DpsFailure **failure)
{
  *failure = g_task_propagate_pointer (G_TASK (result), NULL);
  return *failure == NULL ? g_steal_pointer (&self->identity) : NULL;
}
