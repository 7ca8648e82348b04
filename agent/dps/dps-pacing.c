/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-pacing.h"

#include <string.h>

#define SECONDS(n) ((n) *G_GINT64_CONSTANT (1000000))
#define HEADER_MAX 128

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char short_days[] = "MonTueWedThuFriSatSun";
static const char *const long_days[] = { "Monday", "Tuesday",  "Wednesday", "Thursday",
                                         "Friday", "Saturday", "Sunday" };

typedef struct
{
  int year, month, day, hour, minute, second;
} Fields;

/* Each take_* moves *at behind what it took, or returns FALSE. */

static gboolean
take_text (const char **at, const char *text)
{
  gsize length = strlen (text);

  if (strncmp (*at, text, length) != 0)
    return FALSE;
  *at += length;
  return TRUE;
}

static gboolean
take_number (const char **at, guint digits, int *value)
{
  *value = 0;
  for (guint i = 0; i < digits; i++, (*at)++)
    {
      if (!g_ascii_isdigit (**at))
        return FALSE;
      *value = *value * 10 + (**at - '0');
    }
  return TRUE;
}

/* One of the three-letter words in table; *index counts from 1. */
static gboolean
take_word (const char **at, const char *table, int *index)
{
  for (gsize i = 0; table[i] != '\0'; i += 3)
    if (strncmp (*at, table + i, 3) == 0)
      {
        *index = (int) (i / 3) + 1;
        *at += 3;
        return TRUE;
      }
  return FALSE;
}

static gboolean
take_time (const char **at, Fields *f)
{
  return take_number (at, 2, &f->hour) && take_text (at, ":") &&
         take_number (at, 2, &f->minute) && take_text (at, ":") &&
         take_number (at, 2, &f->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static gboolean
parse_imf (const char *at, Fields *f)
{
  int weekday;

  return take_word (&at, short_days, &weekday) && take_text (&at, ", ") &&
         take_number (&at, 2, &f->day) && take_text (&at, " ") &&
         take_word (&at, months, &f->month) && take_text (&at, " ") &&
         take_number (&at, 4, &f->year) && take_text (&at, " ") && take_time (&at, f) &&
         take_text (&at, " GMT") && *at == '\0';
}

static gboolean
take_long_day (const char **at)
{
  for (gsize i = 0; i < G_N_ELEMENTS (long_days); i++)
    if (take_text (at, long_days[i]))
      return TRUE;
  return FALSE;
}

/* Sunday, 06-Nov-94 08:49:37 GMT. A year that looks more than 50 years ahead is the most
 * recent one with the same two digits. */
static gboolean
parse_rfc850 (const char *at, int this_year, Fields *f)
{
  if (!take_long_day (&at) || !take_text (&at, ", ") || !take_number (&at, 2, &f->day) ||
      !take_text (&at, "-") || !take_word (&at, months, &f->month) ||
      !take_text (&at, "-") || !take_number (&at, 2, &f->year) || !take_text (&at, " ") ||
      !take_time (&at, f) || !take_text (&at, " GMT") || *at != '\0')
    return FALSE;
  f->year += this_year / 100 * 100;
  if (f->year > this_year + 50)
    f->year -= 100;
  return TRUE;
}

/* Sun Nov  6 08:49:37 1994 */
static gboolean
parse_asctime (const char *at, Fields *f)
{
  int weekday;

  return take_word (&at, short_days, &weekday) && take_text (&at, " ") &&
         take_word (&at, months, &f->month) && take_text (&at, " ") &&
         (take_text (&at, " ") ? take_number (&at, 1, &f->day)
                               : take_number (&at, 2, &f->day)) &&
         take_text (&at, " ") && take_time (&at, f) && take_text (&at, " ") &&
         take_number (&at, 4, &f->year) && *at == '\0';
}

gboolean
dps_pacing_parse_date (const char *text, gint64 now, gint64 *unix_time)
{
  g_autoptr (GDateTime) today = g_date_time_new_from_unix_utc (now / G_USEC_PER_SEC);
  g_autoptr (GDateTime) parsed = NULL;
  int this_year = today != NULL ? g_date_time_get_year (today) : 1970;
  Fields f = { 0 };

  if (text == NULL || strlen (text) > HEADER_MAX)
    return FALSE;
  if (!parse_imf (text, &f) && !parse_rfc850 (text, this_year, &f) &&
      !parse_asctime (text, &f))
    return FALSE;

  /* A leap second has no place in Unix time. */
  parsed = g_date_time_new_utc (f.year,
                                f.month,
                                f.day,
                                f.hour,
                                f.minute,
                                f.second == 60 ? 59 : f.second);
  if (parsed == NULL)
    return FALSE;
  *unix_time = g_date_time_to_unix (parsed) * G_USEC_PER_SEC;
  return TRUE;
}

static gint64
parse_seconds (const char *digits)
{
  gint64 seconds = 0;

  for (const char *p = digits; *p != '\0'; p++)
    {
      if (!g_ascii_isdigit (*p))
        return DPS_PACING_NONE;
      seconds = MIN (seconds * 10 + (*p - '0'), DPS_PACING_RETRY_AFTER_MAX);
    }
  return MIN (seconds * G_USEC_PER_SEC, DPS_PACING_RETRY_AFTER_MAX);
}

gint64
dps_pacing_parse_retry_after (const char *value, const char *date, gint64 now)
{
  g_autofree char *text = NULL;
  gint64 until, since;

  if (value == NULL || strlen (value) > HEADER_MAX)
    return DPS_PACING_NONE;
  text = g_strstrip (g_strdup (value));
  if (g_ascii_isdigit (text[0]))
    return parse_seconds (text);
  if (!dps_pacing_parse_date (text, now, &until))
    return DPS_PACING_NONE;
  if (!dps_pacing_parse_date (date, now, &since))
    since = now;
  return CLAMP (until - since, 0, DPS_PACING_RETRY_AFTER_MAX);
}

/* span · random / G_MAXUINT32 without overflow: every span here is below 2^31 µs. */
static gint64
part_of (gint64 span, guint32 random)
{
  return (gint64) (((guint64) span * random) / G_MAXUINT32);
}

void
dps_poll_history_begin (DpsPollHistory *self)
{
  self->done = 0;
}

void
dps_poll_history_note (DpsPollHistory *self, gint64 now)
{
  self->ended[self->noted % DPS_PACING_WINDOW_POLLS] = now;
  self->noted++;
  self->done++;
}

/* How long the window keeps the next poll back. */
static gint64
window_wait (const DpsPollHistory *history, gint64 now)
{
  gint64 oldest;

  if (history->noted < DPS_PACING_WINDOW_POLLS)
    return 0;
  /* The slot that the next poll will overwrite has the fifth last one. One µs more, so
   * that a window of 10 s including both ends has no sixth. */
  oldest = history->ended[history->noted % DPS_PACING_WINDOW_POLLS];
  return CLAMP (oldest + DPS_PACING_WINDOW + 1 - now, 0, DPS_PACING_WINDOW + 1);
}

gint64
dps_pacing_next_poll (const DpsPollHistory *history,
                      gint64 retry_after,
                      gint64 now,
                      guint32 random)
{
  static const gint64 first[] = { SECONDS (1) / 4,
                                  SECONDS (1) / 2,
                                  SECONDS (1),
                                  SECONDS (2),
                                  SECONDS (2) };
  gint64 wait;

  g_return_val_if_fail (history != NULL, 0);

  if (retry_after >= 0)
    wait = MIN (retry_after, DPS_PACING_RETRY_AFTER_MAX);
  else if (history->done < G_N_ELEMENTS (first))
    wait = first[history->done];
  else
    wait = SECONDS (5) / 2 + part_of (SECONDS (1) / 2, random);
  return MAX (wait, window_wait (history, now));
}

gint64
dps_pacing_backoff (guint failures, guint32 random)
{
  guint doublings = CLAMP (failures, 1, 10) - 1;

  return part_of (MIN (SECONDS (2) << doublings, SECONDS (600)), random);
}

gint64
dps_pacing_slow (guint32 random)
{
  return SECONDS (5 * 60) + part_of (SECONDS (25 * 60), random);
}

gint64
dps_pacing_splay (const char *device, guint splay_seconds)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize size = sizeof digest;
  guint64 hash = 0;

  g_return_val_if_fail (device != NULL, 0);

  if (splay_seconds == 0)
    return 0;
  g_checksum_update (checksum, (const guchar *) "dps-splay", -1);
  g_checksum_update (checksum, (const guchar *) device, -1);
  g_checksum_get_digest (checksum, digest, &size);
  for (gsize i = 0; i < sizeof hash; i++)
    hash = hash << 8 | digest[i];
  return (gint64) (hash % ((guint64) splay_seconds * G_USEC_PER_SEC));
}
