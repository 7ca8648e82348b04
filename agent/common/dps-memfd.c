/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-memfd.h"
#include "common/dps-error.h"
#include "common/dps-io.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FIXED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int
dps_memfd_new (const char *label, const void *data, gsize size, GError **error)
{
  dps_autofd fd = memfd_create (label, MFD_CLOEXEC | MFD_ALLOW_SEALING);

  if (fd < 0)
    return dps_set_errno (error, errno, "making a memory file"), -1;
  if (!dps_write_all (fd, data, size, error))
    return -1;
  if (lseek (fd, 0, SEEK_SET) < 0 || fcntl (fd, F_ADD_SEALS, F_SEAL_SEAL | FIXED) < 0)
    return dps_set_errno (error, errno, "sealing a memory file"), -1;
  return dps_steal_fd (&fd);
}

gboolean
dps_memfd_check (int fd, gsize max, gsize *size, GError **error)
{
  int seals = fcntl (fd, F_GET_SEALS);
  struct stat st;

  if (seals < 0 || (seals & FIXED) != FIXED)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "is no sealed memory file");
      return FALSE;
    }
  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining a memory file");
  if (st.st_size < 0 || (guint64) st.st_size > max)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "holds %" G_GINT64_FORMAT " bytes, at most %" G_GSIZE_FORMAT
                   " are allowed",
                   (gint64) st.st_size,
                   max);
      return FALSE;
    }
  *size = (gsize) st.st_size;
  return TRUE;
}
