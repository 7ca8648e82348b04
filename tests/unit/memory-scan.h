/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A secret of the test's own, which its process must not have by itself: it is kept
 * masked, and put together only for whoever is given it. */
#define MASKED_SIZE_MAX 32u
#define MASKED_WINDOW 8u

typedef struct
{
  guint8 bytes[MASKED_SIZE_MAX];
  gsize size; /* a multiple of MASKED_WINDOW */
} Masked;

void masked_make (Masked *self, gsize size);
/* The same of bytes that another process has masked, or the other way round. */
void masked_apply (guint8 *data, gsize size);
void masked_put (const Masked *self, guint8 *data);

/* How many windows of it are in memory that this process may write (/proc/self/maps):
 * size / MASKED_WINDOW for each whole copy. */
guint masked_count (const Masked *self);
