/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-step.h"
#include "core/dps-plugin-cause.h"

static DpsFailureKind
kind_of_transport (DpsHttpFailure failure)
{
  static const DpsFailureKind kinds[DPS_HTTP_N_FAILURES] = {
    [DPS_HTTP_FAILURE_NONE] = DPS_FAILURE_INTERNAL,
    [DPS_HTTP_FAILURE_RESOLVE] = DPS_FAILURE_NAME_UNKNOWN,
    [DPS_HTTP_FAILURE_ADDRESS_REFUSED] = DPS_FAILURE_INTERNAL,
    [DPS_HTTP_FAILURE_CONNECT_REFUSED] = DPS_FAILURE_CONNECTION_REFUSED,
    [DPS_HTTP_FAILURE_CONNECT_UNREACHABLE] = DPS_FAILURE_UNREACHABLE,
    [DPS_HTTP_FAILURE_CONNECT_TIMEOUT] = DPS_FAILURE_CONNECT_TIMEOUT,
    [DPS_HTTP_FAILURE_TLS_NAME] = DPS_FAILURE_TLS_NAME,
    [DPS_HTTP_FAILURE_TLS_UNTRUSTED] = DPS_FAILURE_TLS_UNTRUSTED,
    [DPS_HTTP_FAILURE_TLS_TIME] = DPS_FAILURE_TLS_TIME,
    [DPS_HTTP_FAILURE_TLS_SELF_SIGNED] = DPS_FAILURE_TLS_SELF_SIGNED,
    [DPS_HTTP_FAILURE_TLS_ISSUER] = DPS_FAILURE_TLS_ISSUER,
    [DPS_HTTP_FAILURE_TLS_WEAK_KEY] = DPS_FAILURE_TLS_WEAK_KEY,
    [DPS_HTTP_FAILURE_TLS_WEAK_SIGNATURE] = DPS_FAILURE_TLS_WEAK_SIGNATURE,
    [DPS_HTTP_FAILURE_TLS_USAGE] = DPS_FAILURE_TLS_USAGE,
    [DPS_HTTP_FAILURE_TLS_VERSION] = DPS_FAILURE_TLS_VERSION,
    [DPS_HTTP_FAILURE_TLS_CUT] = DPS_FAILURE_TLS_CUT,
    [DPS_HTTP_FAILURE_TLS_OTHER] = DPS_FAILURE_TLS_OTHER,
    [DPS_HTTP_FAILURE_CLIENT_KEY] = DPS_FAILURE_X509_FAILED,
    [DPS_HTTP_FAILURE_CLIENT_REFUSED] = DPS_FAILURE_CLIENT_REFUSED,
    [DPS_HTTP_FAILURE_CLOSED] = DPS_FAILURE_CLOSED,
    [DPS_HTTP_FAILURE_TIMEOUT] = DPS_FAILURE_REQUEST_TIMEOUT,
    [DPS_HTTP_FAILURE_TOO_LARGE] = DPS_FAILURE_ANSWER_TOO_LARGE,
    [DPS_HTTP_FAILURE_MALFORMED] = DPS_FAILURE_ANSWER_MALFORMED,
    [DPS_HTTP_FAILURE_CANCELLED] = DPS_FAILURE_CANCELLED,
    [DPS_HTTP_FAILURE_LOCAL] = DPS_FAILURE_INTERNAL,
  };

  return kinds[failure];
}

void
dps_exchange_free (DpsExchange *self)
{
  dps_outcome_clear (&self->outcome);
  g_clear_error (&self->error);
  g_free (self);
}

static guint
six_digits (gint64 code)
{
  return code > 0 && code <= 999999 ? (guint) code : 0;
}

/* With what the service says of itself, for its support. */
static DpsFailure *
describe (const DpsOutcome *outcome, DpsFailureKind kind, const char *detail)
{
  DpsFailure *failure = dps_failure_new (kind, detail ? "%s" : NULL, detail);
  const char *tracking = dps_outcome_tracking_id (outcome);

  failure->http_status = outcome->http_status;
  failure->tracking_id =
      g_strdup (tracking ? tracking : dps_outcome_request_id (outcome));
  failure->wait = MAX (0, outcome->retry_after);
  return failure;
}

static DpsFailure *
failure_of_status (const DpsOutcome *outcome, gboolean polling)
{
  const DpsServiceError *error = outcome->service_error;
  DpsAnswerFacts facts = {
    .http_status = outcome->http_status,
    .service_code = error ? six_digits (error->code) : 0,
    .polling = polling,
    .foreign = outcome->not_json,
  };
  DpsFailure *failure =
      describe (outcome, dps_failure_diagnose (&facts), error ? error->message : NULL);

  failure->service_code = facts.service_code;
  return failure;
}

static DpsFailure *
failure_of_state (const DpsOutcome *outcome)
{
  const DpsRegistration *registration = outcome->reply->registration;
  DpsStatus status = outcome->reply->status;
  DpsAnswerFacts facts = {
    .http_status = outcome->http_status,
    .service_code = registration ? six_digits (registration->error_code) : 0,
    .in_state = TRUE,
    .is_disabled = status == DPS_STATUS_DISABLED || status == DPS_STATUS_BLACKLISTED,
  };
  DpsFailure *failure = describe (outcome,
                                  dps_failure_diagnose (&facts),
                                  registration ? registration->error_message : NULL);

  failure->service_code = facts.service_code;
  return failure;
}

/* Who was to sign in the handshake says why it did not. What it gave may also be no
 * signature of that certificate. */
static DpsFailureKind
kind_of_signer (GError *error)
{
  DpsFailureKind kind = dps_plugin_cause_kind (error);

  return kind != DPS_FAILURE_PLUGIN_UNUSABLE ? kind : DPS_FAILURE_X509_FAILED;
}

/* No answer, or a 2xx that is none. */
static DpsFailureKind
kind_without_answer (const DpsOutcome *outcome, GError *error)
{
  if (outcome->failure == DPS_HTTP_FAILURE_CLIENT_KEY)
    return kind_of_signer (error);
  if (outcome->failure != DPS_HTTP_FAILURE_NONE)
    return kind_of_transport (outcome->failure);
  if (outcome->bad_assignment)
    return DPS_FAILURE_BAD_ASSIGNMENT;
  return outcome->not_json ? DPS_FAILURE_NOT_THE_SERVICE : DPS_FAILURE_ANSWER_MALFORMED;
}

static DpsStep
fail (const DpsOutcome *outcome, DpsFailureKind kind, DpsFailure **failure)
{
  *failure = describe (outcome, kind, NULL);
  return DPS_STEP_FAIL;
}

/* One challenge per attempt, to the first request of a TPM alone: another client answers
 * them without end (dps-protocol §5.4). */
static DpsStep
take_challenge (const DpsOutcome *outcome,
                DpsChallengeState challenge,
                DpsFailure **failure)
{
  switch (challenge)
    {
    case DPS_CHALLENGE_DUE:
      return DPS_STEP_ANSWER;
    case DPS_CHALLENGE_ANSWERED:
      return fail (outcome, DPS_FAILURE_CHALLENGED_AGAIN, failure);
    case DPS_CHALLENGE_NONE:
    default:
      return fail (outcome, DPS_FAILURE_CHALLENGE_UNEXPECTED, failure);
    }
}

static DpsStep
take_assignment (const DpsOutcome *outcome,
                 DpsChallengeState challenge,
                 DpsFailure **failure)
{
  const DpsRegistration *registration = outcome->reply->registration;

  /* With a certificate no key is needed toward the hub. */
  if (challenge == DPS_CHALLENGE_ANSWERED && registration->authentication_key == NULL &&
      registration->issued_chain == NULL)
    return fail (outcome, DPS_FAILURE_NO_HUB_KEY, failure);
  return DPS_STEP_ASSIGNED;
}

DpsStep
dps_step_decide (const DpsExchange *exchange,
                 gboolean polling,
                 DpsChallengeState challenge,
                 DpsFailure **failure)
{
  const DpsOutcome *outcome = &exchange->outcome;
  gboolean goes_on;

  if (exchange->error != NULL)
    {
      DpsFailureKind kind = kind_without_answer (outcome, exchange->error);

      *failure = describe (outcome, kind, exchange->error->message);
      return DPS_STEP_FAIL;
    }
  if (outcome->reply == NULL && outcome->challenge)
    return take_challenge (outcome, challenge, failure);
  if (outcome->reply == NULL)
    {
      *failure = failure_of_status (outcome, polling);
      return DPS_STEP_FAIL;
    }
  goes_on = outcome->reply->status == DPS_STATUS_ASSIGNED ||
            outcome->reply->status == DPS_STATUS_ASSIGNING ||
            outcome->reply->status == DPS_STATUS_UNASSIGNED;
  if (goes_on && challenge == DPS_CHALLENGE_DUE)
    return fail (outcome, DPS_FAILURE_NO_CHALLENGE, failure);
  switch (outcome->reply->status)
    {
    case DPS_STATUS_ASSIGNED:
      return take_assignment (outcome, challenge, failure);
    case DPS_STATUS_ASSIGNING:
    case DPS_STATUS_UNASSIGNED:
      return DPS_STEP_POLL;
    case DPS_STATUS_FAILED:
    case DPS_STATUS_DISABLED:
    case DPS_STATUS_BLACKLISTED:
      *failure = failure_of_state (outcome);
      return DPS_STEP_FAIL;
    case DPS_STATUS_UNKNOWN:
    default:
      return fail (outcome, DPS_FAILURE_UNKNOWN_STATUS, failure);
    }
}

gboolean
dps_step_may_poll_again (const DpsFailure *failure)
{
  switch (failure->kind)
    {
    case DPS_FAILURE_THROTTLED:
    case DPS_FAILURE_SERVICE:
    case DPS_FAILURE_NAME_UNKNOWN:
    case DPS_FAILURE_CONNECTION_REFUSED:
    case DPS_FAILURE_UNREACHABLE:
    case DPS_FAILURE_CONNECT_TIMEOUT:
    case DPS_FAILURE_TLS_CUT:
    case DPS_FAILURE_TLS_OTHER:
    case DPS_FAILURE_CLOSED:
    case DPS_FAILURE_REQUEST_TIMEOUT:
    case DPS_FAILURE_ANSWER_TOO_LARGE:
    case DPS_FAILURE_ANSWER_MALFORMED:
    case DPS_FAILURE_NOT_THE_SERVICE:
    case DPS_FAILURE_UNKNOWN_STATUS:
      return TRUE;
    default:
      return FALSE;
    }
}
