/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-sessions.h"

#include <curl/curl.h>

/* A host has an identity for the service and one for its hub, seldom a new one. */
#define IDENTITIES_MAX 4

struct _DpsHttpShare
{
  gatomicrefcount refs;
  CURLSH *curl;
  GMutex locks[CURL_LOCK_DATA_LAST];
};

struct _DpsHttpSessions
{
  gatomicrefcount refs;
  GMutex lock;        /* of what follows */
  GHashTable *shares; /* identity, "" = none → DpsHttpShare */
  char *trust;
  gint64 since;
};

/* ---- one generation of sessions ---- */

static void
on_lock (CURL *curl, curl_lock_data data, curl_lock_access access, void *user_data)
{
  DpsHttpShare *self = user_data;

  g_mutex_lock (&self->locks[data]);
}

static void
on_unlock (CURL *curl, curl_lock_data data, void *user_data)
{
  DpsHttpShare *self = user_data;

  g_mutex_unlock (&self->locks[data]);
}

void
dps_http_share_unref (DpsHttpShare *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->curl != NULL)
    curl_share_cleanup (self->curl);
  for (gsize i = 0; i < G_N_ELEMENTS (self->locks); i++)
    g_mutex_clear (&self->locks[i]);
  g_free (self);
}

#define SET(option, value)                                                               \
  (curl_share_setopt (self->curl, CURLSHOPT_##option, value) == CURLSHE_OK)

static DpsHttpShare *
share_new (void)
{
  DpsHttpShare *self = g_new0 (DpsHttpShare, 1);

  g_atomic_ref_count_init (&self->refs);
  for (gsize i = 0; i < G_N_ELEMENTS (self->locks); i++)
    g_mutex_init (&self->locks[i]);
  self->curl = curl_share_init ();
  if (self->curl != NULL && SET (USERDATA, self) && SET (LOCKFUNC, on_lock) &&
      SET (UNLOCKFUNC, on_unlock) && SET (SHARE, CURL_LOCK_DATA_SSL_SESSION))
    return self;
  dps_http_share_unref (self);
  return NULL;
}

void *
dps_http_share_get_handle (DpsHttpShare *self)
{
  return self->curl;
}

/* ---- which generation is in force ---- */

DpsHttpSessions *
dps_http_sessions_new (void)
{
  DpsHttpSessions *self = g_new0 (DpsHttpSessions, 1);

  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->shares = g_hash_table_new_full (g_str_hash,
                                        g_str_equal,
                                        g_free,
                                        (GDestroyNotify) dps_http_share_unref);
  return self;
}

DpsHttpSessions *
dps_http_sessions_ref (DpsHttpSessions *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
drop (DpsHttpSessions *self)
{
  g_hash_table_remove_all (self->shares);
  g_clear_pointer (&self->trust, g_free);
}

void
dps_http_sessions_unref (DpsHttpSessions *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  drop (self);
  g_hash_table_unref (self->shares);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
dps_http_sessions_clear (DpsHttpSessions *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  drop (self);
}

DpsHttpShare *
dps_http_sessions_get (DpsHttpSessions *self,
                       const char *trust,
                       const char *identity,
                       gint64 now)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  const char *key = identity != NULL ? identity : "";
  DpsHttpShare *share;

  if (g_strcmp0 (self->trust, trust) != 0 || now - self->since >= DPS_HTTP_SESSIONS_AGE)
    drop (self);
  share = g_hash_table_lookup (self->shares, key);
  if (share == NULL && g_hash_table_size (self->shares) >= IDENTITIES_MAX)
    drop (self);
  if (self->trust == NULL)
    {
      self->trust = g_strdup (trust);
      self->since = now;
    }
  if (share == NULL)
    {
      share = share_new ();
      if (share == NULL)
        return NULL;
      g_hash_table_insert (self->shares, g_strdup (key), share);
    }
  g_atomic_ref_count_inc (&share->refs);
  return share;
}
