/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-durable.h"

#include "common/dps-io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define TEMPORARY ".tmp-"

typedef enum
{
  DONE,
  FAILED,
  UNABLE, /* this way does not work here, another may */
} Outcome;

static gboolean
fill (int fd, const void *data, gsize size, GError **error)
{
  if (!dps_write_all (fd, data, size, error))
    return FALSE;
  if (fsync (fd) < 0)
    return dps_set_errno (error, errno, "syncing a new file");
  return TRUE;
}

/* A file without a name until it is complete. /proc/self/fd because linkat() with
 * AT_EMPTY_PATH needs a capability before Linux 6.10. */
static Outcome
create_unnamed (int dir_fd,
                const char *name,
                const void *data,
                gsize size,
                GError **error)
{
  dps_autofd fd = openat (dir_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  char proc[32];

  if (fd < 0)
    return UNABLE;
  if (!fill (fd, data, size, error))
    return FAILED;
  g_snprintf (proc, sizeof proc, "/proc/self/fd/%d", fd);
  if (linkat (AT_FDCWD, proc, dir_fd, name, AT_SYMLINK_FOLLOW) == 0)
    return DONE;
  if (errno != EEXIST)
    return UNABLE;
  dps_set_errno (error, EEXIST, "making '%s'", name);
  return FAILED;
}

/* The complete file under the name given back, which is the caller's to link or rename
 * and to free. */
static char *
write_temporary (int dir_fd,
                 const char *name,
                 const void *data,
                 gsize size,
                 GError **error)
{
  g_autofree char *temporary = g_strconcat (TEMPORARY, name, NULL);
  dps_autofd fd = -1;

  /* An attempt before this one may have failed to take its own away. */
  if (!dps_durable_remove (dir_fd, temporary, error))
    return NULL;
  fd = dps_open_at (dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600, error);
  if (fd < 0)
    return NULL;
  if (!fill (fd, data, size, error))
    {
      unlinkat (dir_fd, temporary, 0);
      return NULL;
    }
  return g_steal_pointer (&temporary);
}

static gboolean
create_named (int dir_fd, const char *name, const void *data, gsize size, GError **error)
{
  g_autofree char *temporary = write_temporary (dir_fd, name, data, size, error);
  int failed = 0;

  if (temporary == NULL)
    return FALSE;
  if (linkat (dir_fd, temporary, dir_fd, name, 0) < 0)
    failed = errno;
  /* What stays is taken away at the next opening. */
  unlinkat (dir_fd, temporary, 0);
  return failed == 0 || dps_set_errno (error, failed, "making '%s'", name);
}

gboolean
dps_durable_create (int dir_fd,
                    const char *name,
                    const void *data,
                    gsize size,
                    GError **error)
{
  Outcome outcome = create_unnamed (dir_fd, name, data, size, error);

  if (outcome == FAILED ||
      (outcome == UNABLE && !create_named (dir_fd, name, data, size, error)))
    return FALSE;
  if (!dps_durable_sync (dir_fd, error))
    {
      unlinkat (dir_fd, name, 0);
      return FALSE;
    }
  return TRUE;
}

gboolean
dps_durable_replace (int dir_fd,
                     const char *name,
                     const void *data,
                     gsize size,
                     GError **error)
{
  g_autofree char *temporary = write_temporary (dir_fd, name, data, size, error);

  if (temporary == NULL)
    return FALSE;
  if (renameat (dir_fd, temporary, dir_fd, name) < 0)
    {
      dps_set_errno (error, errno, "replacing '%s'", name);
      unlinkat (dir_fd, temporary, 0);
      return FALSE;
    }
  return dps_durable_sync (dir_fd, error);
}

gboolean
dps_durable_remove (int dir_fd, const char *name, GError **error)
{
  if (unlinkat (dir_fd, name, 0) < 0 && errno != ENOENT)
    return dps_set_errno (error, errno, "removing '%s'", name);
  return TRUE;
}

gboolean
dps_durable_sync (int dir_fd, GError **error)
{
  if (fsync (dir_fd) < 0)
    return dps_set_errno (error, errno, "syncing the directory");
  return TRUE;
}

static DIR *
open_listing (int dir_fd, GError **error)
{
  dps_autofd fd = dps_open_at (dir_fd, ".", O_RDONLY | O_DIRECTORY, 0, error);
  DIR *dir;

  if (fd < 0)
    return NULL;
  dir = fdopendir (fd);
  if (dir == NULL)
    dps_set_errno (error, errno, "listing the directory");
  else
    dps_steal_fd (&fd);
  return dir;
}

char **
dps_durable_list (int dir_fd, GError **error)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  DIR *dir = open_listing (dir_fd, error);
  struct dirent *entry;
  int failed;

  if (dir == NULL)
    return NULL;
  for (errno = 0; (entry = readdir (dir)) != NULL; errno = 0)
    if (!g_str_equal (entry->d_name, ".") && !g_str_equal (entry->d_name, ".."))
      g_strv_builder_add (names, entry->d_name);
  failed = errno;
  closedir (dir);
  if (failed != 0)
    return dps_set_errno (error, failed, "listing the directory"), NULL;
  return g_strv_builder_end (names);
}

gboolean
dps_durable_sweep (int dir_fd, GError **error)
{
  g_auto (GStrv) names = dps_durable_list (dir_fd, error);

  if (names == NULL)
    return FALSE;
  for (char **name = names; *name != NULL; name++)
    if (g_str_has_prefix (*name, TEMPORARY))
      unlinkat (dir_fd, *name, 0); /* one that stays makes the write it blocks fail */
  return TRUE;
}
