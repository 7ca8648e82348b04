/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-follow.h"
#include "cli/dps-ctl-output.h"
#include "cli/dps-ctl-progress.h"

#include <gio/gio.h>

static void
test_escape (void)
{
  static const struct
  {
    const char *text;
    const char *shown;
  } rows[] = {
    { "", "" },
    { "gateway-17", "gateway-17" },
    { "Gerät 本", "Gerät 本" },
    { "a\nb\tc\r", "a\\u{a}b\\u{9}c\\u{d}" },
    { "\x1b[31m\x7f", "\\u{1b}[31m\\u{7f}" },
    { "\xc2\x9b"
      "2J",
      "\\u{9b}2J" },
    { "abc\u202etxt\u2066", "abc\\u{202e}txt\\u{2066}" },
    { "\u200b\u2028\u2029\ufeff", "\\u{200b}\\u{2028}\\u{2029}\\u{feff}" },
    { "cut\xe2\x80", "cut\\xe2\\x80" },
    { "bad\xff!", "bad\\xff!" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *shown = dps_ctl_escape (rows[i].text);

      g_assert_cmpstr (shown, ==, rows[i].shown);
    }
}

static void
test_time (void)
{
  static const guint64 now = G_GUINT64_CONSTANT (1893553445000000);
  static const struct
  {
    guint64 time;
    const char *text;
  } rows[] = {
    { 0, "-" },
    { now, "2030-01-02T03:04:05Z (0 s ago)" },
    { now + 42 * G_USEC_PER_SEC, "2030-01-02T03:04:47Z (in 42 s)" },
    { now + 119 * G_USEC_PER_SEC, "2030-01-02T03:06:04Z (in 119 s)" },
    { now + 120 * G_USEC_PER_SEC, "2030-01-02T03:06:05Z (in 2 min)" },
    { now - 7200 * (guint64) G_USEC_PER_SEC, "2030-01-02T01:04:05Z (2 h ago)" },
    { G_MAXUINT64, "18446744073709551615 us (in 213482066 d)" },
    { now - 172800 * (guint64) G_USEC_PER_SEC, "2029-12-31T03:04:05Z (2 d ago)" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text = dps_ctl_format_time (rows[i].time, now);

      g_assert_cmpstr (text, ==, rows[i].text);
    }
}

static void
test_cut (void)
{
  static const struct
  {
    const char *line;
    guint columns;
    const char *cut;
    guint used;
  } rows[] = {
    { "registering", 80, "registering", 11 },
    { "registering", 3, "reg", 3 },
    { "本本", 3, "本", 2 },
    { "e\u0301e", 1, "e\u0301", 1 },
    { "", 10, "", 0 },
    { "x", 0, "", 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint used;
      g_autofree char *cut = dps_ctl_progress_cut (rows[i].line, rows[i].columns, &used);

      g_assert_cmpstr (cut, ==, rows[i].cut);
      g_assert_cmpuint (used, ==, rows[i].used);
    }
}

/* What GDBus finds out by itself, without a word from the bus. */
static void
test_local_errors (void)
{
  static const struct
  {
    GIOErrorEnum code;
    DpsCtlExit exit;
    const char *name;
    const char *remedy;
  } rows[] = {
    { G_IO_ERROR_TIMED_OUT,
      DPS_CTL_EXIT_TIMED_OUT,
      "org.freedesktop.DBus.Error.NoReply",
      "*systemctl status dps-agent*" },
    { G_IO_ERROR_CLOSED,
      DPS_CTL_EXIT_FAILED,
      "org.freedesktop.DBus.Error.Disconnected",
      "*systemctl status dbus*" },
    { G_IO_ERROR_NOT_FOUND,
      DPS_CTL_EXIT_FAILED,
      "org.freedesktop.DBus.Error.NoServer",
      "*systemctl status dbus*" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error =
          g_error_new_literal (G_IO_ERROR, rows[i].code, "what happened");
      g_autoptr (DpsCtlFailure) failure = dps_ctl_failure_from_error (error);

      g_assert_cmpint (failure->exit, ==, rows[i].exit);
      g_assert_cmpstr (failure->name, ==, rows[i].name);
      g_assert_true (g_pattern_match_simple (rows[i].remedy, failure->remedy));
    }
}

static void
test_code (void)
{
  static const struct
  {
    const char *message;
    const char *code;
    const char *rest;
  } rows[] = {
    { "DPS-E401 the key is wrong", "DPS-E401", "the key is wrong" },
    { "DPS-E401: the key is wrong", "DPS-E401", "the key is wrong" },
    { "DPS-ESTORE-FULL no space", "DPS-ESTORE-FULL", "no space" },
    { "DPS-E\x1b[2J x", "", "DPS-E\x1b[2J x" },
    { "DPS-E", "", "DPS-E" },
    { "the key DPS-E401", "", "the key DPS-E401" },
    { "", "", "org.dpsagent.Error.Failed" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error =
          g_dbus_error_new_for_dbus_error ("org.dpsagent.Error.Failed", rows[i].message);
      g_autoptr (DpsCtlFailure) failure = dps_ctl_failure_from_error (error);

      g_assert_cmpstr (failure->code, ==, rows[i].code);
      g_assert_cmpstr (failure->message, ==, rows[i].rest);
    }
}

#define ON DPS_CTL_VERDICT_GOES_ON

static void
test_judge (void)
{
  static const DpsCtlFollow look = { .timeout = -1 };
  static const DpsCtlFollow asked = { .timeout = -1, .asked = TRUE };
  static const DpsCtlFollow again = { .timeout = -1, .asked = TRUE, .again = TRUE };
  static const DpsCtlSeen nothing = { 0 };
  static const DpsCtlSeen moved = { .moved = TRUE };
  static const DpsCtlSeen active = { .moved = TRUE, .active = TRUE };
  static const DpsCtlSeen settled = { .settled = TRUE };
  static const struct
  {
    const DpsCtlFollow *how;
    const DpsCtlSeen *seen;
    const char *state;
    guint64 next;
    DpsCtlVerdict verdict;
  } rows[] = {
    { &look, &nothing, "provisioned", 0, DPS_CTL_VERDICT_PROVISIONED },
    { &look, &nothing, "held", 5, DPS_CTL_VERDICT_HELD },
    { &look, &nothing, "unconfigured", 0, DPS_CTL_VERDICT_UNCONFIGURED },
    { &look, &active, "idle", 0, ON },
    { &look, &settled, "idle", 0, ON },
    { &look, &nothing, "backing-off", 5, ON },
    { &look, &nothing, "of-a-later-version", 0, ON },
    { &asked, &nothing, "provisioned", 0, DPS_CTL_VERDICT_PROVISIONED },
    { &asked, &nothing, "held", 5, ON },
    { &asked, &moved, "held", 5, DPS_CTL_VERDICT_HELD },
    { &asked, &settled, "held", 5, DPS_CTL_VERDICT_HELD },
    { &asked, &nothing, "unconfigured", 0, ON },
    { &asked, &settled, "unconfigured", 0, DPS_CTL_VERDICT_UNCONFIGURED },
    { &asked, &nothing, "idle", 0, ON },
    { &asked, &moved, "idle", 0, ON },
    { &asked, &active, "idle", 0, DPS_CTL_VERDICT_ENDED },
    { &asked, &active, "idle", 5, ON },
    { &asked, &settled, "idle", 0, DPS_CTL_VERDICT_ENDED },
    { &again, &nothing, "provisioned", 0, ON },
    { &again, &active, "provisioned", 0, DPS_CTL_VERDICT_PROVISIONED },
    { &again, &settled, "provisioned", 0, DPS_CTL_VERDICT_PROVISIONED },
    { &again, &active, "registering", 0, ON },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_test_message ("%" G_GSIZE_FORMAT ": %s", i, rows[i].state);
      g_assert_cmpint (dps_ctl_follow_judge (rows[i].how,
                                             rows[i].seen,
                                             rows[i].state,
                                             rows[i].next),
                       ==,
                       rows[i].verdict);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/escape/nothing-that-moves-the-cursor", test_escape);
  g_test_add_func ("/cli/time/absolute-and-relative", test_time);
  g_test_add_func ("/cli/progress/cut-to-columns", test_cut);
  g_test_add_func ("/cli/failure/local-errors-have-remedies", test_local_errors);
  g_test_add_func ("/cli/failure/code-is-the-first-word", test_code);
  g_test_add_func ("/cli/follow/verdict-table", test_judge);
  return g_test_run ();
}
