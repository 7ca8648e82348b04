/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "memory-scan.h"

#include "common/dps-io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MASK 0x5a
#define CHUNK (1024u * 1024u)
/* A sanitizer's shadow is terabytes, and none of what a program writes. */
#define REGION_MAX (G_GUINT64_CONSTANT (1) << 30)

/* What the scan itself has of the secret: this is not looked at. */
static struct
{
  guint8 needle[MASKED_SIZE_MAX];
  gsize needle_size;
  guint8 chunk[CHUNK + MASKED_WINDOW];
} scan;

void
masked_apply (guint8 *data, gsize size)
{
  for (gsize i = 0; i < size; i++)
    data[i] ^= MASK;
}

void
masked_make (Masked *self, gsize size)
{
  g_assert_cmpuint (size, <=, MASKED_SIZE_MAX);
  self->size = size;
  for (gsize i = 0; i < size; i++)
    self->bytes[i] = (guint8) g_random_int ();
}

void
masked_put (const Masked *self, guint8 *data)
{
  memcpy (data, self->bytes, self->size);
  masked_apply (data, self->size);
}

static guint
count_in_chunk (gsize size)
{
  guint count = 0;

  for (guint at = 0; at + MASKED_WINDOW <= scan.needle_size; at += MASKED_WINDOW)
    {
      const guint8 *from = scan.chunk;
      gsize left = size;
      const guint8 *hit;

      while ((hit = memmem (from, left, scan.needle + at, MASKED_WINDOW)) != NULL)
        {
          count++;
          left -= (gsize) (hit - from) + 1;
          from = hit + 1;
        }
    }
  return count;
}

/* A window may lie across two chunks, never across two regions. */
static guint
count_in (int memory, guint64 from, guint64 to)
{
  guint count = 0;

  for (; from + MASKED_WINDOW <= to; from += CHUNK)
    {
      gssize got = pread (memory,
                          scan.chunk,
                          MIN (to - from, CHUNK + MASKED_WINDOW - 1),
                          (off_t) from);

      if (got < (gssize) MASKED_WINDOW)
        break;
      count += count_in_chunk ((gsize) got);
    }
  return count;
}

static guint
count_beside_scan (int memory, guint64 from, guint64 to)
{
  const guint64 own = GPOINTER_TO_SIZE (&scan);
  const guint64 own_end = own + sizeof scan;

  if (to - from > REGION_MAX)
    return 0;
  if (own_end <= from || to <= own)
    return count_in (memory, from, to);
  return count_in (memory, from, MAX (own, from)) +
         count_in (memory, MIN (own_end, to), to);
}

guint
masked_count (const Masked *self)
{
  dps_autofd memory = open ("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  g_autoptr (GError) error = NULL;
  g_autofree char *maps = NULL;
  g_auto (GStrv) lines = NULL;
  guint count = 0, regions = 0;

  g_assert_cmpint (memory, >=, 0);
  g_file_get_contents ("/proc/self/maps", &maps, NULL, &error);
  g_assert_no_error (error);
  lines = g_strsplit (maps, "\n", -1);
  masked_put (self, scan.needle);
  scan.needle_size = self->size;
  for (guint i = 0; lines[i] != NULL; i++)
    {
      unsigned long long from, to;
      char writable;

      if (sscanf (lines[i], "%llx-%llx r%c", &from, &to, &writable) != 3 ||
          writable != 'w')
        continue;
      count += count_beside_scan (memory, from, to);
      regions++;
    }
  explicit_bzero (&scan, sizeof scan);
  g_assert_cmpuint (regions, >, 2);
  return count;
}
