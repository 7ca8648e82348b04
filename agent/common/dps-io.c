/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "common/dps-error.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>

gboolean
dps_set_errno (GError **error, int errno_value, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list args;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error,
               G_IO_ERROR,
               g_io_error_from_errno (errno_value),
               "%s: %s",
               what,
               g_strerror (errno_value));
  return FALSE;
}

int
dps_open_at (int dir_fd, const char *name, int flags, mode_t mode, GError **error)
{
  int fd;

  do
    fd = openat (dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0)
    dps_set_errno (error, errno, "opening '%s'", name);
  return fd;
}

gboolean
dps_write_all (int fd, const void *data, gsize size, GError **error)
{
  const guint8 *p = data;

  while (size > 0)
    {
      gssize n = write (fd, p, size);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return dps_set_errno (error, errno, "writing");
      if (n == 0)
        return dps_set_errno (error, EIO, "writing");
      p += n;
      size -= (gsize) n;
    }
  return TRUE;
}

gboolean
dps_read_all (int fd, void *data, gsize capacity, gsize *size, GError **error)
{
  guint8 *p = data;
  gsize got = 0;

  while (got < capacity)
    {
      gssize n = read (fd, p + got, capacity - got);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return dps_set_errno (error, errno, "reading");
      if (n == 0)
        break;
      got += (gsize) n;
    }
  *size = got;
  return TRUE;
}

GBytes *
dps_read_file_at (int dir_fd, const char *name, gsize max, GError **error)
{
  dps_autofd fd = dps_open_at (dir_fd, name, O_RDONLY | O_NONBLOCK, 0, error);
  g_autofree guint8 *data = NULL;
  struct stat st;
  gsize size;

  if (fd < 0)
    return NULL;
  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining '%s'", name), NULL;
  if (!S_ISREG (st.st_mode))
    {
      g_set_error (error,
                   G_IO_ERROR,
                   G_IO_ERROR_NOT_REGULAR_FILE,
                   "'%s' is no file",
                   name);
      return NULL;
    }
  data = g_malloc (max + 1);
  if (!dps_read_all (fd, data, max + 1, &size, error))
    return g_prefix_error (error, "'%s': ", name), NULL;
  if (size > max)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "'%s' holds more than the %" G_GSIZE_FORMAT " bytes allowed",
                   name,
                   max);
      return NULL;
    }
  return g_bytes_new_take (g_steal_pointer (&data), size);
}

/* A walk along a path in which each component is opened relative to its checked parent.
 */
typedef struct
{
  const char *path; /* as the caller named it, for messages */
  uid_t allowed_uid;
  gid_t allowed_gid;
  mode_t deny_mode;
} Trust;

#define MAX_LINKS 16

static gboolean
refuse (const Trust *trust, const char *what, const char *remedy, GError **error)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_ACCESS_DENIED,
               "'%s' is not trusted: %s; %s",
               trust->path,
               what,
               remedy);
  return FALSE;
}

static gboolean
check_parent (const Trust *trust, const struct stat *st, const char *name, GError **error)
{
  g_autofree char *what = NULL;

  if (st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH)))
    return TRUE;
  what = g_strdup_printf ("the directory that holds '%s' has owner %u and mode %04o",
                          name,
                          st->st_uid,
                          st->st_mode & 07777);
  return refuse (trust,
                 what,
                 "make it owned by root and writable by its owner alone",
                 error);
}

static gboolean
check_target (const Trust *trust, const struct stat *st, GError **error)
{
  g_autofree char *what = NULL;

  if (st->st_uid != 0 && st->st_uid != trust->allowed_uid)
    {
      what = g_strdup_printf ("its owner is user %u", st->st_uid);
      return refuse (trust, what, "chown it to root", error);
    }
  if (st->st_mode & (S_IWGRP | S_IWOTH | trust->deny_mode))
    {
      what = g_strdup_printf ("its mode is %04o", st->st_mode & 07777);
      return refuse (trust,
                     what,
                     trust->deny_mode ? "chmod it to 0600, or 0640 with group dps-agent"
                     : S_ISDIR (st->st_mode) ? "chmod it to 0755"
                                             : "chmod it to 0644",
                     error);
    }
  if (trust->deny_mode && (st->st_mode & S_IRGRP) && st->st_gid != 0 &&
      st->st_gid != trust->allowed_gid)
    {
      what = g_strdup_printf ("group %u may read it", st->st_gid);
      return refuse (trust, what, "chmod it to 0600, or chgrp it to dps-agent", error);
    }
  return TRUE;
}

/* Puts the target of the link before what is left of the path. */
static char *
follow_link (int parent, const char *name, const char *rest, GError **error)
{
  char target[PATH_MAX];
  gssize n = readlinkat (parent, name, target, sizeof target - 1);

  if (n < 0)
    return dps_set_errno (error, errno, "reading the link '%s'", name), NULL;
  target[n] = '\0';
  return g_strdup_printf ("%s/%s", target, rest);
}

static int
open_root (GError **error)
{
  int fd = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    dps_set_errno (error, errno, "opening '/'");
  return fd;
}

/* Takes the first component off *rest. */
static char *
next_component (const char **rest)
{
  const char *end;
  char *name;

  while (**rest == '/')
    (*rest)++;
  end = strchrnul (*rest, '/');
  name = g_strndup (*rest, (gsize) (end - *rest));
  *rest = end;
  while (**rest == '/')
    (*rest)++;
  return name;
}

/* The trusted target as an O_PATH descriptor, with its stat. */
static int
walk (const Trust *trust, struct stat *st, GError **error)
{
  g_autofree char *path = g_strdup (trust->path);
  const char *rest = path;
  dps_autofd at = open_root (error);
  guint links = 0;

  if (at < 0)
    return -1;
  if (fstat (at, st) < 0)
    return dps_set_errno (error, errno, "examining '/'"), -1;
  while (*rest != '\0')
    {
      g_autofree char *name = next_component (&rest);
      dps_autofd next = -1;

      if (*name == '\0')
        break;
      if (!check_parent (trust, st, name, error))
        return -1;
      next = dps_open_at (at, name, O_PATH, 0, error);
      if (next < 0)
        return g_prefix_error (error, "'%s': ", trust->path), -1;
      if (fstat (next, st) < 0)
        return dps_set_errno (error, errno, "examining '%s'", name), -1;
      if (S_ISLNK (st->st_mode))
        {
          char *joined;

          if (++links > MAX_LINKS)
            return dps_set_errno (error, ELOOP, "'%s'", trust->path), -1;
          joined = follow_link (at, name, rest, error);
          if (joined == NULL)
            return -1;
          g_free (path);
          rest = path = joined;
          if (*path == '/')
            {
              dps_close_fd (&at);
              at = open_root (error);
              if (at < 0)
                return -1;
            }
          if (fstat (at, st) < 0)
            return dps_set_errno (error, errno, "examining '%s'", trust->path), -1;
          continue;
        }
      dps_close_fd (&at);
      at = dps_steal_fd (&next);
    }
  return dps_steal_fd (&at);
}

static int
reopen (int path_fd, const Trust *trust, int flags, GError **error)
{
  g_autofree char *proc = g_strdup_printf ("/proc/self/fd/%d", path_fd);
  int fd = open (proc, flags | O_CLOEXEC | O_NOCTTY);

  if (fd < 0)
    dps_set_errno (error, errno, "opening '%s'", trust->path);
  return fd;
}

static int
open_trusted (const Trust *trust, gboolean directory, GError **error)
{
  dps_autofd found = -1;
  struct stat st;

  if (!g_path_is_absolute (trust->path))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "'%s' is not an absolute path",
                   trust->path);
      return -1;
    }
  found = walk (trust, &st, error);
  if (found < 0 || !check_target (trust, &st, error))
    return -1;
  if (directory ? !S_ISDIR (st.st_mode) : !S_ISREG (st.st_mode))
    {
      refuse (trust,
              directory ? "it is no directory" : "it is no regular file",
              "name another",
              error);
      return -1;
    }
  return reopen (found, trust, directory ? O_RDONLY | O_DIRECTORY : O_RDONLY, error);
}

int
dps_open_trusted (const char *path,
                  uid_t allowed_uid,
                  gid_t allowed_gid,
                  mode_t deny_mode,
                  GError **error)
{
  Trust trust = { path, allowed_uid, allowed_gid, deny_mode };

  return open_trusted (&trust, FALSE, error);
}

gboolean
dps_check_trusted (int fd,
                   const char *path,
                   uid_t allowed_uid,
                   gid_t allowed_gid,
                   mode_t deny_mode,
                   GError **error)
{
  Trust trust = { path, allowed_uid, allowed_gid, deny_mode };
  struct stat st;

  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining '%s'", path);
  if (!S_ISREG (st.st_mode))
    return refuse (&trust, "it is no regular file", "name another", error);
  return check_target (&trust, &st, error);
}

int
dps_open_trusted_dir (const char *path, GError **error)
{
  Trust trust = { path, (uid_t) -1, (gid_t) -1, 0 };

  return open_trusted (&trust, TRUE, error);
}
