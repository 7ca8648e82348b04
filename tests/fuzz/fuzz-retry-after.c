/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-pacing.h"
#include "target.h"

#include <string.h>

/* The value of Retry-After, and behind a line feed that of Date. */

#define NOW (G_GINT64_CONSTANT (1795000000) * G_USEC_PER_SEC)

int
LLVMFuzzerTestOneInput (const guint8 *bytes, gsize size)
{
  g_autofree char *text =
      size > 0 ? g_strndup ((const char *) bytes, size) : g_strdup ("");
  char *date = strchr (text, '\n');
  DpsPollHistory history = { 0 };
  gint64 wait, parsed, again;

  if (date != NULL)
    *date++ = '\0';
  wait = dps_pacing_parse_retry_after (text, date, NOW);
  g_assert_true (wait == DPS_PACING_NONE ||
                 (wait >= 0 && wait <= DPS_PACING_RETRY_AFTER_MAX));
  if (wait >= 0 && g_ascii_isdigit (*g_strchug (text)))
    g_assert_cmpint (wait % G_USEC_PER_SEC, ==, 0);
  g_assert_cmpint (dps_pacing_next_poll (&history, wait, NOW, 0), >=, 0);
  g_assert_cmpint (dps_pacing_next_poll (&history, wait, NOW, G_MAXUINT32),
                   <=,
                   DPS_PACING_RETRY_AFTER_MAX);
  if (dps_pacing_parse_date (text, NOW, &parsed))
    {
      static const char *const days[] = {
        "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"
      };
      static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
      g_autoptr (GDateTime) time =
          g_date_time_new_from_unix_utc (parsed / G_USEC_PER_SEC);
      g_autofree char *written = NULL;

      g_assert_nonnull (time);
      written = g_strdup_printf ("%s, %02d %s %04d %02d:%02d:%02d GMT",
                                 days[g_date_time_get_day_of_week (time) - 1],
                                 g_date_time_get_day_of_month (time),
                                 months[g_date_time_get_month (time) - 1],
                                 g_date_time_get_year (time),
                                 g_date_time_get_hour (time),
                                 g_date_time_get_minute (time),
                                 g_date_time_get_second (time));
      g_assert_true (dps_pacing_parse_date (written, NOW, &again));
      g_assert_cmpint (again, ==, parsed);
    }
  return 0;
}
