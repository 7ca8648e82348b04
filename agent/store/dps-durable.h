/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Small files (0600) in a private directory that after a crash are there completely or
 * not at all. dir_fd is open for reading; names are plain. One process at a time may
 * write in a directory: the store's lock sees to that. Everything blocks. Errors are
 * G_IO_ERROR.
 *
 * A failed fsync leaves unknown what the disk holds, and a second one may report success
 * without having written anything; so the file is given up and never synced again. */

/* Makes name with size bytes, and syncs file and directory; an existing name is
 * G_IO_ERROR_EXISTS and stays as it is. After any other error name does not exist. */
gboolean dps_durable_create (int dir_fd,
                             const char *name,
                             const void *data,
                             gsize size,
                             GError **error);

/* As dps_durable_create(), replacing name atomically where it exists. After an error name
 * is what it was, or, where only the directory could not be synced, perhaps the new. */
gboolean dps_durable_replace (int dir_fd,
                              const char *name,
                              const void *data,
                              gsize size,
                              GError **error);

/* Removes name; an absent one is fine. Not durable before dps_durable_sync(). */
gboolean dps_durable_remove (int dir_fd, const char *name, GError **error);

gboolean dps_durable_sync (int dir_fd, GError **error);

/* The names in the directory, without "." and "..", NULL-terminated, in no order. */
char **dps_durable_list (int dir_fd, GError **error);

/* Removes temporaries that a crash left behind. */
gboolean dps_durable_sweep (int dir_fd, GError **error);
