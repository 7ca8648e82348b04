/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-wiping.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* Ahead of each block; as large as keeps the block aligned. */
typedef struct
{
  _Alignas(max_align_t) size_t size;
} Head;

static void *
wiping_malloc (size_t size, const char *file, int line)
{
  Head *head = size <= SIZE_MAX - sizeof *head ? malloc (sizeof *head + size) : NULL;

  if (head == NULL)
    return NULL;
  head->size = size;
  return head + 1;
}

static void
wiping_free (void *memory, const char *file, int line)
{
  Head *head = memory;

  if (memory == NULL)
    return;
  head--;
  explicit_bzero (memory, head->size);
  free (head);
}

static void *
wiping_realloc (void *memory, size_t size, const char *file, int line)
{
  const Head *head = memory;
  void *larger = wiping_malloc (size, file, line);

  if (memory == NULL || larger == NULL)
    return larger;
  memcpy (larger, memory, MIN (head[-1].size, size));
  wiping_free (memory, file, line);
  return larger;
}

gboolean
dps_wiping_install (void)
{
  return CRYPTO_set_mem_functions (wiping_malloc, wiping_realloc, wiping_free) == 1;
}
