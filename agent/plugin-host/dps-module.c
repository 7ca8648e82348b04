/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-module.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-name.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static gboolean
untrusted (GError **error, const char *file, const char *directory, const char *what)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_ACCESS_DENIED,
               "'%s/%s' is not trusted: it is %s; install it as a regular file, owned by "
               "root, of mode 0644",
               directory,
               file,
               what);
  return FALSE;
}

static gboolean
check_file (int fd,
            const char *file,
            const char *directory,
            gboolean any_owner,
            GError **error)
{
  g_autofree char *what = NULL;
  struct stat st;

  if (fstat (fd, &st) < 0)
    return dps_set_errno (error, errno, "examining '%s/%s'", directory, file);
  if (!S_ISREG (st.st_mode))
    return untrusted (error, file, directory, "no regular file");
  if (any_owner)
    return TRUE;
  if (st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
    return TRUE;
  what = g_strdup_printf ("of owner %u and mode %04o", st.st_uid, st.st_mode & 07777);
  return untrusted (error, file, directory, what);
}

static int
open_module (const char *directory, const char *file, gboolean any_owner, GError **error)
{
  dps_autofd dir = any_owner
                       ? dps_open_at (AT_FDCWD, directory, O_PATH | O_DIRECTORY, 0, error)
                       : dps_open_trusted_dir (directory, error);
  dps_autofd fd = -1;

  if (dir < 0)
    return g_prefix_error (error, "plugin directory: "), -1;
  do
    fd = openat (dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
  while (fd < 0 && errno == EINTR);
  if (fd < 0 && errno == ELOOP)
    return untrusted (error, file, directory, "a symbolic link"), -1;
  if (fd < 0 && errno == ENOENT)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_SUPPORTED,
                   "there is no '%s' in '%s'; install the package that brings it",
                   file,
                   directory);
      return -1;
    }
  if (fd < 0)
    return dps_set_errno (error, errno, "opening '%s/%s'", directory, file), -1;
  if (!check_file (fd, file, directory, any_owner, error))
    return -1;
  return dps_steal_fd (&fd);
}

gboolean
dps_module_check (const DpsPluginInfo *exported,
                  const char *name,
                  DpsPluginInfo *info,
                  GError **error)
{
  if (exported->abi != DPS_PLUGIN_ABI)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "speaks ABI %u, this agent ABI %u; install versions that match",
                   exported->abi,
                   DPS_PLUGIN_ABI);
      return FALSE;
    }
  if (exported->size < DPS_PLUGIN_INFO_SIZE_1 || exported->size > 4096)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "says that its dps_plugin_info has %u bytes, where ABI %u has %u",
                   exported->size,
                   DPS_PLUGIN_ABI,
                   (guint) sizeof (DpsPluginInfo));
      return FALSE;
    }
  if (exported->name == NULL || strncmp (exported->name, name, strlen (name) + 1) != 0)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "does not call itself '%s'; a plugin's file is named for it",
                   name);
      return FALSE;
    }
  memset (info, 0, sizeof *info);
  memcpy (info, exported, MIN (exported->size, sizeof *info));
  if (info->describe != NULL)
    return TRUE;
  g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "has no describe verb");
  return FALSE;
}

gboolean
dps_module_load (const char *directory,
                 const char *name,
                 gboolean any_owner,
                 DpsPluginInfo *info,
                 GError **error)
{
  g_autofree char *file = g_strconcat (name, ".so", NULL);
  g_autofree char *proc = NULL;
  const DpsPluginInfo *exported;
  dps_autofd fd = -1;
  void *module;

  if (!dps_name_check_plugin (name, error))
    return FALSE;
  fd = open_module (directory, file, any_owner, error);
  if (fd < 0)
    return FALSE;
  proc = g_strdup_printf ("/proc/self/fd/%d", fd);
  module = dlopen (proc, RTLD_NOW | RTLD_LOCAL);
  if (module == NULL)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "can not be loaded: %s",
                   dlerror ());
      return FALSE;
    }
  exported = dlsym (module, "dps_plugin_info");
  if (exported == NULL)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "exports no dps_plugin_info: it is no plugin of dps-agent");
      return FALSE;
    }
  return dps_module_check (exported, name, info, error);
}
