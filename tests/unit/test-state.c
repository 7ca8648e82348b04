/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-report.h"

#include <string.h>

static const char *
text_of (DpsReport *report, const char *property)
{
  g_autofree char *text = NULL;

  g_object_get (report, property, &text, NULL);
  return g_intern_string (text);
}

static void
test_names (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < DPS_N_STATES; i++)
    g_assert_true (g_hash_table_add (seen, (gpointer) dps_state_name (i)));
}

static void
test_moves (void)
{
  static const struct
  {
    DpsState from, to;
    gboolean may;
  } table[] = {
    { DPS_STATE_IDLE, DPS_STATE_ATTESTING, TRUE },
    { DPS_STATE_ATTESTING, DPS_STATE_REGISTERING, TRUE },
    { DPS_STATE_REGISTERING, DPS_STATE_ASSIGNING, TRUE },
    { DPS_STATE_REGISTERING, DPS_STATE_PROVING, TRUE },
    { DPS_STATE_ASSIGNING, DPS_STATE_PROVING, TRUE },
    { DPS_STATE_PROVING, DPS_STATE_COMMITTING, TRUE },
    { DPS_STATE_COMMITTING, DPS_STATE_PROVISIONED, TRUE },
    /* nothing is announced that is not proven and committed */
    { DPS_STATE_ASSIGNING, DPS_STATE_COMMITTING, FALSE },
    { DPS_STATE_ATTESTING, DPS_STATE_ASSIGNING, FALSE },
    { DPS_STATE_IDLE, DPS_STATE_REGISTERING, FALSE },
    { DPS_STATE_UNCONFIGURED, DPS_STATE_ATTESTING, FALSE },
    { DPS_STATE_COMMITTING, DPS_STATE_REGISTERING, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    g_assert_cmpint (dps_state_may_move (table[i].from, table[i].to), ==, table[i].may);
  /* every step of an attempt can be left for each kind of wait */
  for (guint i = 0; i < DPS_N_STATES; i++)
    if (dps_state_is_attempt (i))
      {
        g_assert_true (dps_state_may_move (i, DPS_STATE_BACKING_OFF));
        g_assert_true (dps_state_may_move (i, DPS_STATE_HELD));
        g_assert_true (dps_state_may_move (i, DPS_STATE_IDLE));
      }
}

static void
count (GObject *object, GParamSpec *spec, gpointer data)
{
  ++*(guint *) data;
}

static void
test_status_moves_and_announces (void)
{
  g_autoptr (DpsReport) report = dps_report_new ();
  g_autoptr (DpsFailure) failure = dps_failure_new (DPS_FAILURE_THROTTLED, NULL);
  g_autoptr (GVariant) reason = NULL;
  const char *code, *cause, *remedy;
  guint announced = 0;
  guint64 next;

  g_signal_connect (report, "notify::state", G_CALLBACK (count), &announced);
  dps_report_move (report, DPS_STATE_IDLE, NULL, 0);
  dps_report_move (report, DPS_STATE_BACKING_OFF, failure, 77);
  g_assert_cmpuint (announced, ==, 2);
  g_assert_cmpstr (text_of (report, "state"), ==, "backing-off");
  g_object_get (report, "reason", &reason, "next-attempt", &next, NULL);
  g_variant_get (reason, "(&s&s&s)", &code, &cause, &remedy);
  g_assert_cmpstr (code, ==, "DPS-E405");
  g_assert_cmpuint (strlen (cause), >, 0);
  g_assert_cmpuint (strlen (remedy), >, 0);
  g_assert_cmpuint (next, ==, 77);
}

static void
test_status_refuses_forbidden_moves (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (DpsReport) report = dps_report_new ();

      dps_report_move (report, DPS_STATE_COMMITTING, NULL, 0);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*dps_state_may_move*");
}

static void
test_failure_rows (void)
{
  g_autoptr (GHashTable) codes = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 1; i < DPS_N_FAILURES; i++)
    {
      const DpsFailureRow *row = dps_failure_row (i);

      g_test_message ("row %u", i);
      g_assert_nonnull (row->code);
      g_assert_true (g_str_has_prefix (row->code, "DPS-E"));
      g_assert_cmpuint (strlen (row->code), ==, 8);
      g_assert_true (g_hash_table_add (codes, (gpointer) row->code));
      g_assert_cmpuint (strlen (row->cause), >, 10);
      g_assert_cmpuint (strlen (row->remedy), >, 6);
      g_assert_false (g_str_has_suffix (row->cause, "."));
      /* the portal is blind once public access is off */
      g_assert_null (strcasestr (row->remedy, "the portal "));
    }
}

static void
test_failure_diagnose (void)
{
  static const struct
  {
    DpsAnswerFacts facts;
    DpsFailureKind kind;
  } table[] = {
    { { .http_status = 401, .service_code = 401002 }, DPS_FAILURE_UNAUTHORISED },
    { { .http_status = 401 }, DPS_FAILURE_UNAUTHORISED },
    { { .http_status = 401, .foreign = TRUE }, DPS_FAILURE_UNAUTHORISED },
    { { .http_status = 400, .service_code = 400004 }, DPS_FAILURE_BAD_REQUEST },
    { { .http_status = 403 }, DPS_FAILURE_FORBIDDEN },
    { { .http_status = 404 }, DPS_FAILURE_NOT_FOUND },
    { { .http_status = 404, .polling = TRUE }, DPS_FAILURE_OPERATION_LOST },
    { { .http_status = 409 }, DPS_FAILURE_SERVICE },
    { { .http_status = 415 }, DPS_FAILURE_BAD_REQUEST },
    { { .http_status = 429 }, DPS_FAILURE_THROTTLED },
    { { .http_status = 500 }, DPS_FAILURE_SERVICE },
    { { .http_status = 503, .foreign = TRUE }, DPS_FAILURE_SERVICE },
    { { .http_status = 200, .foreign = TRUE }, DPS_FAILURE_NOT_THE_SERVICE },
    { { .http_status = 302 }, DPS_FAILURE_ANSWER_MALFORMED },
    { { .http_status = 200, .in_state = TRUE, .service_code = 400207 },
      DPS_FAILURE_ALLOCATION_FUNCTION },
    { { .http_status = 200, .in_state = TRUE, .service_code = 400208 },
      DPS_FAILURE_NO_HUB },
    { { .http_status = 200, .in_state = TRUE, .service_code = 400209 },
      DPS_FAILURE_HUB_REFUSES_SERVICE },
    /* the same code means something else in a state than in an error body */
    { { .http_status = 200, .in_state = TRUE, .service_code = 401002 },
      DPS_FAILURE_HUB_REFUSES_SERVICE },
    { { .http_status = 200, .in_state = TRUE, .service_code = 123456 },
      DPS_FAILURE_REGISTRATION_FAILED },
    { { .http_status = 200, .in_state = TRUE, .is_disabled = TRUE },
      DPS_FAILURE_DISABLED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_cmpint (dps_failure_diagnose (&table[i].facts), ==, table[i].kind);
    }
}

static void
test_failure_describe (void)
{
  g_autoptr (DpsFailure) failure = dps_failure_new (DPS_FAILURE_UNAUTHORISED, "x %d", 7);
  g_autofree char *text = NULL;

  failure->http_status = 401;
  failure->service_code = 401002;
  failure->tracking_id = g_strdup ("abc");
  text = dps_failure_describe (failure);
  g_assert_true (
      g_str_has_suffix (text,
                        ": x 7; HTTP status 401; service code 401002; tracking id abc"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* warnings are part of what is tested here */
  g_log_set_always_fatal (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
  g_test_add_func ("/state/names-differ", test_names);
  g_test_add_func ("/state/permitted-moves", test_moves);
  g_test_add_func ("/status/moves-and-announces", test_status_moves_and_announces);
  g_test_add_func ("/status/refuses-forbidden-moves",
                   test_status_refuses_forbidden_moves);
  g_test_add_func ("/failure/every-row-is-whole", test_failure_rows);
  g_test_add_func ("/failure/diagnose", test_failure_diagnose);
  g_test_add_func ("/failure/describe", test_failure_describe);
  return g_test_run ();
}
