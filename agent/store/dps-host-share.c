/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-host-share.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "store/dps-durable.h"
#include "store/dps-openssl.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/stat.h>

#define LOST                                                                             \
  "the identity stored here cannot be opened without it; put it back from a backup of "  \
  "this host, or give the identity up with 'dpsctl reset --yes' and provision again"

static gboolean
refuse (GError **error, const char *what)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_FAILED,
               "'%s' %s: %s",
               DPS_HOST_SHARE_NAME,
               what,
               LOST);
  return FALSE;
}

static gboolean
create (int dir_fd, GError **error)
{
  g_autoptr (DpsSecret) share = dps_secret_new_empty (DPS_HOST_SHARE_SIZE);

  return dps_openssl_random (dps_secret_edit (share), DPS_HOST_SHARE_SIZE, error) &&
         dps_durable_create (dir_fd,
                             DPS_HOST_SHARE_NAME,
                             dps_secret_data (share),
                             DPS_HOST_SHARE_SIZE,
                             error);
}

gboolean
dps_host_share_ensure (int dir_fd, gboolean needed, GError **error)
{
  struct stat st;

  if (fstatat (dir_fd, DPS_HOST_SHARE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
    return TRUE;
  if (errno != ENOENT)
    return dps_set_errno (error, errno, "examining '%s'", DPS_HOST_SHARE_NAME);
  if (needed)
    return refuse (error, "is missing");
  return create (dir_fd, error);
}

DpsSecret *
dps_host_share_load (int dir_fd, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (DpsSecret) share = NULL;
  dps_autofd fd = -1;
  struct stat st;

  fd = dps_open_at (dir_fd, DPS_HOST_SHARE_NAME, O_RDONLY | O_NONBLOCK, 0, &local);
  if (fd < 0)
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return refuse (error, "is missing"), NULL;
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS))
        return refuse (error, "is a symbolic link"), NULL;
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining '%s'", DPS_HOST_SHARE_NAME), NULL;
  if (!S_ISREG (st.st_mode) || st.st_size != DPS_HOST_SHARE_SIZE)
    return refuse (error, "is not a file of 32 bytes"), NULL;
  share = dps_secret_read_fd (fd, DPS_HOST_SHARE_SIZE, error);
  if (share == NULL)
    return NULL;
  if (dps_secret_size (share) != DPS_HOST_SHARE_SIZE)
    return refuse (error, "is not a file of 32 bytes"), NULL;
  return g_steal_pointer (&share);
}
