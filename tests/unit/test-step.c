/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-step.h"
#include "common/dps-error.h"

#include <string.h>

/* Of a host with a symmetric key. */
static DpsStep
decide (const DpsExchange *exchange, gboolean polling, DpsFailure **failure)
{
  return dps_step_decide (exchange, polling, DPS_CHALLENGE_NONE, failure);
}

static void
assert_code (const DpsFailure *failure, const char *code)
{
  g_assert_nonnull (failure);
  g_assert_cmpstr (dps_failure_row (failure->kind)->code, ==, code);
}

static const struct
{
  DpsHttpFailure failure;
  const char *code;
  gboolean poll_again;
} transports[] = {
  { DPS_HTTP_FAILURE_RESOLVE, "DPS-E301", TRUE },
  { DPS_HTTP_FAILURE_ADDRESS_REFUSED, "DPS-E702", FALSE },
  { DPS_HTTP_FAILURE_CONNECT_REFUSED, "DPS-E302", TRUE },
  { DPS_HTTP_FAILURE_CONNECT_UNREACHABLE, "DPS-E303", TRUE },
  { DPS_HTTP_FAILURE_CONNECT_TIMEOUT, "DPS-E304", TRUE },
  { DPS_HTTP_FAILURE_TLS_NAME, "DPS-E305", FALSE },
  { DPS_HTTP_FAILURE_TLS_UNTRUSTED, "DPS-E306", FALSE },
  { DPS_HTTP_FAILURE_TLS_TIME, "DPS-E307", FALSE },
  { DPS_HTTP_FAILURE_TLS_SELF_SIGNED, "DPS-E315", FALSE },
  { DPS_HTTP_FAILURE_TLS_ISSUER, "DPS-E316", FALSE },
  { DPS_HTTP_FAILURE_TLS_VERSION, "DPS-E317", FALSE },
  { DPS_HTTP_FAILURE_TLS_WEAK_KEY, "DPS-E318", FALSE },
  { DPS_HTTP_FAILURE_TLS_WEAK_SIGNATURE, "DPS-E319", FALSE },
  { DPS_HTTP_FAILURE_TLS_USAGE, "DPS-E320", FALSE },
  { DPS_HTTP_FAILURE_TLS_CUT, "DPS-E321", TRUE },
  { DPS_HTTP_FAILURE_TLS_OTHER, "DPS-E308", TRUE },
  { DPS_HTTP_FAILURE_CLIENT_KEY, "DPS-E202", FALSE },
  { DPS_HTTP_FAILURE_CLIENT_REFUSED, "DPS-E314", FALSE },
  { DPS_HTTP_FAILURE_CLOSED, "DPS-E309", TRUE },
  { DPS_HTTP_FAILURE_TIMEOUT, "DPS-E310", TRUE },
  { DPS_HTTP_FAILURE_TOO_LARGE, "DPS-E311", TRUE },
  { DPS_HTTP_FAILURE_MALFORMED, "DPS-E312", TRUE },
  { DPS_HTTP_FAILURE_CANCELLED, "DPS-E701", FALSE },
  { DPS_HTTP_FAILURE_LOCAL, "DPS-E702", FALSE },
};
/* All but "no failure": a new one needs a row here too. */
G_STATIC_ASSERT (G_N_ELEMENTS (transports) == DPS_HTTP_N_FAILURES - 1);

static void
test_transport (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (transports); i++)
    for (gboolean polling = FALSE; polling <= TRUE; polling++)
      {
        DpsExchange exchange = { .outcome = { .failure = transports[i].failure } };
        g_autoptr (DpsFailure) failure = NULL;

        g_test_message ("%s", dps_http_failure_to_string (transports[i].failure));
        exchange.error = g_error_new_literal (DPS_ERROR, DPS_ERROR_FAILED, "the cause");
        g_assert_cmpint (decide (&exchange, polling, &failure), ==, DPS_STEP_FAIL);
        assert_code (failure, transports[i].code);
        g_assert_cmpstr (failure->detail, ==, "the cause");
        g_assert_cmpint (dps_step_may_poll_again (failure), ==, transports[i].poll_again);
        g_clear_error (&exchange.error);
      }
}

/* Who did not sign in the handshake has a code of its own; so has what is no signature of
 * the certificate. */
static void
test_unsigned (void)
{
  static const struct
  {
    DpsError error;
    const char *message;
    const char *code;
    const char *detail;
  } rows[] = {
    { DPS_ERROR_FAILED,
      "plugin x509: [x509-passphrase] sign: no",
      "DPS-E241",
      "plugin x509: sign: no" },
    { DPS_ERROR_TIMED_OUT, "plugin x509: sign: late", "DPS-E203", NULL },
    { DPS_ERROR_REJECTED,
      "bytes that the certificate does not verify",
      "DPS-E249",
      NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      DpsExchange exchange = { .outcome = { .failure = DPS_HTTP_FAILURE_CLIENT_KEY } };
      g_autoptr (DpsFailure) failure = NULL;

      exchange.error =
          g_error_new_literal (DPS_ERROR, (gint) rows[i].error, rows[i].message);
      g_assert_cmpint (decide (&exchange, FALSE, &failure), ==, DPS_STEP_FAIL);
      assert_code (failure, rows[i].code);
      if (rows[i].detail != NULL)
        g_assert_cmpstr (failure->detail, ==, rows[i].detail);
      g_clear_error (&exchange.error);
    }
}

/* A 2xx that is none: the client reports an error and no failure of the transport. */
static void
test_no_reply (void)
{
  DpsExchange exchange = { .outcome = { .http_status = 200, .retry_after = -1 } };
  g_autoptr (DpsFailure) malformed = NULL, foreign = NULL, nowhere = NULL;

  exchange.error = g_error_new_literal (DPS_ERROR, DPS_ERROR_REJECTED, "no JSON");
  g_assert_cmpint (decide (&exchange, FALSE, &malformed), ==, DPS_STEP_FAIL);
  assert_code (malformed, "DPS-E312");
  g_assert_cmpuint (malformed->http_status, ==, 200);
  g_assert_cmpint (malformed->wait, ==, 0);
  exchange.outcome.not_json = TRUE;
  g_assert_cmpint (decide (&exchange, FALSE, &foreign), ==, DPS_STEP_FAIL);
  assert_code (foreign, "DPS-E313");
  g_assert_true (dps_step_may_poll_again (foreign));
  exchange.outcome.not_json = FALSE;
  exchange.outcome.bad_assignment = TRUE;
  g_assert_cmpint (decide (&exchange, TRUE, &nowhere), ==, DPS_STEP_FAIL);
  assert_code (nowhere, "DPS-E415");
  g_assert_false (dps_step_may_poll_again (nowhere));
  g_clear_error (&exchange.error);
}

static const struct
{
  guint status;
  gboolean not_json;
  gint64 service_code;
  const char *code;      /* answering the registration */
  const char *poll_code; /* answering a poll; NULL = the same */
  gboolean poll_again;
} refusals[] = {
  { 400, FALSE, 400004, "DPS-E402", NULL, FALSE },
  { 401, FALSE, 401002, "DPS-E401", NULL, FALSE },
  { 401, TRUE, 0, "DPS-E401", NULL, FALSE },
  { 403, FALSE, 0, "DPS-E403", NULL, FALSE },
  { 403, TRUE, 0, "DPS-E313", NULL, TRUE },
  { 404, FALSE, 404201, "DPS-E404", "DPS-E414", FALSE },
  { 404, TRUE, 0, "DPS-E313", NULL, TRUE },
  { 409, FALSE, 0, "DPS-E406", NULL, TRUE },
  { 413, FALSE, 0, "DPS-E402", NULL, FALSE },
  { 429, FALSE, 429001, "DPS-E405", NULL, TRUE },
  { 429, TRUE, 0, "DPS-E405", NULL, TRUE },
  { 500, FALSE, 500000, "DPS-E406", NULL, TRUE },
  { 502, TRUE, 0, "DPS-E406", NULL, TRUE },
  { 503, FALSE, 0, "DPS-E406", NULL, TRUE },
  { 302, TRUE, 0, "DPS-E313", NULL, TRUE },
  { 302, FALSE, 0, "DPS-E312", NULL, TRUE },
};

static void
test_refusals (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    for (gboolean polling = FALSE; polling <= TRUE; polling++)
      {
        DpsServiceError service = { .code = refusals[i].service_code,
                                    .tracking_id = (char *) "tracking",
                                    .message = (char *) "text" };
        DpsExchange exchange = {
          .outcome = { .http_status = refusals[i].status,
                       .not_json = refusals[i].not_json,
                       .service_error = refusals[i].service_code ? &service : NULL,
                       .retry_after = 7 * G_USEC_PER_SEC },
        };
        g_autoptr (DpsFailure) failure = NULL;
        const char *code =
            polling && refusals[i].poll_code ? refusals[i].poll_code : refusals[i].code;

        g_test_message ("%u, polling %d", refusals[i].status, polling);
        g_assert_cmpint (decide (&exchange, polling, &failure), ==, DPS_STEP_FAIL);
        assert_code (failure, code);
        g_assert_cmpuint (failure->http_status, ==, refusals[i].status);
        g_assert_cmpuint (failure->service_code, ==, refusals[i].service_code);
        g_assert_cmpint (failure->wait, ==, 7 * G_USEC_PER_SEC);
        g_assert_cmpstr (failure->tracking_id,
                         ==,
                         refusals[i].service_code ? "tracking" : NULL);
        if (polling)
          g_assert_cmpint (dps_step_may_poll_again (failure), ==, refusals[i].poll_again);
      }
}

static const struct
{
  DpsStatus status;
  gint64 error_code;
  DpsStep step;
  const char *code; /* of DPS_STEP_FAIL */
} states[] = {
  { DPS_STATUS_UNASSIGNED, 0, DPS_STEP_POLL, NULL },
  { DPS_STATUS_ASSIGNING, 0, DPS_STEP_POLL, NULL },
  { DPS_STATUS_ASSIGNED, 0, DPS_STEP_ASSIGNED, NULL },
  { DPS_STATUS_DISABLED, 0, DPS_STEP_FAIL, "DPS-E411" },
  { DPS_STATUS_BLACKLISTED, 0, DPS_STEP_FAIL, "DPS-E411" },
  { DPS_STATUS_FAILED, 400207, DPS_STEP_FAIL, "DPS-E407" },
  { DPS_STATUS_FAILED, 400208, DPS_STEP_FAIL, "DPS-E408" },
  { DPS_STATUS_FAILED, 400209, DPS_STEP_FAIL, "DPS-E409" },
  { DPS_STATUS_FAILED, 401001, DPS_STEP_FAIL, "DPS-E409" },
  { DPS_STATUS_FAILED, 401002, DPS_STEP_FAIL, "DPS-E409" },
  { DPS_STATUS_FAILED, 400999, DPS_STEP_FAIL, "DPS-E410" },
  { DPS_STATUS_FAILED, 0, DPS_STEP_FAIL, "DPS-E410" },
  { DPS_STATUS_FAILED, 1000000, DPS_STEP_FAIL, "DPS-E410" },
  { DPS_STATUS_FAILED, -400207, DPS_STEP_FAIL, "DPS-E410" },
  { DPS_STATUS_UNKNOWN, 0, DPS_STEP_FAIL, "DPS-E412" },
};

static void
test_states (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    for (gboolean polling = FALSE; polling <= TRUE; polling++)
      {
        DpsRegistration registration = { .status = states[i].status,
                                         .error_code = states[i].error_code };
        DpsReply reply = { .status = states[i].status, .registration = &registration };
        DpsExchange exchange = { .outcome = { .http_status = 200,
                                              .reply = &reply,
                                              .retry_after = DPS_PACING_NONE } };
        g_autoptr (DpsFailure) failure = NULL;

        g_test_message ("%s %d",
                        dps_status_to_string (states[i].status),
                        (int) states[i].error_code);
        g_assert_cmpint (decide (&exchange, polling, &failure), ==, states[i].step);
        if (states[i].code == NULL)
          g_assert_null (failure);
        else
          assert_code (failure, states[i].code);
      }
}

/* The way through a TPM's registration (dps-protocol §5.4): each answer at each place. */
typedef enum
{
  ANSWER_CHALLENGE,
  ANSWER_401,
  ANSWER_ASSIGNING,
  ANSWER_ASSIGNED,
  ANSWER_ASSIGNED_WITH_KEY,
  ANSWER_ASSIGNED_WITH_CHAIN,
  ANSWER_FAILED,
  N_ANSWERS
} Answer;

static const struct
{
  DpsStep step;
  const char *code; /* of DPS_STEP_FAIL */
} tpm_steps[][N_ANSWERS] = {
  [DPS_CHALLENGE_NONE] = {
    [ANSWER_CHALLENGE] = { DPS_STEP_FAIL, "DPS-E417" },
    [ANSWER_401] = { DPS_STEP_FAIL, "DPS-E401" },
    [ANSWER_ASSIGNING] = { DPS_STEP_POLL, NULL },
    [ANSWER_ASSIGNED] = { DPS_STEP_ASSIGNED, NULL },
    [ANSWER_ASSIGNED_WITH_KEY] = { DPS_STEP_ASSIGNED, NULL },
    [ANSWER_ASSIGNED_WITH_CHAIN] = { DPS_STEP_ASSIGNED, NULL },
    [ANSWER_FAILED] = { DPS_STEP_FAIL, "DPS-E410" },
  },
  [DPS_CHALLENGE_DUE] = {
    [ANSWER_CHALLENGE] = { DPS_STEP_ANSWER, NULL },
    [ANSWER_401] = { DPS_STEP_FAIL, "DPS-E401" },
    [ANSWER_ASSIGNING] = { DPS_STEP_FAIL, "DPS-E418" },
    [ANSWER_ASSIGNED] = { DPS_STEP_FAIL, "DPS-E418" },
    [ANSWER_ASSIGNED_WITH_KEY] = { DPS_STEP_FAIL, "DPS-E418" },
    [ANSWER_ASSIGNED_WITH_CHAIN] = { DPS_STEP_FAIL, "DPS-E418" },
    [ANSWER_FAILED] = { DPS_STEP_FAIL, "DPS-E410" },
  },
  [DPS_CHALLENGE_ANSWERED] = {
    [ANSWER_CHALLENGE] = { DPS_STEP_FAIL, "DPS-E416" },
    [ANSWER_401] = { DPS_STEP_FAIL, "DPS-E401" },
    [ANSWER_ASSIGNING] = { DPS_STEP_POLL, NULL },
    [ANSWER_ASSIGNED] = { DPS_STEP_FAIL, "DPS-E419" },
    [ANSWER_ASSIGNED_WITH_KEY] = { DPS_STEP_ASSIGNED, NULL },
    [ANSWER_ASSIGNED_WITH_CHAIN] = { DPS_STEP_ASSIGNED, NULL },
    [ANSWER_FAILED] = { DPS_STEP_FAIL, "DPS-E410" },
  },
};

static void
check_tpm_step (DpsChallengeState challenge, Answer answer, gboolean polling)
{
  DpsServiceError error = { .authentication_key = (char *) "QUJD",
                            .tracking_id = (char *) "tracking" };
  DpsRegistration registration = { 0 };
  DpsReply reply = { .registration = &registration };
  DpsExchange exchange = { .outcome = { .http_status = 200,
                                        .retry_after = DPS_PACING_NONE } };
  g_autoptr (DpsFailure) failure = NULL;
  g_autoptr (GPtrArray) chain = g_ptr_array_new ();

  if (answer == ANSWER_CHALLENGE || answer == ANSWER_401)
    {
      exchange.outcome.http_status = 401;
      exchange.outcome.service_error = &error;
      exchange.outcome.challenge = answer == ANSWER_CHALLENGE;
    }
  else
    exchange.outcome.reply = &reply;
  if (answer == ANSWER_ASSIGNED_WITH_KEY)
    registration.authentication_key = (char *) "QUJD";
  if (answer == ANSWER_ASSIGNED_WITH_CHAIN)
    registration.issued_chain = chain;
  reply.status = answer == ANSWER_ASSIGNING ? DPS_STATUS_ASSIGNING
                 : answer == ANSWER_FAILED  ? DPS_STATUS_FAILED
                                            : DPS_STATUS_ASSIGNED;
  g_assert_cmpint (dps_step_decide (&exchange, polling, challenge, &failure),
                   ==,
                   tpm_steps[challenge][answer].step);
  if (tpm_steps[challenge][answer].code == NULL)
    {
      g_assert_null (failure);
      return;
    }
  assert_code (failure, tpm_steps[challenge][answer].code);
  g_assert_false (dps_step_may_poll_again (failure));
  if (exchange.outcome.service_error != NULL)
    g_assert_cmpstr (failure->tracking_id, ==, "tracking");
}

static void
test_challenge (void)
{
  for (guint challenge = 0; challenge < G_N_ELEMENTS (tpm_steps); challenge++)
    for (guint answer = 0; answer < N_ANSWERS; answer++)
      {
        g_test_message ("%u, answer %u", challenge, answer);
        check_tpm_step (challenge, answer, FALSE);
        /* What was not challenged has nothing to poll. */
        if (challenge != DPS_CHALLENGE_DUE)
          check_tpm_step (challenge, answer, TRUE);
      }
}

/* A final word of the service about the registration ends it; a status that is not known
 * may be followed by one that is. */
static void
test_state_and_polls (void)
{
  static const struct
  {
    DpsFailureKind kind;
    gboolean again;
  } table[] = {
    { DPS_FAILURE_DISABLED, FALSE },
    { DPS_FAILURE_ALLOCATION_FUNCTION, FALSE },
    { DPS_FAILURE_NO_HUB, FALSE },
    { DPS_FAILURE_HUB_REFUSES_SERVICE, FALSE },
    { DPS_FAILURE_REGISTRATION_FAILED, FALSE },
    { DPS_FAILURE_UNAUTHORISED, FALSE },
    { DPS_FAILURE_CANCELLED, FALSE },
    { DPS_FAILURE_OPERATION_LOST, FALSE },
    { DPS_FAILURE_UNKNOWN_STATUS, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (DpsFailure) failure = dps_failure_new (table[i].kind, NULL);

      g_assert_cmpint (dps_step_may_poll_again (failure), ==, table[i].again);
    }
}

/* Every row can be shown: a code of its own, a cause, and a remedy. */
static void
test_rows (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = DPS_FAILURE_NONE + 1; i < DPS_N_FAILURES; i++)
    {
      const DpsFailureRow *row = dps_failure_row (i);

      g_test_message ("%u", i);
      g_assert_nonnull (row->code);
      g_assert_true (g_hash_table_add (seen, (gpointer) row->code));
      g_assert_cmpuint (strlen (row->cause), >, 10);
      g_assert_cmpuint (strlen (row->remedy), >, 5);
      g_assert_null (strstr (row->remedy, "portal.azure"));
    }
}

static void
test_describe (void)
{
  g_autoptr (DpsFailure) failure = dps_failure_new (DPS_FAILURE_THROTTLED, "why %d", 1);
  g_autofree char *text = NULL;

  failure->http_status = 429;
  failure->service_code = 429001;
  failure->tracking_id = g_strdup ("abc");
  text = dps_failure_describe (failure);
  g_assert_cmpstr (text,
                   ==,
                   "the service asks to slow down (429): why 1; HTTP status 429; service "
                   "code 429001; tracking id abc");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/step/transport", test_transport);
  g_test_add_func ("/step/unsigned", test_unsigned);
  g_test_add_func ("/step/answer-that-is-none", test_no_reply);
  g_test_add_func ("/step/refusals", test_refusals);
  g_test_add_func ("/step/states", test_states);
  g_test_add_func ("/step/challenge", test_challenge);
  g_test_add_func ("/step/which-polls-may-be-repeated", test_state_and_polls);
  g_test_add_func ("/failure/every-row-is-complete", test_rows);
  g_test_add_func ("/failure/says-all-it-knows", test_describe);
  return g_test_run ();
}
