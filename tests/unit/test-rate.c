/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-rate.h"

#include <string.h>

#define MS G_GINT64_CONSTANT (1000)

/* Moments in ms, how many are asked for then, and how many of these are given. */
typedef struct
{
  uid_t uid;
  gint64 at;
  guint asked;
  guint given;
} Row;

static void
check (const Row *rows, gsize n, gint64 start)
{
  g_autoptr (DpsRate) rate = dps_rate_new ();

  for (gsize i = 0; i < n; i++)
    {
      guint given = 0;

      for (guint k = 0; k < rows[i].asked; k++)
        given += dps_rate_take (rate, rows[i].uid, start + rows[i].at * MS, NULL);
      g_test_message ("row %zu from %" G_GINT64_FORMAT, i, start);
      g_assert_cmpuint (given, ==, rows[i].given);
    }
}

static void
test_table (void)
{
  static const Row burst[] = { { 0, 0, 20, 20 }, { 0, 0, 1, 0 } };
  static const Row refill[] = {
    { 0, 0, 25, 20 },    { 0, 199, 1, 0 },  { 0, 200, 2, 1 },      { 0, 1200, 9, 5 },
    { 0, 5199, 30, 19 }, { 0, 5200, 2, 1 }, { 0, 900000, 30, 20 },
  };
  /* What is refused costs nothing. */
  static const Row refused[] = { { 0, 0, 1000, 20 }, { 0, 1000, 6, 5 } };
  static const Row spread[] = { { 0, 0, 1, 1 },
                                { 0, 100, 30, 19 },
                                { 0, 199, 1, 0 },
                                { 0, 200, 1, 1 } };
  static const Row users[] = { { 0, 0, 30, 20 },    { 7, 0, 30, 20 },
                               { 0, 200, 30, 1 },   { (uid_t) -2, 200, 30, 20 },
                               { 7, 4000, 30, 20 }, { 0, 4000, 30, 19 } };
  /* An uptime of 292 years and none. */
  static const gint64 starts[] = { 0, 1, G_MAXINT64 / 4 };

  for (gsize i = 0; i < G_N_ELEMENTS (starts); i++)
    {
      check (burst, G_N_ELEMENTS (burst), starts[i]);
      check (refill, G_N_ELEMENTS (refill), starts[i]);
      check (refused, G_N_ELEMENTS (refused), starts[i]);
      check (spread, G_N_ELEMENTS (spread), starts[i]);
      check (users, G_N_ELEMENTS (users), starts[i]);
    }
}

static void
test_error (void)
{
  g_autoptr (DpsRate) rate = dps_rate_new ();
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < DPS_RATE_BURST; i++)
    g_assert_true (dps_rate_take (rate, 0, 0, NULL));
  g_assert_false (dps_rate_take (rate, 0, 50 * MS, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
  g_assert_nonnull (strstr (error->message, "wait for 150 ms"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rate/table", test_table);
  g_test_add_func ("/rate/says-how-long-to-wait", test_error);
  return g_test_run ();
}
