/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-renewal.h"

#define SECONDS(n) (G_GINT64_CONSTANT (n) * G_USEC_PER_SEC)
#define MINUTES(n) SECONDS (60 * n)
#define HOURS(n) SECONDS (3600 * n)
#define DAYS(n) SECONDS (86400 * n)

/* 2026-11-24; what counts is only what lies between. */
#define T0 SECONDS (1795478400)

typedef struct
{
  const char *name;
  gint64 lifetime;
  gint64 now; /* after its begin */
  DpsRenewal decision;
} Decision;

static const Decision decisions[] = {
  { "new", DAYS (30), 0, DPS_RENEWAL_LATER },
  { "before-80-percent", DAYS (30), DAYS (24) - 1, DPS_RENEWAL_LATER },
  { "after-85-percent", DAYS (30), DAYS (26), DPS_RENEWAL_DUE },
  { "a-moment-before-its-end", DAYS (30), DAYS (30) - 1, DPS_RENEWAL_DUE },
  { "at-its-end", DAYS (30), DAYS (30), DPS_RENEWAL_EXPIRED },
  { "months-offline", DAYS (30), DAYS (200), DPS_RENEWAL_EXPIRED },
  { "two-minutes/new", MINUTES (2), SECONDS (95), DPS_RENEWAL_LATER },
  { "two-minutes/due", MINUTES (2), SECONDS (102), DPS_RENEWAL_DUE },
  { "two-minutes/expired", MINUTES (2), MINUTES (2), DPS_RENEWAL_EXPIRED },
  { "ten-years/new", DAYS (3650), DAYS (2919), DPS_RENEWAL_LATER },
  { "ten-years/due", DAYS (3650), DAYS (3103), DPS_RENEWAL_DUE },
  { "not-begun", DAYS (30), -HOURS (1), DPS_RENEWAL_LATER },
  { "clock-put-back-for-years", DAYS (30), -DAYS (9000), DPS_RENEWAL_LATER },
  { "clock-of-1970", DAYS (30), -T0, DPS_RENEWAL_LATER },
  { "clock-put-ahead", DAYS (30), DAYS (36500), DPS_RENEWAL_EXPIRED },
  { "no-lifetime", 0, 0, DPS_RENEWAL_EXPIRED },
  { "no-lifetime/before", 0, -1, DPS_RENEWAL_LATER },
};

static void
test_decide (gconstpointer data)
{
  const Decision *row = data;
  const DpsValidity validity = { T0, T0 + row->lifetime };

  g_assert_cmpint (dps_renewal_decide (validity, "edge-1", T0 + row->now),
                   ==,
                   row->decision);
}

/* Never before 80 %, never after 85 %, the same again for the same device, and spread
 * over a fleet. */
static void
test_spread (void)
{
  static const gint64 lifetimes[] = { SECONDS (20),
                                      HOURS (1),
                                      DAYS (1),
                                      DAYS (90),
                                      DAYS (3650) };

  for (gsize i = 0; i < G_N_ELEMENTS (lifetimes); i++)
    {
      const DpsValidity validity = { T0, T0 + lifetimes[i] };
      const gint64 first = T0 + lifetimes[i] / 5 * 4;
      const gint64 spread = lifetimes[i] / 20;
      guint in_quarter[4] = { 0 };

      for (guint device = 0; device < 4000; device++)
        {
          g_autofree char *name = g_strdup_printf ("edge-%u", device);
          gint64 due = dps_renewal_due (validity, name);

          g_assert_cmpint (due, >=, first);
          g_assert_cmpint (due, <=, first + spread);
          g_assert_cmpint (due, ==, dps_renewal_due (validity, name));
          in_quarter[MIN ((due - first) * 4 / spread, 3)]++;
        }
      for (guint quarter = 0; quarter < 4; quarter++)
        g_assert_cmpuint (in_quarter[quarter], >, 800);
    }
}

typedef struct
{
  const char *name;
  gint64 left;
  gint64 backoff;
  gint64 asked;
  gint64 least, most;
} Retry;

static const Retry retries[] = {
  { "weeks", DAYS (18), SECONDS (2), 0, HOURS (18), DAYS (1) },
  { "a-day", DAYS (1), SECONDS (2), 0, HOURS (4), HOURS (6) },
  { "an-hour", HOURS (1), SECONDS (2), 0, MINUTES (11), MINUTES (15) },
  { "no-denser-than-backoff",
    MINUTES (8),
    MINUTES (10) / 2,
    0,
    MINUTES (5),
    MINUTES (5) },
  { "slow-schedule", DAYS (18), MINUTES (30), 0, HOURS (18), DAYS (1) },
  { "slow-schedule/near-the-end",
    HOURS (1),
    MINUTES (30),
    0,
    MINUTES (30),
    MINUTES (30) },
  { "at-the-end-at-the-latest", MINUTES (3), MINUTES (30), 0, MINUTES (3), MINUTES (3) },
  { "the-service-asks", HOURS (1), SECONDS (2), HOURS (2), HOURS (2), HOURS (2) },
  { "the-service-asks-for-less",
    HOURS (1),
    SECONDS (2),
    SECONDS (9),
    MINUTES (11),
    MINUTES (15) },
  { "the-service-asks/at-the-end",
    MINUTES (1),
    SECONDS (2),
    MINUTES (5),
    MINUTES (5),
    MINUTES (5) },
  { "expired", 0, SECONDS (4), 0, SECONDS (4), SECONDS (4) },
  { "long-expired", -DAYS (100), MINUTES (7), 0, MINUTES (7), MINUTES (7) },
  { "expired/the-service-asks",
    -DAYS (1),
    SECONDS (4),
    MINUTES (5),
    MINUTES (5),
    MINUTES (5) },
  { "years", DAYS (9000), SECONDS (2), 0, HOURS (18), DAYS (1) },
};

static void
test_retry (gconstpointer data)
{
  const Retry *row = data;
  const DpsValidity validity = { T0 - DAYS (400), T0 };
  static const guint32 randoms[] = { 0, 1, 0x7fffffff, 0xfffffffe, G_MAXUINT32 };

  for (gsize i = 0; i < G_N_ELEMENTS (randoms); i++)
    {
      gint64 wait = dps_renewal_retry (validity,
                                       T0 - row->left,
                                       row->backoff,
                                       row->asked,
                                       randoms[i]);

      g_assert_cmpint (wait, >=, row->least);
      g_assert_cmpint (wait, <=, row->most);
    }
  if (row->least < row->most)
    g_assert_cmpint (dps_renewal_retry (validity,
                                        T0 - row->left,
                                        row->backoff,
                                        row->asked,
                                        0),
                     !=,
                     dps_renewal_retry (validity,
                                        T0 - row->left,
                                        row->backoff,
                                        row->asked,
                                        G_MAXUINT32));
}

/* A service that is away for good: how often it is asked, with a back-off of ten minutes,
 * from the time a certificate of ninety days is due until it ends. */
static void
test_denser (void)
{
  const DpsValidity validity = { T0, T0 + DAYS (90) };
  gint64 now = dps_renewal_due (validity, "edge-1");
  gint64 before = G_MAXINT64;
  guint tries = 0;

  while (now < validity.not_after)
    {
      gint64 wait = dps_renewal_retry (validity, now, MINUTES (10), 0, G_MAXUINT32 / 2);

      g_assert_cmpint (wait, <=, before);
      g_assert_true (wait >= MINUTES (10) || now + wait == validity.not_after);
      before = wait;
      now += wait;
      tries++;
    }
  g_assert_cmpint (now, ==, validity.not_after);
  g_test_message ("FIGURE renewals tried in the last fifth of 90 days: %u", tries);
  g_assert_cmpuint (tries, >=, 20);
  g_assert_cmpuint (tries, <=, 60);
}

static void
test_alarm (void)
{
  const DpsValidity validity = { T0, T0 + DAYS (30) };

  g_assert_cmpint (dps_renewal_alarm (validity), ==, T0 + DAYS (27));
  g_assert_cmpint (dps_renewal_alarm (validity), >, dps_renewal_due (validity, "edge-1"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (decisions); i++)
    {
      g_autofree char *path = g_strdup_printf ("/renewal/decide/%s", decisions[i].name);

      g_test_add_data_func (path, &decisions[i], test_decide);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (retries); i++)
    {
      g_autofree char *path = g_strdup_printf ("/renewal/retry/%s", retries[i].name);

      g_test_add_data_func (path, &retries[i], test_retry);
    }
  g_test_add_func ("/renewal/spread", test_spread);
  g_test_add_func ("/renewal/denser-towards-its-end", test_denser);
  g_test_add_func ("/renewal/alarm", test_alarm);
  return g_test_run ();
}
