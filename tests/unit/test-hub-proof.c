/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-hub-proof.h"

#define S G_USEC_PER_SEC

static void
test_single_answers (void)
{
  static const struct
  {
    guint status;
    DpsProofVerdict old, fresh;
  } table[] = {
    { 200, DPS_PROOF_VERIFIED, DPS_PROOF_VERIFIED },
    { 401, DPS_PROOF_REFUSED, DPS_PROOF_AGAIN },
    { 404, DPS_PROOF_AGAIN, DPS_PROOF_AGAIN },
    { 403, DPS_PROOF_INCONCLUSIVE, DPS_PROOF_INCONCLUSIVE },
    { 429, DPS_PROOF_INCONCLUSIVE, DPS_PROOF_INCONCLUSIVE },
    { 500, DPS_PROOF_INCONCLUSIVE, DPS_PROOF_INCONCLUSIVE },
    { 204, DPS_PROOF_INCONCLUSIVE, DPS_PROOF_INCONCLUSIVE },
    { 302, DPS_PROOF_INCONCLUSIVE, DPS_PROOF_INCONCLUSIVE },
    { 0, DPS_PROOF_INCONCLUSIVE, DPS_PROOF_INCONCLUSIVE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      DpsProofHistory old = { .fresh = FALSE }, fresh = { .fresh = TRUE };
      gint64 wait = 0;

      g_test_message ("status %u", table[i].status);
      g_assert_cmpint (dps_hub_proof_judge (&old, table[i].status, S, &wait),
                       ==,
                       table[i].old);
      g_assert_cmpint (dps_hub_proof_judge (&fresh, table[i].status, S, &wait),
                       ==,
                       table[i].fresh);
    }
}

static void
test_fresh_gets_five_tries (void)
{
  DpsProofHistory history = { .fresh = TRUE };
  gint64 now = S, wait = 0;
  guint tries = 1;

  while (dps_hub_proof_judge (&history, 401, now, &wait) == DPS_PROOF_AGAIN)
    {
      g_assert_cmpint (wait, >, 0);
      now += wait;
      tries++;
    }
  g_assert_cmpuint (tries, ==, 5);
  g_assert_cmpint (now - S, <=, 30 * S);
}

static void
test_old_needs_two_missing_apart (void)
{
  DpsProofHistory history = { .fresh = FALSE };
  gint64 wait = 0;

  g_assert_cmpint (dps_hub_proof_judge (&history, 404, S, &wait), ==, DPS_PROOF_AGAIN);
  g_assert_cmpint (wait, ==, 5 * S);
  g_assert_cmpint (dps_hub_proof_judge (&history, 404, 4 * S, &wait),
                   ==,
                   DPS_PROOF_AGAIN);
  g_assert_cmpint (wait, ==, 2 * S);
  g_assert_cmpint (dps_hub_proof_judge (&history, 404, 6 * S, &wait),
                   ==,
                   DPS_PROOF_REFUSED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/hub-proof/single-answers", test_single_answers);
  g_test_add_func ("/hub-proof/fresh-gets-five-tries-in-30-s",
                   test_fresh_gets_five_tries);
  g_test_add_func ("/hub-proof/old-needs-two-404-5-s-apart",
                   test_old_needs_two_missing_apart);
  return g_test_run ();
}
