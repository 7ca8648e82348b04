/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* DpsStateDir: the store's directory, open and locked. */
typedef struct
{
  char *path;
  int dir_fd;
  int lock_fd;
  gboolean read_only; /* the file system was, when it was opened */
} DpsStateDir;

#define DPS_STATE_DIR_INIT                                                               \
  {                                                                                      \
    .dir_fd = -1, .lock_fd = -1                                                          \
  }

/* Opens path, takes its lock and removes what a crash left half-written; errors as for
 * dps_store_open(). What self holds then is dps_state_dir_close()'s, on failure too. */
gboolean dps_state_dir_open (DpsStateDir *self, const char *path, GError **error);
void dps_state_dir_close (DpsStateDir *self);
