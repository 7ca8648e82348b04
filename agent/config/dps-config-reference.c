/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-reference.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "config/dps-config-value.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/stat.h>

/* Turns what the file system says into what an operator can do about it. */
static void
translate (const char *path, GError **error)
{
  gint code;
  const char *remedy;

  if (error == NULL || *error == NULL)
    return;
  if (g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    {
      code = DPS_ERROR_NOT_CONFIGURED;
      remedy = "the file does not exist; create it, or correct the path";
    }
  else if (g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED))
    {
      code = DPS_ERROR_ACCESS_DENIED;
      remedy = "the agent may not read it; chgrp it to dps-agent and chmod it to 0640";
    }
  else
    return;
  g_clear_error (error);
  g_set_error (error, DPS_ERROR, code, "'%s': %s", path, remedy);
}

static int
open_path (const char *path, gboolean secret, GError **error)
{
  int fd;

  if (secret)
    fd = dps_open_trusted (path, geteuid (), getegid (), S_IRWXO, error);
  else
    fd = dps_open_trusted (path, (uid_t) -1, (gid_t) -1, 0, error);
  if (fd < 0)
    translate (path, error);
  return fd;
}

/* The manager owns the directory; the file is root's or ours, and nobody else's to read.
 */
static gboolean
check_credential (int fd, const char *name, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining credential '%s'", name);
  if (S_ISREG (st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid ()) &&
      !(st.st_mode & (S_IWGRP | S_IRWXO)))
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_ACCESS_DENIED,
               "credential '%s' is not trusted: it is no regular file of root or of the"
               " agent that others cannot read; have systemd pass it by LoadCredential=",
               name);
  return FALSE;
}

static int
open_credential (const char *name, const char *credentials_dir, GError **error)
{
  dps_autofd dir = -1;
  dps_autofd fd = -1;

  if (credentials_dir != NULL)
    {
      dir = dps_open_at (AT_FDCWD, credentials_dir, O_PATH | O_DIRECTORY, 0, error);
      if (dir < 0)
        return -1;
      fd = openat (dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    }
  if (fd < 0 && (credentials_dir == NULL || errno == ENOENT))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_CONFIGURED,
                   "the credential '%s' was not passed to the agent; add"
                   " LoadCredential=%s:/path to a drop-in of dps-agent.service and "
                   "restart"
                   " it",
                   name,
                   name);
      return -1;
    }
  if (fd < 0)
    return dps_set_errno (error, errno, "opening credential '%s'", name), -1;
  if (!check_credential (fd, name, error))
    return -1;
  return dps_steal_fd (&fd);
}

int
dps_config_open_reference (const char *value,
                           const char *credentials_dir,
                           gboolean secret,
                           GError **error)
{
  const char *name = dps_config_credential_name (value);

  if (name != NULL)
    return open_credential (name, credentials_dir, error);
  return open_path (value, secret, error);
}
