/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "random.h"

#define STEP G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)

void
random_init (Random *self, guint64 seed, guint64 number)
{
  self->state = seed;
  self->state = random_next (self) ^ (number * STEP);
}

guint64
random_next (Random *self)
{
  guint64 z = self->state += STEP;

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

gsize
random_below (Random *self, gsize n)
{
  return (gsize) (random_next (self) % n);
}

gboolean
random_once_in (Random *self, gsize n)
{
  return random_below (self, n) == 0;
}
