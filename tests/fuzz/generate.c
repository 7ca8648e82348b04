/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mutations.h"

/* Half of all cases begin as an assignment: that is what must not be got wrong. */
static const Kind *
pick_kind (Random *random)
{
  const Kind *kind;
  gboolean wanted = random_once_in (random, 2);

  do
    kind = &kinds[random_below (random, n_kinds)];
  while (wanted && g_strcmp0 (kind->outcome, "assigned") != 0);
  return kind;
}

/* 4 of 100 stay as they are, of the others most are spoiled once. */
static guint
pick_count (Random *random)
{
  gsize dice = random_below (random, 100);

  return dice < 4 ? 0 : dice < 70 ? 1 : dice < 90 ? 2 : 3;
}

static void
apply (const Mutations *mutations, guint times, Answer *answer, Random *random)
{
  for (guint i = 0; i < times; i++)
    mutations->table[random_below (random, mutations->n)](answer, random);
}

Answer *
answer_generate (guint64 seed, guint64 number)
{
  guint members = 0, body = 0, head = 0, wire = 0;
  Answer *answer;
  Random random;

  random_init (&random, seed, number);
  answer = answer_new (pick_kind (&random), number);
  answer->framing = random_once_in (&random, 3) ? FRAMING_CHUNKED : FRAMING_LENGTH;
  for (guint i = pick_count (&random); i > 0; i--)
    {
      gsize dice = random_below (&random, 100);

      if (dice < 45 && answer->root != NULL)
        members++;
      else if (dice < 55 && answer->root != NULL)
        body++;
      else if (dice < 80)
        head++;
      else
        wire++;
    }
  apply (&member_mutations, members, answer, &random);
  answer_write_body (answer);
  apply (&body_mutations, body, answer, &random);
  apply (&head_mutations, head, answer, &random);
  answer_write_head (answer);
  answer_write_payload (answer, &random);
  apply (&wire_mutations, wire, answer, &random);
  if (answer->effect != KEEPS && answer->end == END_KEEP)
    answer->end = END_CLOSE;
  return answer;
}
