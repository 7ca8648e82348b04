/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-challenges.h"

struct _EmChallenges
{
  GQueue all; /* EmChallenge, newest first */
};

static void
challenge_free (EmChallenge *challenge)
{
  g_free (challenge->registration_id);
  g_bytes_unref (challenge->key);
  g_free (challenge);
}

EmChallenges *
em_challenges_new (void)
{
  return g_new0 (EmChallenges, 1);
}

void
em_challenges_free (EmChallenges *self)
{
  g_queue_clear_full (&self->all, (GDestroyNotify) challenge_free);
  g_free (self);
}

static void
drop_old (EmChallenges *self, gint64 now)
{
  EmChallenge *oldest;

  while ((oldest = g_queue_peek_tail (&self->all)) != NULL &&
         oldest->made + EM_CHALLENGE_SECONDS <= now)
    challenge_free (g_queue_pop_tail (&self->all));
}

static gboolean
is_for (const EmChallenge *challenge, const char *id, const EmTpmPublic *ek)
{
  return g_ascii_strcasecmp (challenge->registration_id, id) == 0 &&
         em_tpm_public_equal (&challenge->host.ek, ek);
}

/* Makes room for one more of this registration. */
static void
drop_surplus (EmChallenges *self, const char *id, const EmTpmPublic *ek)
{
  guint found = 0;

  for (GList *l = self->all.head, *next; l != NULL; l = next)
    {
      next = l->next;
      if (!is_for (l->data, id, ek) || ++found < EM_CHALLENGES_EACH)
        continue;
      challenge_free (l->data);
      g_queue_delete_link (&self->all, l);
    }
  if (g_queue_get_length (&self->all) >= EM_CHALLENGES_MAX)
    challenge_free (g_queue_pop_tail (&self->all));
}

void
em_challenges_add (EmChallenges *self,
                   const char *registration_id,
                   const EmTpmHost *host,
                   GBytes *key,
                   gint64 now)
{
  EmChallenge *challenge = g_new0 (EmChallenge, 1);

  drop_old (self, now);
  drop_surplus (self, registration_id, &host->ek);

  challenge->registration_id = g_strdup (registration_id);
  challenge->host = *host;
  challenge->key = g_bytes_ref (key);
  challenge->made = now;
  g_queue_push_head (&self->all, challenge);
}

GPtrArray *
em_challenges_find (EmChallenges *self,
                    const char *registration_id,
                    const EmTpmPublic *ek,
                    gint64 now)
{
  GPtrArray *found = g_ptr_array_new ();

  drop_old (self, now);
  for (GList *l = self->all.head; l != NULL; l = l->next)
    if (is_for (l->data, registration_id, ek))
      g_ptr_array_add (found, l->data);
  return found;
}

guint
em_challenges_count (EmChallenges *self)
{
  return g_queue_get_length (&self->all);
}
