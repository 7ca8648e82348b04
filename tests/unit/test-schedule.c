/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-schedule.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define MINUTE (60 * SECOND)
#define TOP G_MAXUINT32

static DpsPlan
plan (DpsFailureKind kind, guint failures, guint32 random, gint64 wait, gboolean network)
{
  g_autoptr (DpsFailure) failure = dps_failure_new (kind, NULL);

  failure->wait = wait;
  return dps_schedule_plan (failure, failures, random, network);
}

/* For every row of the table: what an operator must heal is held on the slow schedule,
 * everything else backs off or waits for something that has a name. */
static void
test_every_kind (void)
{
  for (guint i = DPS_FAILURE_NONE + 1; i < DPS_N_FAILURES; i++)
    {
      DpsPlan early = plan (i, 1, 0, 0, TRUE);
      DpsPlan late = plan (i, 1, TOP, 0, TRUE);

      g_test_message ("%s", dps_failure_row (i)->code);
      g_assert_cmpint (early.state, ==, late.state);
      if (dps_failure_row (i)->healing == DPS_HEALS_BY_OPERATOR)
        {
          g_assert_cmpint (early.state, ==, DPS_STATE_HELD);
          g_assert_cmpint (early.wait, ==, 5 * MINUTE);
          g_assert_cmpint (late.wait, ==, 30 * MINUTE);
        }
      else
        {
          g_assert_cmpint (early.state, !=, DPS_STATE_HELD);
          g_assert_cmpint (early.wait, ==, SECOND);
          g_assert_cmpint (late.wait, ==, 2 * SECOND);
        }
    }
}

/* What is held and what is not is a promise to operators, so it stands here once more. */
static void
test_healing (void)
{
  static const DpsFailureKind held[] = {
    DPS_FAILURE_STORE_WRITE,    DPS_FAILURE_CONFIG_INVALID,      DPS_FAILURE_SECRET_FILE,
    DPS_FAILURE_PLUGIN_REFUSED, DPS_FAILURE_TLS_UNTRUSTED,       DPS_FAILURE_UNAUTHORISED,
    DPS_FAILURE_BAD_REQUEST,    DPS_FAILURE_FORBIDDEN,           DPS_FAILURE_NOT_FOUND,
    DPS_FAILURE_NO_HUB,         DPS_FAILURE_HUB_REFUSES_SERVICE, DPS_FAILURE_DISABLED,
    DPS_FAILURE_BAD_ASSIGNMENT, DPS_FAILURE_HUB_REFUSED,
  };
  static const DpsFailureKind backing_off[] = {
    DPS_FAILURE_PLUGIN_CRASHED,      DPS_FAILURE_PLUGIN_TIMED_OUT,
    DPS_FAILURE_CONNECTION_REFUSED,  DPS_FAILURE_TLS_NAME,
    DPS_FAILURE_TLS_OTHER,           DPS_FAILURE_CLOSED,
    DPS_FAILURE_REQUEST_TIMEOUT,     DPS_FAILURE_ANSWER_TOO_LARGE,
    DPS_FAILURE_ANSWER_MALFORMED,    DPS_FAILURE_NOT_THE_SERVICE,
    DPS_FAILURE_THROTTLED,           DPS_FAILURE_SERVICE,
    DPS_FAILURE_ALLOCATION_FUNCTION, DPS_FAILURE_REGISTRATION_FAILED,
    DPS_FAILURE_UNKNOWN_STATUS,      DPS_FAILURE_REGISTRATION_TIMEOUT,
    DPS_FAILURE_OPERATION_LOST,      DPS_FAILURE_INTERNAL,
  };

  for (gsize i = 0; i < G_N_ELEMENTS (held); i++)
    g_assert_cmpint (plan (held[i], 1, 0, 0, TRUE).state, ==, DPS_STATE_HELD);
  for (gsize i = 0; i < G_N_ELEMENTS (backing_off); i++)
    for (gboolean network = FALSE; network <= TRUE; network++)
      g_assert_cmpint (plan (backing_off[i], 1, 0, 0, network).state,
                       ==,
                       DPS_STATE_BACKING_OFF);
}

static void
test_waiting_states (void)
{
  static const struct
  {
    DpsFailureKind kind;
    gboolean network;
    DpsState state;
  } table[] = {
    { DPS_FAILURE_PLUGIN_LATER, TRUE, DPS_STATE_WAITING_FOR_PLUGIN },
    { DPS_FAILURE_PLUGIN_LATER, FALSE, DPS_STATE_WAITING_FOR_PLUGIN },
    { DPS_FAILURE_TPM_NO_DEVICE, TRUE, DPS_STATE_WAITING_FOR_PLUGIN },
    { DPS_FAILURE_TPM_NO_DEVICE, FALSE, DPS_STATE_WAITING_FOR_PLUGIN },
    { DPS_FAILURE_TLS_TIME, TRUE, DPS_STATE_WAITING_FOR_TIME },
    { DPS_FAILURE_TLS_TIME, FALSE, DPS_STATE_WAITING_FOR_TIME },
    { DPS_FAILURE_NAME_UNKNOWN, FALSE, DPS_STATE_WAITING_FOR_NETWORK },
    { DPS_FAILURE_UNREACHABLE, FALSE, DPS_STATE_WAITING_FOR_NETWORK },
    { DPS_FAILURE_CONNECT_TIMEOUT, FALSE, DPS_STATE_WAITING_FOR_NETWORK },
    { DPS_FAILURE_NAME_UNKNOWN, TRUE, DPS_STATE_BACKING_OFF },
    { DPS_FAILURE_UNREACHABLE, TRUE, DPS_STATE_BACKING_OFF },
    { DPS_FAILURE_CONNECT_TIMEOUT, TRUE, DPS_STATE_BACKING_OFF },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_test_message ("%" G_GSIZE_FORMAT, i);
      g_assert_cmpint (plan (table[i].kind, 1, TOP, 0, table[i].network).state,
                       ==,
                       table[i].state);
    }
}

static void
test_backoff_grows (void)
{
  static const gint64 top[] = { 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600 };

  for (guint i = 0; i < G_N_ELEMENTS (top); i++)
    g_assert_cmpint (plan (DPS_FAILURE_SERVICE, i + 1, TOP, 0, TRUE).wait,
                     ==,
                     top[i] * SECOND);
  g_assert_cmpint (plan (DPS_FAILURE_SERVICE, G_MAXUINT, TOP, 0, TRUE).wait,
                   ==,
                   600 * SECOND);
  g_assert_cmpint (plan (DPS_FAILURE_SERVICE, 3, TOP / 2, 0, TRUE).wait, <, 4 * SECOND);
}

/* The service's Retry-After is never undercut, and never shortens a wait. */
static void
test_lower_bound (void)
{
  g_assert_cmpint (plan (DPS_FAILURE_THROTTLED, 1, 0, 120 * SECOND, TRUE).wait,
                   ==,
                   120 * SECOND);
  g_assert_cmpint (plan (DPS_FAILURE_THROTTLED, 9, TOP, 120 * SECOND, TRUE).wait,
                   ==,
                   512 * SECOND);
  g_assert_cmpint (plan (DPS_FAILURE_SERVICE, 1, 0, SECOND, TRUE).wait, ==, SECOND);
  g_assert_cmpint (plan (DPS_FAILURE_FORBIDDEN, 1, 0, SECOND, TRUE).wait, ==, 5 * MINUTE);
  g_assert_cmpint (plan (DPS_FAILURE_PLUGIN_LATER, 1, 0, 9 * SECOND, TRUE).wait,
                   ==,
                   9 * SECOND);
}

static void
test_splay (void)
{
  gint64 wait = dps_schedule_splay (3600);

  g_assert_cmpint (wait, >=, 0);
  g_assert_cmpint (wait, <, 3600 * SECOND);
  g_assert_cmpint (wait, ==, dps_schedule_splay (3600));
  g_assert_cmpint (dps_schedule_splay (0), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/schedule/every-kind-has-its-plan", test_every_kind);
  g_test_add_func ("/schedule/what-is-held", test_healing);
  g_test_add_func ("/schedule/waiting-states", test_waiting_states);
  g_test_add_func ("/schedule/back-off-grows-to-ten-minutes", test_backoff_grows);
  g_test_add_func ("/schedule/retry-after-is-a-lower-bound", test_lower_bound);
  g_test_add_func ("/schedule/splay-is-stable-and-bounded", test_splay);
  return g_test_run ();
}
