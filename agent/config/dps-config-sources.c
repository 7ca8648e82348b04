/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-sources.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-name.h"
#include "config/dps-config-parse.h"

#include <dirent.h>
#include <errno.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define NOBODY_ELSE ((uid_t) -1)
#define FILE_NAME_MAX 255

static void
close_dir (DIR *dir)
{
  closedir (dir);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DIR, close_dir)

static gboolean
is_drop_in_name (const char *name)
{
  return name[0] != '.' && g_str_has_suffix (name, ".conf");
}

/* Notes name and its path, unless a directory of higher rank has it. */
static gboolean
note_drop_in (GHashTable *found, const char *dir, const char *name, GError **error)
{
  if (g_hash_table_contains (found, name))
    return TRUE;
  if (!dps_name_check_text (name, FILE_NAME_MAX, "the name of a drop-in", error))
    {
      g_prefix_error (error, "%s: ", dir);
      return FALSE;
    }
  g_hash_table_insert (found, g_strdup (name), g_build_filename (dir, name, NULL));
  if (g_hash_table_size (found) <= DPS_CONFIG_DROP_INS_MAX)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "%s: there are more than %u drop-ins; merge some",
               dir,
               DPS_CONFIG_DROP_INS_MAX);
  return FALSE;
}

static gboolean
scan_dir (GHashTable *found, const char *parent, GError **error)
{
  g_autofree char *path = g_build_filename (parent, DPS_CONFIG_DROP_INS, NULL);
  g_autoptr (GError) local = NULL;
  dps_autofd fd = dps_open_trusted_dir (path, &local);
  g_autoptr (DIR) dir = NULL;
  const struct dirent *item;

  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  if (fd < 0)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  dir = fdopendir (fd);
  if (dir == NULL)
    return dps_set_errno (error, errno, "reading the directory '%s'", path);
  fd = -1;
  errno = 0;
  while ((item = readdir (dir)) != NULL)
    {
      if (is_drop_in_name (item->d_name) &&
          !note_drop_in (found, path, item->d_name, error))
        return FALSE;
      errno = 0;
    }
  if (errno != 0)
    return dps_set_errno (error, errno, "reading the directory '%s'", path);
  return TRUE;
}

/* The main file may be absent, but not a link that leads nowhere. */
static void
add_main_file (GPtrArray *files, const char *config_dir)
{
  g_autofree char *path = g_build_filename (config_dir, "agent.conf", NULL);
  struct stat st;

  if (lstat (path, &st) == 0 || errno != ENOENT)
    g_ptr_array_add (files, g_steal_pointer (&path));
}

GStrv
dps_config_list_files (const DpsConfigPaths *paths, GError **error)
{
  const char *dirs[] = { paths->config_dir, paths->run_dir, paths->vendor_dir };
  g_autoptr (GHashTable) found =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GList) names = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (dirs); i++)
    if (dirs[i] != NULL && !scan_dir (found, dirs[i], error))
      return NULL;
  add_main_file (files, paths->config_dir);
  names = g_list_sort (g_hash_table_get_keys (found), (GCompareFunc) strcmp);
  for (const GList *name = names; name != NULL; name = name->next)
    g_ptr_array_add (files, g_strdup (g_hash_table_lookup (found, name->data)));
  g_ptr_array_add (files, NULL);
  return (GStrv) g_ptr_array_steal (files, NULL);
}

/* A link to /dev/null, which stands for an empty file where root alone can set it. */
static gboolean
is_null_link (const char *path, gboolean *is_null, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);
  dps_autofd dir = dps_open_trusted_dir (parent, error);
  struct stat st;

  if (dir < 0)
    return FALSE;
  *is_null =
      stat (path, &st) == 0 && S_ISCHR (st.st_mode) && st.st_rdev == makedev (1, 3);
  return TRUE;
}

GBytes *
dps_config_read_source (const char *path, GError **error)
{
  dps_autofd fd = -1;
  g_autofree char *data = g_malloc (DPS_CONFIG_FILE_MAX + 1);
  gboolean is_null;
  gsize size;

  if (!is_null_link (path, &is_null, error))
    return NULL;
  if (is_null)
    return g_bytes_new (NULL, 0);
  fd = dps_open_trusted (path, NOBODY_ELSE, (gid_t) -1, 0, error);
  if (fd < 0)
    return NULL;
  if (!dps_read_all (fd, data, DPS_CONFIG_FILE_MAX + 1, &size, error))
    return g_prefix_error (error, "'%s': ", path), NULL;
  if (size > DPS_CONFIG_FILE_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "%s: the file is over 64 KiB; split it into drop-ins",
                   path);
      return NULL;
    }
  return g_bytes_new_take (g_steal_pointer (&data), size);
}
