/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Random numbers that are the same everywhere and for ever (SplitMix64), so that a case
 * is known by seed and number. */
typedef struct
{
  guint64 state;
} Random;

void random_init (Random *self, guint64 seed, guint64 number);

guint64 random_next (Random *self);
/* 0 to below n, n at least 1. */
gsize random_below (Random *self, gsize n);
/* TRUE once in n times. */
gboolean random_once_in (Random *self, gsize n);

#define random_pick(self, table) ((table)[random_below ((self), G_N_ELEMENTS (table))])
