/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-pacing.h"

#define SECOND G_GINT64_CONSTANT (1000000)
/* Mon, 23 Nov 2026 12:00:00 GMT */
#define NOW (G_GINT64_CONSTANT (1795435200) * SECOND)

static void
test_dates (void)
{
  static const struct
  {
    const char *text;
    gint64 unix_time; /* s; -1 = refused */
  } rows[] = {
    { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
    { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
    { "Sun Nov  6 08:49:37 1994", 784111777 },
    { "Mon, 23 Nov 2026 12:00:00 GMT", 1795435200 },
    { "Monday, 23-Nov-26 12:00:00 GMT", 1795435200 },
    { "Mon Nov 23 12:00:00 2026", 1795435200 },
    { "Wednesday, 25-Nov-76 12:00:00 GMT", 3373531200 }, /* 50 years ahead: kept */
    { "Friday, 25-Nov-77 12:00:00 GMT", 249307200 },     /* 51 ahead: the last century */
    { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228799 },
    { "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800 },
    { "Thu, 30 Feb 2024 00:00:00 GMT", -1 },
    { "Sun, 06 Nov 1994 24:00:00 GMT", -1 },
    { "Sun, 06 Nov 1994 08:60:00 GMT", -1 },
    { "Sun, 06 Nov 1994 08:49:61 GMT", -1 },
    { "Sun, 6 Nov 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 1994 08:49:37", -1 },
    { "Sun, 06 Nov 1994 08:49:37 CET", -1 },
    { "Sun, 06 Nov 1994 08:49:37 GMT ", -1 },
    { "Xyz, 06 Nov 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Nvo 1994 08:49:37 GMT", -1 },
    { "Sun, 06 Nov 0000 08:49:37 GMT", -1 },
    { "Sun Nov 6 08:49:37 1994", -1 },
    { "1994-11-06T08:49:37Z", -1 },
    { "Su", -1 },
    { "", -1 },
    { NULL, -1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      gint64 value = 42;
      gboolean parsed = dps_pacing_parse_date (rows[i].text, NOW, &value);

      g_test_message ("%s", rows[i].text);
      g_assert_cmpint (parsed, ==, rows[i].unix_time >= 0);
      g_assert_cmpint (value, ==, parsed ? rows[i].unix_time * SECOND : 42);
    }
}

static void
test_retry_after (void)
{
  static const char date[] = "Mon, 23 Nov 2026 11:00:00 GMT";
  static const struct
  {
    const char *value, *date;
    gint64 wait; /* s */
  } rows[] = {
    { "3", NULL, 3 },
    { "0", NULL, 0 },
    { " 7\t", NULL, 7 },
    { "007", NULL, 7 },
    { "300", NULL, 300 },
    { "301", NULL, 300 },
    { "4294967297", NULL, 300 },
    { "99999999999999999999999999", NULL, 300 },
    { "Mon, 23 Nov 2026 12:00:30 GMT", NULL, 30 },
    { "Mon, 23 Nov 2026 11:00:30 GMT", date, 30 }, /* theirs, not our clock */
    { "Mon, 23 Nov 2026 12:00:30 GMT", "yesterday", 30 },
    { "Monday, 23-Nov-26 11:00:05 GMT", date, 5 },
    { "Mon Nov 23 11:00:05 2026", date, 5 },
    { "Mon, 23 Nov 2026 10:59:59 GMT", date, 0 },
    { "Sun, 06 Nov 1994 08:49:37 GMT", date, 0 },
    { "Mon, 23 Nov 2026 11:05:01 GMT", date, 300 },
    { "Fri, 31 Dec 9999 23:59:59 GMT", date, 300 },
    { "-1", NULL, -1 },
    { "+1", NULL, -1 },
    { "1.5", NULL, -1 },
    { "3, 5", NULL, -1 },
    { "3s", NULL, -1 },
    { "soon", NULL, -1 },
    { "", NULL, -1 },
    { " ", NULL, -1 },
    { NULL, date, -1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      gint64 wait = dps_pacing_parse_retry_after (rows[i].value, rows[i].date, NOW);

      g_test_message ("%s against %s", rows[i].value, rows[i].date);
      g_assert_cmpint (wait,
                       ==,
                       rows[i].wait < 0 ? DPS_PACING_NONE : rows[i].wait * SECOND);
    }
}

/* Whatever bytes a header has, the answer is none or 0..300 s. */
static void
test_retry_after_any_bytes (void)
{
  static const char alphabet[] = "0123456789MonSun,: GMT-+.\x01\xff";

  for (guint round = 0; round < 20000; round++)
    {
      char text[40] = { 0 };
      guint length = (guint) g_test_rand_int_range (0, sizeof text);
      gint64 wait;

      for (guint i = 0; i < length; i++)
        text[i] = alphabet[g_test_rand_int_range (0, sizeof alphabet - 1)];
      wait = dps_pacing_parse_retry_after (text, text, NOW);
      g_assert_cmpint (wait, >=, DPS_PACING_NONE);
      g_assert_cmpint (wait, <=, DPS_PACING_RETRY_AFTER_MAX);
    }
}

static void
test_poll_schedule (void)
{
  /* No answer takes time here; from the sixth on the window rules: 0.25 + 10 s. */
  static const gint64 at[] = { 250000, 750000, 1750000, 3750000, 5750000, 10250001 };
  DpsPollHistory history = { 0 };
  gint64 now = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (at); i++)
    {
      now += dps_pacing_next_poll (&history, DPS_PACING_NONE, now, 0);
      g_assert_cmpint (now, ==, at[i]);
      dps_poll_history_note (&history, now);
    }
}

/* Where the window leaves room the steady pace is 2.5 s and up to 20 % more. */
static void
test_poll_jitter (void)
{
  DpsPollHistory history = { .done = 7, .noted = 7 };
  gint64 now = 1000 * SECOND;

  g_assert_cmpint (dps_pacing_next_poll (&history, DPS_PACING_NONE, now, 0), ==, 2500000);
  g_assert_cmpint (dps_pacing_next_poll (&history, DPS_PACING_NONE, now, G_MAXUINT32),
                   ==,
                   3000000);
  g_assert_cmpint (dps_pacing_next_poll (&history, DPS_PACING_NONE, now, G_MAXUINT32 / 2),
                   ==,
                   2749999);
}

/* Each operation is asked for early; what the ones before have used of the window counts.
 */
static void
test_poll_next_operation (void)
{
  DpsPollHistory history = { 0 };

  for (guint i = 1; i <= 4; i++)
    dps_poll_history_note (&history, i * SECOND);
  dps_poll_history_begin (&history);
  g_assert_cmpint (dps_pacing_next_poll (&history, DPS_PACING_NONE, 4 * SECOND, 0),
                   ==,
                   SECOND / 4);
  dps_poll_history_note (&history, 5 * SECOND);
  g_assert_cmpint (dps_pacing_next_poll (&history, DPS_PACING_NONE, 5 * SECOND, 0),
                   ==,
                   6 * SECOND + 1);
  g_assert_cmpint (dps_pacing_next_poll (&history, DPS_PACING_NONE, 20 * SECOND, 0),
                   ==,
                   SECOND / 2);
}

static void
test_poll_retry_after (void)
{
  DpsPollHistory history = { 0 };
  gint64 now = 50 * SECOND;

  g_assert_cmpint (dps_pacing_next_poll (&history, 0, now, 0), ==, 0);
  g_assert_cmpint (dps_pacing_next_poll (&history, 3 * SECOND, now, 0), ==, 3 * SECOND);
  g_assert_cmpint (dps_pacing_next_poll (&history, 999 * SECOND, now, 0),
                   ==,
                   300 * SECOND);

  for (guint i = 0; i < DPS_PACING_WINDOW_POLLS; i++)
    dps_poll_history_note (&history, now + i);
  g_assert_cmpint (dps_pacing_next_poll (&history, 0, now + 4, 0), ==, 10 * SECOND - 3);
  g_assert_cmpint (dps_pacing_next_poll (&history, 30 * SECOND, now + 4, 0),
                   ==,
                   30 * SECOND);
  /* A history out of the future holds nothing back for longer than one window. */
  g_assert_cmpint (dps_pacing_next_poll (&history, 0, 0, 0), ==, 10 * SECOND + 1);
}

static gint64
some_retry_after (guint stream)
{
  switch (stream)
    {
    case 0:
      return 0;
    case 1:
      return DPS_PACING_NONE;
    case 2:
      return g_test_rand_int_range (0, 4) * SECOND;
    case 3:
      return g_test_rand_int_range (0, 5000000);
    default:
      return g_test_rand_bit () ? DPS_PACING_NONE
                                : g_test_rand_int_range (0, 3) * SECOND / 2;
    }
}

/* Thousands of polls with every kind of Retry-After: neither here, where they are sent,
 * nor there, where each arrives after a journey of its own, are there ever six in 10 s.
 */
static void
test_poll_window (void)
{
  for (guint stream = 0; stream < 5; stream++)
    {
      DpsPollHistory history = { 0 };
      gint64 sent[4000], arrived[4000];
      gint64 now = 0;

      for (guint i = 0; i < G_N_ELEMENTS (sent); i++)
        {
          now += dps_pacing_next_poll (&history,
                                       some_retry_after (stream),
                                       now,
                                       (guint32) g_test_rand_int ());
          sent[i] = now;
          now += g_test_rand_int_range (0, 900000);
          arrived[i] = now;
          now += g_test_rand_int_range (0, 900000);
          dps_poll_history_note (&history, now);
          if (i < DPS_PACING_WINDOW_POLLS)
            continue;
          g_assert_cmpint (sent[i] - sent[i - 5], >, DPS_PACING_WINDOW);
          g_assert_cmpint (arrived[i] - arrived[i - 5], >, DPS_PACING_WINDOW);
        }
      /* And it does not wait for ever either: at worst 3 s, or what was asked for. */
      g_assert_cmpint (now, <, G_N_ELEMENTS (sent) * 7 * SECOND);
    }
}

static void
test_backoff (void)
{
  static const gint64 cap[] = { 2, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600 };

  for (guint i = 0; i < G_N_ELEMENTS (cap); i++)
    {
      g_assert_cmpint (dps_pacing_backoff (i, 0), ==, 0);
      g_assert_cmpint (dps_pacing_backoff (i, G_MAXUINT32), ==, cap[i] * SECOND);
      g_assert_cmpint (dps_pacing_backoff (i, 1u << 31) / 1000, ==, cap[i] * 500);
    }
  g_assert_cmpint (dps_pacing_backoff (G_MAXUINT, G_MAXUINT32), ==, 600 * SECOND);
}

static void
test_slow (void)
{
  g_assert_cmpint (dps_pacing_slow (0), ==, 300 * SECOND);
  g_assert_cmpint (dps_pacing_slow (G_MAXUINT32), ==, 1800 * SECOND);
  g_assert_cmpint (dps_pacing_slow (1u << 31) / SECOND, ==, 1050);
}

static void
test_splay (void)
{
  guint buckets[10] = { 0 };

  g_assert_cmpint (dps_pacing_splay ("dev-01", 0), ==, 0);
  g_assert_cmpint (dps_pacing_splay ("dev-01", 30), ==, dps_pacing_splay ("dev-01", 30));
  g_assert_cmpint (dps_pacing_splay ("dev-01", 30), !=, dps_pacing_splay ("dev-02", 30));
  /* The value itself may not change from release to release. */
  g_assert_cmpint (dps_pacing_splay ("dev-01", 30), ==, G_GINT64_CONSTANT (1206199));
  for (guint i = 0; i < 10000; i++)
    {
      g_autofree char *device = g_strdup_printf ("edge-host-%04u", i);
      gint64 splay = dps_pacing_splay (device, 30);

      g_assert_cmpint (splay, >=, 0);
      g_assert_cmpint (splay, <, 30 * SECOND);
      buckets[splay / (3 * SECOND)]++;
    }
  for (guint i = 0; i < G_N_ELEMENTS (buckets); i++)
    {
      g_assert_cmpuint (buckets[i], >, 850);
      g_assert_cmpuint (buckets[i], <, 1150);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pacing/date/all-three-forms", test_dates);
  g_test_add_func ("/pacing/retry-after/seconds-dates-garbage", test_retry_after);
  g_test_add_func ("/pacing/retry-after/any-bytes", test_retry_after_any_bytes);
  g_test_add_func ("/pacing/poll/schedule", test_poll_schedule);
  g_test_add_func ("/pacing/poll/jitter", test_poll_jitter);
  g_test_add_func ("/pacing/poll/next-operation", test_poll_next_operation);
  g_test_add_func ("/pacing/poll/retry-after", test_poll_retry_after);
  g_test_add_func ("/pacing/poll/never-six-in-ten-seconds", test_poll_window);
  g_test_add_func ("/pacing/backoff/full-jitter", test_backoff);
  g_test_add_func ("/pacing/slow/five-to-thirty-minutes", test_slow);
  g_test_add_func ("/pacing/splay/stable-and-even", test_splay);
  return g_test_run ();
}
