/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* When to ask again (design §7, dps-protocol §2.8). Pure: all times are µs, the random
 * numbers are the caller's and spread evenly over 0..G_MAXUINT32. */

/* No Retry-After. */
#define DPS_PACING_NONE G_GINT64_CONSTANT (-1)
#define DPS_PACING_RETRY_AFTER_MAX (300 * G_USEC_PER_SEC)

/* The service takes 5 polls per 10 s and device (§2.8). */
#define DPS_PACING_WINDOW (10 * G_USEC_PER_SEC)
#define DPS_PACING_WINDOW_POLLS 5

/* An HTTP-date in any of the forms of RFC 9110 §5.6.7 (IMF-fixdate, RFC 850, asctime), as
 * Unix time. now, Unix time too, decides the century of the two-digit year of RFC 850.
 * FALSE, *unix_time untouched, where text is NULL or anything else. */
gboolean dps_pacing_parse_date (const char *text, gint64 now, gint64 *unix_time);

/* The wait that a Retry-After asks for: seconds, or an HTTP-date against the answer's own
 * Date where that is one and against now (Unix time) where not. A date that is past is 0,
 * and more than 300 s is 300 s. DPS_PACING_NONE where value is NULL, negative or
 * garbage. */
gint64 dps_pacing_parse_retry_after (const char *value, const char *date, gint64 now);

/* The polls of a registration, operation after operation: the service's limit knows no
 * operations. All zero: nothing was polled yet. */
typedef struct
{
  guint done;                            /* in the operation under way */
  guint noted;                           /* of all */
  gint64 ended[DPS_PACING_WINDOW_POLLS]; /* the latest ones: poll i at i modulo size */
} DpsPollHistory;

/* A further operation begins; the window stays. */
void dps_poll_history_begin (DpsPollHistory *self);

/* Notes a poll whose answer came, or that failed, at now (any one monotonic clock). It is
 * the end that counts: the service saw the poll before that, so that however long each
 * travelled, the limit holds there too. */
void dps_poll_history_note (DpsPollHistory *self, gint64 now);

/* The wait from now until the next poll: retry_after if there is one, else 0.25, 0.5, 1,
 * 2, 2 s, then 2.5 s and up to 20 % more; and over both no more than 5 polls in any
 * 10 s. */
gint64 dps_pacing_next_poll (const DpsPollHistory *history,
                             gint64 retry_after,
                             gint64 now,
                             guint32 random);

/* Full-jitter exponential back-off: anything from 0 to 2 s after the first failure
 * (failures = 1), doubling to 10 min. A Retry-After is a lower bound that the caller
 * applies. */
gint64 dps_pacing_backoff (guint failures, guint32 random);

/* The slow schedule, for what an operator must heal: 5 to 30 min. */
gint64 dps_pacing_slow (guint32 random);

/* Where this device stands inside the splay, 0 to below splay_seconds: always the same
 * for the same device (any text that tells devices apart), evenly spread over many. */
gint64 dps_pacing_splay (const char *device, guint splay_seconds);
