/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-confine.h"
#include "abi/dps-plugin.h"
#include "common/dps-io.h"

#include <errno.h>
#include <gio/gio.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

gboolean
dps_confine_descriptors (int keep, GError **error)
{
  unsigned int fd = (unsigned int) keep;

  if ((fd > 3 && close_range (3, fd - 1, 0) < 0) || close_range (fd + 1, ~0u, 0) < 0)
    return dps_set_errno (error, errno, "closing descriptors");
  return TRUE;
}

static gboolean
limit (int resource, guint64 value, GError **error)
{
  struct rlimit now;

  if (getrlimit (resource, &now) < 0)
    return dps_set_errno (error, errno, "reading resource limit %d", resource);
  now.rlim_max = MIN (now.rlim_max, value);
  now.rlim_cur = now.rlim_max;
  if (setrlimit (resource, &now) < 0)
    return dps_set_errno (error, errno, "setting resource limit %d", resource);
  return TRUE;
}

/* The kernel takes this process before any other of its user. One that may not say so
 * keeps its limits. */
static void
volunteer (void)
{
  dps_autofd fd = open ("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

  if (fd >= 0)
    dps_write_all (fd, "1000", 4, NULL);
}

gboolean
dps_confine_process (gboolean limit_memory, GError **error)
{
  /* While its files below /proc are its own: not dumpable, they are root's. */
  volunteer ();
  if (prctl (PR_SET_PDEATHSIG, SIGKILL) < 0 ||
      prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl (PR_SET_DUMPABLE, 0) < 0)
    return dps_set_errno (error, errno, "giving up privileges");
  return limit (RLIMIT_CORE, 0, error) &&
         limit (RLIMIT_NOFILE, DPS_PLUGIN_PROCESS_DESCRIPTORS, error) &&
         limit (RLIMIT_FSIZE, DPS_PLUGIN_PROCESS_FILE_SIZE, error) &&
         (!limit_memory || (limit (RLIMIT_DATA, DPS_PLUGIN_PROCESS_DATA, error) &&
                            /* shared mappings do not count as data */
                            limit (RLIMIT_AS, DPS_PLUGIN_PROCESS_ADDRESS_SPACE, error)));
}

/* The kernel's interface as of its ABI 6; older kernels are told the shorter size. Named
 * here because the headers of the oldest supported system end earlier. */
struct ruleset_attr
{
  guint64 handled_access_fs;
  guint64 handled_access_net;
  guint64 scoped;
};

#define NET_BIND_TCP (G_GUINT64_CONSTANT (1) << 0)
#define NET_CONNECT_TCP (G_GUINT64_CONSTANT (1) << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (G_GUINT64_CONSTANT (1) << 0)
#define SCOPE_SIGNAL (G_GUINT64_CONSTANT (1) << 1)
#define READ_ONLY (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* How many file rights each Landlock ABI knows: truncation came with 3, device ioctls
 * with 5. */
static guint64
known_rights (guint abi)
{
  static const guint bits[] = { 0, 13, 14, 15, 15, 16 };
  guint n = bits[MIN (abi, G_N_ELEMENTS (bits) - 1)];

  return (G_GUINT64_CONSTANT (1) << n) - 1;
}

static int
new_ruleset (guint abi, gboolean allow_unix)
{
  struct ruleset_attr attr = { .handled_access_fs = known_rights (abi) };
  gsize size = abi >= 6   ? sizeof attr
               : abi >= 4 ? G_STRUCT_OFFSET (struct ruleset_attr, scoped)
                          : sizeof attr.handled_access_fs;

  if (abi >= 4)
    attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
  if (abi >= 6)
    attr.scoped = SCOPE_SIGNAL | (allow_unix ? 0 : SCOPE_ABSTRACT_UNIX_SOCKET);
  return (int) syscall (SYS_landlock_create_ruleset, &attr, size, 0);
}

static gboolean
allow_reading (int ruleset, const char *path, guint64 rights, GError **error)
{
  struct landlock_path_beneath_attr rule = { .allowed_access = rights };
  dps_autofd fd = open (path, O_PATH | O_CLOEXEC);

  /* A directory that this system does not have needs no rule. */
  if (fd < 0 && errno == ENOENT)
    return TRUE;
  if (fd < 0)
    return dps_set_errno (error, errno, "opening '%s'", path);
  rule.parent_fd = fd;
  if (syscall (SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
    return dps_set_errno (error, errno, "allowing '%s'", path);
  return TRUE;
}

static gboolean
allow_reading_all (int ruleset, const char *const *dirs, gsize n, GError **error)
{
  for (gsize i = 0; i < n; i++)
    if (!allow_reading (ruleset, dirs[i], READ_ONLY, error))
      return FALSE;
  return TRUE;
}

gboolean
dps_confine_files (const char *plugin_dir, gboolean allow_unix, guint abi, GError **error)
{
  static const char *const dirs[] = { "/usr",   "/lib",    "/lib32",
                                      "/lib64", "/libx32", "/etc/ssl" };
  /* What p11-kit, OpenSC and SoftHSM2 are configured by, and the tokens of the last. */
  static const char *const token_dirs[] = { "/etc/pkcs11",
                                            "/etc/opensc",
                                            "/etc/softhsm",
                                            "/var/lib/softhsm" };
  dps_autofd ruleset = -1;

  if (abi == 0)
    return TRUE;
  ruleset = new_ruleset (abi, allow_unix);
  if (ruleset < 0)
    return dps_set_errno (error, errno, "making a Landlock ruleset");
  if (!allow_reading_all (ruleset, dirs, G_N_ELEMENTS (dirs), error) ||
      (allow_unix &&
       !allow_reading_all (ruleset, token_dirs, G_N_ELEMENTS (token_dirs), error)))
    return FALSE;
  /* The loader's cache, for a plugin's own libraries. */
  if (!allow_reading (ruleset, "/etc/ld.so.cache", LANDLOCK_ACCESS_FS_READ_FILE, error) ||
      !allow_reading (ruleset, plugin_dir, READ_ONLY, error))
    return FALSE;
  if (syscall (SYS_landlock_restrict_self, ruleset, 0) < 0)
    return dps_set_errno (error, errno, "entering the Landlock ruleset");
  return TRUE;
}
