/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-state-dir.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-log.h"
#include "store/dps-durable.h"

#include <errno.h>
#include <gio/gio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_NAME "lock"

static gboolean
fail_opening (DpsStateDir *self, DpsError code, GError **error, const char *what)
{
  g_set_error (error, DPS_ERROR, code, "state directory '%s' %s", self->path, what);
  return FALSE;
}

static gboolean
check_dir (DpsStateDir *self, GError **error)
{
  g_autofree char *what = NULL;
  struct stat st;

  if (fstat (self->dir_fd, &st) < 0)
    return dps_set_errno (error, errno, "examining '%s'", self->path);
  if (st.st_uid != geteuid ())
    {
      what = g_strdup_printf ("belongs to user %u; chown it to user %u",
                              st.st_uid,
                              geteuid ());
      return fail_opening (self, DPS_ERROR_ACCESS_DENIED, error, what);
    }
  if (st.st_mode & (S_IRWXG | S_IRWXO))
    {
      what = g_strdup_printf ("has mode %04o, open to others; chmod it to 0700",
                              st.st_mode & 07777);
      return fail_opening (self, DPS_ERROR_ACCESS_DENIED, error, what);
    }
  return TRUE;
}

static gboolean
open_dir (DpsStateDir *self, GError **error)
{
  self->dir_fd = open (self->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (self->dir_fd >= 0)
    return check_dir (self, error);
  switch (errno)
    {
    case ENOENT:
      return fail_opening (self,
                           DPS_ERROR_FAILED,
                           error,
                           "does not exist; make it, owned by the user of the agent, "
                           "with "
                           "mode 0700 (systemd-tmpfiles --create does)");
    case ENOTDIR:
    case ELOOP:
      return fail_opening (self,
                           DPS_ERROR_FAILED,
                           error,
                           "is no directory; move what is there away and make one with "
                           "mode 0700, a symbolic link will not do");
    default:
      return dps_set_errno (error, errno, "opening the state directory '%s'", self->path);
    }
}

/* What is stored is served from a read-only file system too: that is what a bad disk
 * makes of itself, and an identity is needed to report it. */
static gboolean
open_lock (DpsStateDir *self, GError **error)
{
  g_autoptr (GError) local = NULL;

  self->lock_fd =
      dps_open_at (self->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &local);
  if (self->lock_fd < 0 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_READ_ONLY))
    {
      self->lock_fd =
          dps_open_at (self->dir_fd, LOCK_NAME, O_RDONLY | O_NONBLOCK, 0, NULL);
      self->read_only = self->lock_fd >= 0;
      if (self->read_only)
        dps_warning ((TOPIC ("store"), OBJECT (self->path)),
                     "the state directory is on a read-only file system; what is stored "
                     "is served, nothing can be changed before it is writable again");
    }
  if (self->lock_fd >= 0)
    return TRUE;
  g_propagate_prefixed_error (error,
                              g_steal_pointer (&local),
                              "state directory '%s' must be writable and '%s' in it a "
                              "file: ",
                              self->path,
                              LOCK_NAME);
  return FALSE;
}

static gboolean
take_lock (DpsStateDir *self, GError **error)
{
  if (!open_lock (self, error))
    return FALSE;
  if (flock (self->lock_fd, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  if (errno != EWOULDBLOCK)
    return dps_set_errno (error, errno, "locking '%s/%s'", self->path, LOCK_NAME);
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_BUSY,
               "'%s/%s' is held by another process that uses this state directory; let "
               "it "
               "end or stop it first",
               self->path,
               LOCK_NAME);
  return FALSE;
}

gboolean
dps_state_dir_open (DpsStateDir *self, const char *path, GError **error)
{
  self->path = g_strdup (path);
  return open_dir (self, error) && take_lock (self, error) &&
         dps_durable_sweep (self->dir_fd, error);
}

void
dps_state_dir_close (DpsStateDir *self)
{
  dps_close_fd (&self->lock_fd);
  dps_close_fd (&self->dir_fd);
  g_clear_pointer (&self->path, g_free);
}
