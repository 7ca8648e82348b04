/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answer.h"

/* One way to spoil an answer, or to write it differently; calls answer_note(). */
typedef void (*Mutation) (Answer *answer, Random *random);

/* By what they work on, in the order in which they can be applied. */
typedef struct
{
  const Mutation *table;
  gsize n;
} Mutations;

extern const Mutations member_mutations; /* root and state; only where there is a root */
extern const Mutations body_mutations;   /* the body's text */
extern const Mutations head_mutations;   /* status line, headers, framing */
extern const Mutations wire_mutations;   /* all bytes */
