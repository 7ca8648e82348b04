/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-landlock.h"
#include "plugin-fixture.h"
#include "plugin-host/dps-confine.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Landlock without the system call filter, which would answer first: what is left where
 * the filter has a hole. Each case runs in a process of its own. */

static struct
{
  char *file;
  char *device;
  int port; /* of a TCP listener */
  struct sockaddr_un abstract;
  socklen_t abstract_size;
} targets;

static int
read_plugin (void)
{
  return open (targets.file, O_RDONLY | O_CLOEXEC);
}

static int
read_state (void)
{
  return open (world.state_file, O_RDONLY | O_CLOEXEC);
}

static int
write_plugin (void)
{
  return open (targets.file, O_WRONLY | O_CLOEXEC);
}

static int
create_file (void)
{
  g_autofree char *path = plugin_path ("made");

  return open (path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static int
make_directory (void)
{
  g_autofree char *path = plugin_path ("made");

  return mkdir (path, 0700);
}

static int
remove_file (void)
{
  return unlink (targets.file);
}

static int
truncate_file (void)
{
  return truncate (targets.file, 1);
}

/* Not a terminal, if it is asked at all. */
static int
control_device (void)
{
  struct termios terminal;
  int fd = open (targets.device, O_RDONLY | O_CLOEXEC);

  return fd < 0 ? -1 : tcgetattr (fd, &terminal);
}

static int
execute (void)
{
  char *const argv[] = { (char *) "/usr/bin/true", NULL };

  return execv (argv[0], argv);
}

static int
with_tcp (int (*act) (int, const struct sockaddr *, socklen_t), int port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons (port) };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  return act (fd, (struct sockaddr *) &address, sizeof address);
}

static int
connect_tcp (void)
{
  return with_tcp (connect, targets.port);
}

static int
bind_tcp (void)
{
  return with_tcp (bind, 0);
}

static int
connect_abstract (void)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  return connect (fd, (struct sockaddr *) &targets.abstract, targets.abstract_size);
}

/* The package softhsm2 brings both. */
static int
read_tokens (void)
{
  return open ("/var/lib/softhsm/tokens", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
write_tokens (void)
{
  return open ("/var/lib/softhsm/tokens", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
}

static int
read_token_configuration (void)
{
  return open ("/etc/softhsm/softhsm2.conf", O_RDONLY | O_CLOEXEC);
}

/* Whether it may; the signal is none. */
static int
signal_parent (void)
{
  return kill (getppid (), 0);
}

typedef struct
{
  const char *name;
  guint abi; /* the first that knows it */
  int result;
  int (*act) (void);
  gboolean allow_unix;
} Row;

static const Row rows[] = {
  { "read-plugin", 1, 0, read_plugin },
  { "read-state", 1, EACCES, read_state },
  { "write", 1, EACCES, write_plugin },
  { "create", 1, EACCES, create_file },
  { "make-directory", 1, EACCES, make_directory },
  { "remove", 1, EACCES, remove_file },
  { "execute", 1, EACCES, execute },
  { "truncate", 3, EACCES, truncate_file },
  { "connect-tcp", 4, EACCES, connect_tcp },
  { "bind-tcp", 4, EACCES, bind_tcp },
  { "control-device", 5, EACCES, control_device },
  { "connect-abstract", 6, EPERM, connect_abstract },
  { "signal-parent", 6, EPERM, signal_parent },
  { "read-tokens", 1, EACCES, read_tokens },
  { "read-token-configuration", 1, EACCES, read_token_configuration },
  { "allow-unix/read-tokens", 1, 0, read_tokens, TRUE },
  { "allow-unix/read-token-configuration", 1, 0, read_token_configuration, TRUE },
  { "allow-unix/write-tokens", 1, EACCES, write_tokens, TRUE },
  { "allow-unix/read-state", 1, EACCES, read_state, TRUE },
  { "allow-unix/connect-abstract", 1, 0, connect_abstract, TRUE },
  { "allow-unix/connect-tcp", 4, EACCES, connect_tcp, TRUE },
  { "allow-unix/signal-parent", 6, EPERM, signal_parent, TRUE },
};

/* The errno of the act, 0 = it was let through; 255 = it was not tried. */
static int
try_in_child (const Row *row, gboolean confined)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    {
      if (confined && (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                       !dps_confine_files (world.plugins,
                                           row->allow_unix,
                                           dps_landlock_abi (),
                                           NULL)))
        _exit (255);
      _exit (row->act () < 0 ? errno : 0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
test_row (gconstpointer data)
{
  const Row *row = data;

  if (dps_landlock_abi () < row->abi)
    g_test_skip ("this kernel's Landlock does not know it");
  else if (row->act == control_device && try_in_child (row, FALSE) != ENOTTY)
    g_test_skip ("no device can be used here");
  else
    g_assert_cmpint (try_in_child (row, TRUE), ==, row->result);
}

static void
listen_tcp (int *fd)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t size = sizeof address;

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  *fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (*fd, (struct sockaddr *) &address, size), ==, 0);
  g_assert_cmpint (listen (*fd, 8), ==, 0);
  getsockname (*fd, (struct sockaddr *) &address, &size);
  targets.port = ntohs (address.sin_port);
}

static void
listen_abstract (int *fd)
{
  targets.abstract.sun_family = AF_UNIX;
  /* Its name is the world's, behind the NUL that makes it abstract. */
  strcpy (targets.abstract.sun_path + 1, world.root);
  targets.abstract_size =
      offsetof (struct sockaddr_un, sun_path) + 1 + (socklen_t) strlen (world.root);
  *fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (*fd,
                         (struct sockaddr *) &targets.abstract,
                         targets.abstract_size),
                   ==,
                   0);
  g_assert_cmpint (listen (*fd, 8), ==, 0);
}

int
main (int argc, char **argv)
{
  dps_autofd tcp = -1, abstract = -1;
  int status;

  g_test_init (&argc, &argv, NULL);
  world_make ();
  atexit (world_unmake);
  targets.file = plugin_path ("file");
  targets.device = plugin_path ("device");
  g_assert_true (g_file_set_contents (targets.file, "plugin", -1, NULL));
  /* A null device among the plugins, where reading is allowed. */
  g_assert_cmpint (mknod (targets.device, S_IFCHR | 0666, makedev (1, 3)), ==, 0);
  listen_tcp (&tcp);
  listen_abstract (&abstract);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *path = g_strdup_printf ("/landlock/%s%s",
                                               rows[i].name,
                                               rows[i].result ? ":refused" : "");

      g_test_add_data_func (path, &rows[i], test_row);
    }
  status = g_test_run ();
  g_free (targets.file);
  g_free (targets.device);
  return status;
}
