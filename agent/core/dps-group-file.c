/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-group-file.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "config/dps-config-value.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_PREFIX "file:"

gboolean
dps_group_file_is_credential (const char *origin)
{
  return g_str_has_prefix (origin, DPS_CONFIG_CREDENTIAL);
}

static const char *
value_of (DpsConfig *config)
{
  return dps_config_get_string (config, DPS_CONFIG_GROUP_KEY_FILE);
}

/* A time of change is as coarse as the kernel's tick, so it alone does not tell a file
 * from what it was a moment ago. */
static char *
origin_of (const char *path, const struct stat *st)
{
  return g_strdup_printf (FILE_PREFIX "%" G_GUINT64_FORMAT ".%" G_GINT64_FORMAT
                                      ".%09ld.%" G_GINT64_FORMAT
                                      ".%09ld.%" G_GINT64_FORMAT ":%s",
                          (guint64) st->st_ino,
                          (gint64) st->st_ctim.tv_sec,
                          st->st_ctim.tv_nsec,
                          (gint64) st->st_mtim.tv_sec,
                          st->st_mtim.tv_nsec,
                          (gint64) st->st_size,
                          path);
}

static DpsGroupFileState
state_of (const char *path, struct stat *st)
{
  if (lstat (path, st) == 0)
    return S_ISREG (st->st_mode) ? DPS_GROUP_FILE_THERE : DPS_GROUP_FILE_UNFIT;
  return errno == ENOENT ? DPS_GROUP_FILE_ABSENT : DPS_GROUP_FILE_UNFIT;
}

DpsGroupFileState
dps_group_file_find (DpsConfig *config, char **origin)
{
  const char *value = value_of (config);
  const char *name = value ? dps_config_credential_name (value) : NULL;
  const char *dir = dps_config_get_credentials_dir (config);
  g_autofree char *path = NULL;
  struct stat st;
  DpsGroupFileState state;

  *origin = NULL;
  if (value == NULL || (name != NULL && dir == NULL))
    return DPS_GROUP_FILE_ABSENT;
  path = name ? g_build_filename (dir, name, NULL) : g_strdup (value);
  state = state_of (path, &st);
  if (state == DPS_GROUP_FILE_THERE)
    *origin = name ? g_strdup (value) : origin_of (value, &st);
  return state;
}

const char *
dps_group_file_remaining (const char *origin)
{
  const char *path = NULL;
  g_autofree char *found = NULL;
  struct stat st;

  if (origin != NULL && g_str_has_prefix (origin, FILE_PREFIX))
    path = strchr (origin + strlen (FILE_PREFIX), ':');
  if (path == NULL || state_of (++path, &st) != DPS_GROUP_FILE_THERE)
    return NULL;
  found = origin_of (path, &st);
  return g_str_equal (found, origin) ? path : NULL;
}

static gboolean
refuse (const char *path, const char *what, GError **error)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_ACCESS_DENIED,
               "'%s' is not trusted: %s",
               path,
               what);
  return FALSE;
}

/* The parents are not walked: they end in the agent's own state directory, which the
 * store has judged. */
static int
open_dir (DpsConfig *config, GError **error)
{
  const char *path = dps_config_get_import_dir (config);
  dps_autofd fd = -1;
  struct stat st;

  fd = openat (AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == EACCES)
    return refuse (path, "the agent may not read it; chown it to dps-agent", error), -1;
  if (fd < 0)
    return dps_set_errno (error, errno, "opening '%s'", path), -1;
  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining '%s'", path), -1;
  if ((st.st_uid != 0 && st.st_uid != geteuid ()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
    {
      refuse (path,
              "others may write the directory; chown it to dps-agent and chmod it to "
              "0700",
              error);
      return -1;
    }
  return dps_steal_fd (&fd);
}

static int
open_file (DpsConfig *config, struct stat *st, GError **error)
{
  const char *path = value_of (config);
  g_autofree char *name = g_path_get_basename (path);
  dps_autofd dir = open_dir (config, error);
  dps_autofd fd = -1;

  if (dir < 0)
    return -1;
  fd = openat (dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 && errno == EACCES)
    {
      refuse (path,
              "the agent may not read it; chown it to dps-agent, or put it there with "
              "'install -m 0600 -o dps-agent -g dps-agent'",
              error);
      return -1;
    }
  if (fd < 0 && errno == ELOOP)
    return refuse (path, "it is a link; put the file itself there", error), -1;
  if (fd < 0)
    return dps_set_errno (error, errno, "opening '%s'", path), -1;
  if (!dps_check_trusted (fd, path, geteuid (), getegid (), S_IRWXO, error))
    return -1;
  if (fstat (fd, st) < 0)
    return dps_set_errno (error, errno, "examining '%s'", path), -1;
  if (st->st_nlink != 1)
    {
      refuse (path,
              "the file has further names (hard links) under which the group key would "
              "stay; copy it there instead",
              error);
      return -1;
    }
  return dps_steal_fd (&fd);
}

static DpsSecret *
read_file (DpsConfig *config, char **origin, GError **error)
{
  const char *path = value_of (config);
  struct stat before, after;
  dps_autofd fd = open_file (config, &before, error);
  g_autoptr (DpsSecret) text = NULL;
  g_autofree char *first = NULL, *last = NULL;

  if (fd < 0)
    return NULL;
  text = dps_secret_read_fd (fd, DPS_CONFIG_SECRET_MAX, error);
  if (text == NULL)
    return g_prefix_error (error, "'%s': ", path), NULL;
  if (fstat (fd, &after) < 0)
    return dps_set_errno (error, errno, "examining '%s'", path), NULL;
  first = origin_of (path, &before);
  last = origin_of (path, &after);
  if (!g_str_equal (first, last) || dps_secret_size (text) != (gsize) after.st_size)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_BUSY,
                   "'%s' was being written while it was read; try again",
                   path);
      return NULL;
    }
  *origin = g_steal_pointer (&last);
  return g_steal_pointer (&text);
}

DpsSecret *
dps_group_file_read (DpsConfig *config, char **origin, GError **error)
{
  const char *value = value_of (config);
  DpsSecret *text;

  if (dps_config_credential_name (value) != NULL)
    {
      text = dps_config_read_secret (config, DPS_CONFIG_GROUP_KEY_FILE, error);
      if (text != NULL)
        *origin = g_strdup (value);
      return text;
    }
  text = read_file (config, origin, error);
  if (text == NULL)
    g_prefix_error (error,
                    "%s: [plugin symmetric-key] group-key-file: ",
                    dps_config_get_source (config, DPS_CONFIG_GROUP_KEY_FILE));
  return text;
}

DpsGroupFileEnd
dps_group_file_remove (DpsConfig *config, const char *origin, GError **error)
{
  const char *path = value_of (config);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *found = NULL;
  dps_autofd dir = open_dir (config, error);
  struct stat st;

  if (dir < 0)
    return DPS_GROUP_FILE_STAYS;
  if (fstatat (dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? DPS_GROUP_FILE_GONE
                           : (dps_set_errno (error, errno, "examining '%s'", path),
                              DPS_GROUP_FILE_STAYS);
  found = origin_of (path, &st);
  if (!g_str_equal (found, origin))
    return DPS_GROUP_FILE_REPLACED;
  if (unlinkat (dir, name, 0) < 0)
    return dps_set_errno (error, errno, "removing '%s'", path), DPS_GROUP_FILE_STAYS;
  if (fsync (dir) < 0)
    {
      dps_set_errno (error, errno, "syncing '%s'", dps_config_get_import_dir (config));
      return DPS_GROUP_FILE_STAYS;
    }
  return DPS_GROUP_FILE_REMOVED;
}
