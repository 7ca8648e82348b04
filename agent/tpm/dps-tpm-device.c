/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-device.h"
#include "tpm/dps-tpm-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEVICE_PREFIX "device:"
#define UNIX_PREFIX "unix:"
#define PATH_LENGTH_MAX 100
#define MANAGED_SUFFIX "rm0"
#define MANAGED_PREFIX "tpmrm"

const char *
dps_tpm_device_path (const char *tcti)
{
  return strchr (tcti, ':') + 1;
}

gboolean
dps_tpm_device_is_simulator (const char *tcti)
{
  return g_str_has_prefix (tcti, UNIX_PREFIX);
}

gboolean
dps_tpm_device_check (const char *tcti, GError **error)
{
  const char *path;

  if (!g_str_has_prefix (tcti, DEVICE_PREFIX) && !g_str_has_prefix (tcti, UNIX_PREFIX))
    {
      g_set_error (error,
                   DPS_TPM_ERROR,
                   DPS_TPM_ERROR_FAILED,
                   "it is neither device:PATH nor unix:PATH");
      return FALSE;
    }
  path = dps_tpm_device_path (tcti);
  if (*path == '/' && strlen (path) <= PATH_LENGTH_MAX)
    return TRUE;
  g_set_error (error,
               DPS_TPM_ERROR,
               DPS_TPM_ERROR_FAILED,
               "its path is not absolute, or longer than %d bytes",
               PATH_LENGTH_MAX);
  return FALSE;
}

/* -1, with errno as it is. */
static int
close_after_failure (int fd)
{
  int saved = errno;

  close (fd);
  errno = saved;
  return -1;
}

static int
connect_to (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return -1;
  strncpy (address.sun_path, path, sizeof address.sun_path - 1);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  return close_after_failure (fd);
}

/* Only the opening must not wait: what is written and read then does. */
static int
make_blocking (int fd)
{
  int flags = fcntl (fd, F_GETFL);

  if (flags >= 0 && fcntl (fd, F_SETFL, flags & ~O_NONBLOCK) == 0)
    return fd;
  return close_after_failure (fd);
}

/* Where /dev/tpmrm0 is not there and /dev/tpm0 is, the kernel has no resource manager. */
static gboolean
has_raw_device (const char *path)
{
  g_autofree char *raw = NULL;

  if (!g_str_has_suffix (path, MANAGED_SUFFIX))
    return FALSE;
  raw = g_strndup (path, strlen (path) - strlen (MANAGED_SUFFIX) + 1);
  raw[strlen (raw) - 1] = '0';
  return access (raw, F_OK) == 0;
}

/* Another node of a resource manager beside path, or NULL: a driver that is bound again
 * may number its device anew. Which TPM that is nobody can say from its name. */
static char *
find_other (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *own = g_path_get_basename (path);
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (!g_str_has_prefix (own, MANAGED_PREFIX))
    return NULL;
  dir = g_dir_open (folder, 0, NULL);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, MANAGED_PREFIX) && !g_str_equal (name, own))
      return g_build_filename (folder, name, NULL);
  return NULL;
}

static void
fail_absent (const char *path, gboolean simulator, GError **error)
{
  g_autofree char *other = simulator ? NULL : find_other (path);

  if (other != NULL)
    g_set_error (error,
                 DPS_TPM_ERROR,
                 DPS_TPM_ERROR_NO_DEVICE,
                 "the device '%s' is not there, but '%s' is; where that is this "
                 "machine's TPM, set tcti=device:%s",
                 path,
                 other,
                 other);
  else if (has_raw_device (path))
    g_set_error (error,
                 DPS_TPM_ERROR,
                 DPS_TPM_ERROR_RAW_ONLY,
                 "'%s' is not there, only the device without a resource manager",
                 path);
  else
    g_set_error (error,
                 DPS_TPM_ERROR,
                 DPS_TPM_ERROR_NO_DEVICE,
                 "%s '%s' is not there",
                 simulator ? "the simulator's socket" : "the device",
                 path);
}

static int
fail_to_open (const char *path, gboolean simulator, int code, GError **error)
{
  switch (code)
    {
    case ENOENT:
    case ENXIO:
    case ENODEV:
    case ECONNREFUSED:
      fail_absent (path, simulator, error);
      return -1;
    case EACCES:
    case EPERM:
      g_set_error (error,
                   DPS_TPM_ERROR,
                   DPS_TPM_ERROR_PERMISSION,
                   "'%s' may not be opened by this user",
                   path);
      return -1;
    case EBUSY:
    case EAGAIN:
      g_set_error (error,
                   DPS_TPM_ERROR,
                   DPS_TPM_ERROR_BUSY,
                   "'%s' takes no further user now",
                   path);
      return -1;
    default:
      g_set_error (error,
                   DPS_TPM_ERROR,
                   DPS_TPM_ERROR_FAILED,
                   "opening '%s': %s",
                   path,
                   g_strerror (code));
      return -1;
    }
}

int
dps_tpm_device_open (const char *tcti, GError **error)
{
  gboolean simulator = dps_tpm_device_is_simulator (tcti);
  int fd;

  if (!dps_tpm_device_check (tcti, error))
    return -1;
  fd = simulator ? connect_to (dps_tpm_device_path (tcti))
                 : open (dps_tpm_device_path (tcti),
                         O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd >= 0)
    fd = make_blocking (fd);
  return fd >= 0 ? fd
                 : fail_to_open (dps_tpm_device_path (tcti), simulator, errno, error);
}
