/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-quarantine.h"

#include "common/dps-io.h"
#include "common/dps-log.h"
#include "store/dps-durable.h"
#include "store/dps-roster.h"

#include <errno.h>
#include <gio/gio.h>
#include <stdio.h>
#include <sys/stat.h>

#define MAX_SAME_NAME 1000
#define FOREIGN_PREFIX "foreign-"
#define FOREIGN_MAX 16u

/* -1 with *absent set and no error where there is none. */
static int
open_existing (int dir_fd, gboolean *absent, GError **error)
{
  g_autoptr (GError) local = NULL;
  int fd = dps_open_at (dir_fd, DPS_QUARANTINE_NAME, O_RDONLY | O_DIRECTORY, 0, &local);

  *absent = fd < 0 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  if (fd < 0 && !*absent)
    g_propagate_error (error, g_steal_pointer (&local));
  return fd;
}

static int
open_or_make (int dir_fd, GError **error)
{
  if (mkdirat (dir_fd, DPS_QUARANTINE_NAME, 0700) < 0 && errno != EEXIST)
    return dps_set_errno (error, errno, "making '%s'", DPS_QUARANTINE_NAME), -1;
  return dps_open_at (dir_fd, DPS_QUARANTINE_NAME, O_RDONLY | O_DIRECTORY, 0, error);
}

/* A name that is free there. Under the lock nobody else takes it, so no flag of
 * renameat2() is needed, which some file systems do not know. */
static char *
free_name (int quarantine_fd, const char *name, GError **error)
{
  g_autofree char *candidate = g_strdup (name);
  struct stat st;

  for (guint i = 1; i <= MAX_SAME_NAME; i++)
    {
      if (fstatat (quarantine_fd, candidate, &st, AT_SYMLINK_NOFOLLOW) < 0)
        {
          if (errno == ENOENT)
            return g_steal_pointer (&candidate);
          return dps_set_errno (error, errno, "examining '%s'", candidate), NULL;
        }
      g_free (candidate);
      candidate = g_strdup_printf ("%s.%u", name, i);
    }
  return dps_set_errno (error, EEXIST, "'%s' is full", DPS_QUARANTINE_NAME), NULL;
}

static gboolean
move_as (int dir_fd, const char *name, const char *as, GError **error)
{
  dps_autofd fd = open_or_make (dir_fd, error);
  g_autofree char *target = NULL;

  if (fd < 0)
    return FALSE;
  target = free_name (fd, as, error);
  if (target == NULL)
    return FALSE;
  if (renameat (dir_fd, name, fd, target) < 0)
    return dps_set_errno (error, errno, "moving '%s' to quarantine", name);
  return dps_durable_sync (fd, error) && dps_durable_sync (dir_fd, error);
}

gboolean
dps_quarantine_move (int dir_fd, const char *name, GError **error)
{
  return move_as (dir_fd, name, name, error);
}

typedef struct
{
  char *name;
  struct timespec moved; /* a rename changes the inode */
} Foreign;

static void
foreign_clear (gpointer data)
{
  g_free (((Foreign *) data)->name);
}

static int
oldest_first (gconstpointer a, gconstpointer b)
{
  const Foreign *x = a, *y = b;

  if (x->moved.tv_sec != y->moved.tv_sec)
    return x->moved.tv_sec < y->moved.tv_sec ? -1 : 1;
  if (x->moved.tv_nsec != y->moved.tv_nsec)
    return x->moved.tv_nsec < y->moved.tv_nsec ? -1 : 1;
  return g_strcmp0 (x->name, y->name);
}

static GArray *
list_foreign (int fd, GError **error)
{
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Foreign));
  g_auto (GStrv) names = dps_durable_list (fd, error);
  struct stat st;

  if (names == NULL)
    return NULL;
  g_array_set_clear_func (found, foreign_clear);
  for (char **name = names; *name != NULL; name++)
    if (g_str_has_prefix (*name, FOREIGN_PREFIX) &&
        fstatat (fd, *name, &st, AT_SYMLINK_NOFOLLOW) == 0)
      {
        Foreign one = { g_strdup (*name), st.st_ctim };

        g_array_append_val (found, one);
      }
  g_array_sort (found, oldest_first);
  return g_steal_pointer (&found);
}

/* Each change of the TPM adds some, and no reset need ever come. */
static gboolean
prune_foreign (int dir_fd, GError **error)
{
  gboolean absent;
  dps_autofd fd = open_existing (dir_fd, &absent, error);
  g_autoptr (GArray) found = fd >= 0 ? list_foreign (fd, error) : NULL;

  if (found == NULL)
    return absent;
  for (guint i = 0; i + FOREIGN_MAX < found->len; i++)
    if (unlinkat (fd, g_array_index (found, Foreign, i).name, 0) < 0)
      return dps_set_errno (error, errno, "removing the oldest");
  return TRUE;
}

gboolean
dps_quarantine_set_aside (int dir_fd, const char *name, GError **error)
{
  g_autofree char *as = g_strconcat (FOREIGN_PREFIX, name, NULL);
  g_autoptr (GError) local = NULL;
  struct stat st;

  if (fstatat (dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT || dps_set_errno (error, errno, "examining '%s'", name);
  if (!move_as (dir_fd, name, as, error))
    return FALSE;
  if (!prune_foreign (dir_fd, &local))
    dps_warning ((TOPIC ("store"), OBJECT (DPS_QUARANTINE_NAME)),
                 "it holds more and more: %s",
                 local->message);
  return TRUE;
}

GArray *
dps_quarantine_read (int dir_fd, GError **error)
{
  gboolean absent;
  dps_autofd fd = open_existing (dir_fd, &absent, error);

  if (absent)
    return g_array_new (FALSE, FALSE, sizeof (guint64));
  return fd < 0 ? NULL : dps_roster_read (fd, TRUE, error);
}

gboolean
dps_quarantine_clear (int dir_fd, GError **error)
{
  gboolean absent;
  dps_autofd fd = open_existing (dir_fd, &absent, error);
  g_auto (GStrv) names = NULL;

  if (fd < 0)
    return absent;
  names = dps_durable_list (fd, error);
  if (names == NULL)
    return FALSE;
  for (char **name = names; *name != NULL; name++)
    if (unlinkat (fd, *name, 0) < 0 &&
        (errno != EISDIR || unlinkat (fd, *name, AT_REMOVEDIR) < 0))
      return dps_set_errno (error, errno, "removing '%s' from quarantine", *name);
  if (unlinkat (dir_fd, DPS_QUARANTINE_NAME, AT_REMOVEDIR) < 0)
    return dps_set_errno (error, errno, "removing '%s'", DPS_QUARANTINE_NAME);
  return TRUE;
}
