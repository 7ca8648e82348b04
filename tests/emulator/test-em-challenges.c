/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-challenges.h"

#include <string.h>

#define START 1000

/* A host whose keys have these Names; nothing here looks at the rest. */
static EmTpmHost
make_host (guint8 ek)
{
  EmTpmHost host = { 0 };

  memset (host.ek.name, ek, sizeof host.ek.name);
  return host;
}

static void
add (EmChallenges *challenges, const char *id, guint8 ek, guint number, gint64 now)
{
  EmTpmHost host = make_host (ek);
  g_autoptr (GBytes) key = g_bytes_new (&number, sizeof number);

  em_challenges_add (challenges, id, &host, key, now);
}

/* The numbers of those found, newest first. */
static char *
find (EmChallenges *challenges, const char *id, guint8 ek, gint64 now)
{
  EmTpmHost host = make_host (ek);
  g_autoptr (GPtrArray) found = em_challenges_find (challenges, id, &host.ek, now);
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < found->len; i++)
    {
      const EmChallenge *challenge = found->pdata[i];
      guint number;

      memcpy (&number, g_bytes_get_data (challenge->key, NULL), sizeof number);
      g_string_append_printf (out, "%u ", number);
    }
  return g_string_free (out, FALSE);
}

static void
assert_found (EmChallenges *challenges,
              const char *id,
              guint8 ek,
              gint64 now,
              const char *wanted)
{
  g_autofree char *found = find (challenges, id, ek, now);

  g_assert_cmpstr (found, ==, wanted);
}

static void
test_whose (void)
{
  g_autoptr (EmChallenges) challenges = em_challenges_new ();

  add (challenges, "dev", 1, 10, START);
  add (challenges, "other", 1, 11, START);
  add (challenges, "dev", 2, 12, START);
  add (challenges, "DEV", 1, 13, START);
  assert_found (challenges, "Dev", 1, START, "13 10 ");
  assert_found (challenges, "dev", 2, START, "12 ");
  assert_found (challenges, "other", 2, START, "");
}

static void
test_each (void)
{
  g_autoptr (EmChallenges) challenges = em_challenges_new ();

  add (challenges, "other", 1, 99, START);
  for (guint i = 1; i <= EM_CHALLENGES_EACH + 2; i++)
    add (challenges, "dev", 1, i, START);
  assert_found (challenges, "dev", 1, START, "6 5 4 3 ");
  assert_found (challenges, "other", 1, START, "99 ");
}

static void
test_all (void)
{
  g_autoptr (EmChallenges) challenges = em_challenges_new ();

  for (guint i = 0; i < EM_CHALLENGES_MAX + 100; i++)
    {
      g_autofree char *id = g_strdup_printf ("dev-%u", i);

      add (challenges, id, 1, i, START);
      g_assert_cmpuint (em_challenges_count (challenges),
                        ==,
                        MIN (i + 1, EM_CHALLENGES_MAX));
    }
  assert_found (challenges, "dev-99", 1, START, "");
  assert_found (challenges, "dev-100", 1, START, "100 ");
}

static void
test_time (void)
{
  g_autoptr (EmChallenges) challenges = em_challenges_new ();

  add (challenges, "dev", 1, 1, START);
  add (challenges, "dev", 1, 2, START + 10);
  assert_found (challenges, "dev", 1, START + EM_CHALLENGE_SECONDS - 1, "2 1 ");
  assert_found (challenges, "dev", 1, START + EM_CHALLENGE_SECONDS, "2 ");
  assert_found (challenges, "dev", 1, START + EM_CHALLENGE_SECONDS + 10, "");
  g_assert_cmpuint (em_challenges_count (challenges), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/challenges/are-of-a-registration-and-its-key", test_whose);
  g_test_add_func ("/challenges/few-for-each", test_each);
  g_test_add_func ("/challenges/bounded-in-all", test_all);
  g_test_add_func ("/challenges/expire", test_time);

  return g_test_run ();
}
