/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-rate.h"
#include "common/dps-error.h"

#define INTERVAL (G_USEC_PER_SEC / DPS_RATE_PER_SECOND)
#define DEPTH ((gint64) DPS_RATE_BURST * INTERVAL)

/* A bucket is the moment at which it will be full again. */
struct _DpsRate
{
  GHashTable *full_at; /* uid → gint64 *; full ones may be missing */
};

DpsRate *
dps_rate_new (void)
{
  DpsRate *self = g_new0 (DpsRate, 1);

  self->full_at = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return self;
}

void
dps_rate_free (DpsRate *self)
{
  g_hash_table_unref (self->full_at);
  g_free (self);
}

static gboolean
is_full (gpointer uid, gpointer full_at, gpointer now)
{
  return *(gint64 *) full_at <= *(gint64 *) now;
}

gboolean
dps_rate_take (DpsRate *self, uid_t uid, gint64 now, GError **error)
{
  gint64 *full_at;

  g_hash_table_foreach_remove (self->full_at, is_full, &now);
  full_at = g_hash_table_lookup (self->full_at, GUINT_TO_POINTER (uid));
  if (full_at == NULL)
    {
      full_at = g_new (gint64, 1);
      *full_at = now;
      g_hash_table_insert (self->full_at, GUINT_TO_POINTER (uid), full_at);
    }
  if (*full_at + INTERVAL > now + DEPTH)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "user %u asks too often: %u at once, then %u in a second; wait for "
                   "%" G_GINT64_FORMAT " ms",
                   (guint) uid,
                   DPS_RATE_BURST,
                   DPS_RATE_PER_SECOND,
                   (*full_at + INTERVAL - now - DEPTH + 999) / 1000);
      return FALSE;
    }
  *full_at += INTERVAL;
  return TRUE;
}
