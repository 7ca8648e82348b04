/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

/* Small helpers over descriptors. Failures are GErrors of G_IO_ERROR made from errno,
 * with "doing what: strerror"; EINTR is retried everywhere but on close (Linux closes
 * anyway). */

static inline void
dps_close_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static inline int
dps_steal_fd (int *fd)
{
  int stolen = *fd;

  *fd = -1;
  return stolen;
}

#define dps_autofd __attribute__ ((cleanup (dps_close_fd))) int

/* Sets error from errno_value; always returns FALSE so that a caller can return it. */
gboolean dps_set_errno (GError **error, int errno_value, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* Opens name, relative to dir_fd (or AT_FDCWD), always with O_CLOEXEC | O_NOFOLLOW |
 * O_NOCTTY | O_NONBLOCK-free semantics. -1 with error set on failure. */
int dps_open_at (int dir_fd, const char *name, int flags, mode_t mode, GError **error);

gboolean dps_write_all (int fd, const void *data, gsize size, GError **error);

/* Reads until end of file or capacity bytes; *size gets the number read. */
gboolean dps_read_all (int fd, void *data, gsize capacity, gsize *size, GError **error);

/* Reads a whole regular file of at most max bytes. NULL with error on failure. */
GBytes *dps_read_file_at (int dir_fd, const char *name, gsize max, GError **error);

/* Opens path for reading only where it and every directory above it is owned by root (or
 * by allowed_uid, for the file alone, where that is not (uid_t) -1) and not writable by
 * group or others: design §5. No component may be a symbolic link that escapes this rule,
 * as each is opened relative to its checked parent. deny_mode are further permission bits
 * of the file itself that must be clear (S_IRWXO for key files). -1 and
 * DPS_ERROR_ACCESS_DENIED (message names the component and what to do) or G_IO_ERROR on
 * failure. */
int dps_open_trusted (const char *path,
                      uid_t allowed_uid,
                      gid_t allowed_gid,
                      mode_t deny_mode,
                      GError **error);

/* The rule that dps_open_trusted() has for the file itself, for one that is open already:
 * a regular file, and owner, group and mode as there. path is for messages. */
gboolean dps_check_trusted (int fd,
                            const char *path,
                            uid_t allowed_uid,
                            gid_t allowed_gid,
                            mode_t deny_mode,
                            GError **error);

/* As dps_open_trusted(), for a directory. */
int dps_open_trusted_dir (const char *path, GError **error);
