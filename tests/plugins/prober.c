/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A plugin that tries what the setting "behave" says on what the setting "argument" says,
 * and hands back "name=ERRNO" lines as the material "found". It uses no libc wrapper
 * where one would check arguments before the kernel sees the call. */

typedef struct
{
  const DpsHost *host;
  const char *argument;
  GString *found;
} Probe;

static void
note (Probe *probe, const char *name, long result)
{
  g_string_append_printf (probe->found,
                          "%s=%s\n",
                          name,
                          result >= 0 ? "allowed" : strerrorname_np (errno));
}

static long
call_nothing (int number)
{
  return syscall (number, 0, 0, 0, 0, 0, 0);
}

/* Each named call with zeros for arguments. */
static void
try_names (Probe *probe)
{
  g_auto (GStrv) names = g_strsplit (probe->argument, " ", -1);

  for (gsize i = 0; names[i] != NULL; i++)
    {
      int number = seccomp_syscall_resolve_name (names[i]);

      if (number < 0)
        g_string_append_printf (probe->found, "%s=absent\n", names[i]);
      else
        note (probe, names[i], call_nothing (number));
    }
}

/* Every number but those named, with zeros. Tells of those that are not refused; the last
 * line is how many were tried. */
static void
sweep (Probe *probe)
{
  g_auto (GStrv) names = g_strsplit (probe->argument, " ", -1);
  guint tried = 0;

  for (int number = 0; number < 600; number++)
    {
      char *name = seccomp_syscall_resolve_num_arch (SCMP_ARCH_NATIVE, number);
      g_autofree char *shown = g_strdup_printf ("%d", number);
      gboolean left_out =
          name != NULL && g_strv_contains ((const char *const *) names, name);

#ifdef __x86_64__
      /* Those of a probe's trampoline: the kernel lets them pass every filter, and ends
       * with SIGILL who calls them from anywhere else. */
      left_out |= number == 335 || number == 336;
#endif

      if (!left_out)
        {
          long result = call_nothing (number);

          tried++;
          if (result >= 0 || (errno != EPERM && errno != ENOSYS))
            note (probe, name != NULL ? name : shown, result);
        }
      free (name);
    }
  g_string_append_printf (probe->found, "tried=%u\n", tried);
}

static long
open_socket (int family, int type)
{
  int fd = socket (family, type | SOCK_CLOEXEC, 0);

  if (fd >= 0)
    close (fd);
  return fd;
}

static long
socket_inet (void)
{
  return open_socket (AF_INET, SOCK_STREAM);
}

static long
socket_inet_udp (void)
{
  return open_socket (AF_INET, SOCK_DGRAM);
}

static long
socket_inet6 (void)
{
  return open_socket (AF_INET6, SOCK_STREAM);
}

static long
socket_netlink (void)
{
  return open_socket (AF_NETLINK, SOCK_RAW);
}

static long
socket_packet (void)
{
  return open_socket (AF_PACKET, SOCK_RAW);
}

static long
socket_vsock (void)
{
  return open_socket (AF_VSOCK, SOCK_STREAM);
}

static long
socket_alg (void)
{
  return open_socket (AF_ALG, SOCK_SEQPACKET);
}

static long
socket_unix (void)
{
  return open_socket (AF_UNIX, SOCK_STREAM);
}

/* The family with a bit set above the 32 that the kernel looks at. */
static long
socket_inet_high (void)
{
  return syscall (SYS_socket, (1L << 32) | AF_INET, SOCK_STREAM, 0);
}

static void *
in_thread (void *result)
{
  *(long *) result = socket_inet () < 0 ? -errno : 0;
  return NULL;
}

static long
thread (void)
{
  pthread_t id;
  long result;

  errno = pthread_create (&id, NULL, in_thread, &result);
  return errno == 0 ? pthread_join (id, NULL) : -1;
}

static long
socket_in_thread (void)
{
  pthread_t id;
  long result = 0;

  pthread_create (&id, NULL, in_thread, &result);
  pthread_join (id, NULL);
  errno = (int) -result;
  return result;
}

static long
socket_pair (void)
{
  int pair[2];

  return socketpair (AF_UNIX, SOCK_DGRAM, 0, pair);
}

static long
leave_if_child (long pid)
{
  if (pid == 0)
    _exit (0);
  return pid;
}

static long
try_fork (void)
{
  return leave_if_child (fork ());
}

static long
clone_process (void)
{
  return leave_if_child (syscall (SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

/* A thread, by its flags, that would be in a network of its own; it has no stack, and is
 * never made. */
static long
clone_namespace (void)
{
  return syscall (SYS_clone,
                  CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWNET,
                  0,
                  0,
                  0,
                  0);
}

static char *const true_argv[] = { (char *) "/bin/true", NULL };

static long
try_spawn (void)
{
  pid_t pid;

  errno = posix_spawn (&pid, true_argv[0], NULL, NULL, true_argv, NULL);
  return errno == 0 ? 0 : -1;
}

static long
try_exec (void)
{
  return execve (true_argv[0], true_argv, NULL);
}

/* A program out of memory, by its descriptor. */
static long
exec_memory (void)
{
  char *const none[] = { NULL };
  int fd = memfd_create ("x", 0);
  long result = syscall (SYS_execveat, fd, "", true_argv, none, AT_EMPTY_PATH);

  close (fd);
  return result;
}

static long
kill_parent (void)
{
  return kill (getppid (), 0);
}

static long
kill_group (void)
{
  return kill (0, 0);
}

static long
kill_all (void)
{
  return kill (-1, 0);
}

static long
kill_self (void)
{
  return kill (getpid (), 0);
}

static long
tgkill_parent (void)
{
  return syscall (SYS_tgkill, getppid (), getppid (), 0);
}

static long
queue_parent (void)
{
  siginfo_t info = { .si_code = SI_QUEUE };

  return syscall (SYS_rt_sigqueueinfo, getppid (), SIGTERM, &info);
}

static long
ptrace_parent (void)
{
  return ptrace (PTRACE_SEIZE, getppid (), NULL, NULL);
}

static long
ptrace_me (void)
{
  return ptrace (PTRACE_TRACEME, 0, NULL, NULL);
}

static long
ioctl_tiocsti (void)
{
  return ioctl (0, TIOCSTI, "x");
}

static long
ioctl_flags (void)
{
  int flags = 0;

  return ioctl (0, FS_IOC_SETFLAGS, &flags);
}

static long
prctl_dumpable (void)
{
  return prctl (PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long
prctl_deathsig (void)
{
  return prctl (PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static long
prctl_tracer (void)
{
  return prctl (PR_SET_PTRACER, getppid (), 0, 0, 0);
}

static long
prctl_seccomp (void)
{
  return prctl (PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
}

static long
prctl_name (void)
{
  return prctl (PR_SET_NAME, "prober", 0, 0, 0);
}

static long
fcntl_owner (void)
{
  return fcntl (3, F_SETOWN, getppid ());
}

static long
fcntl_signal (void)
{
  return fcntl (3, F_SETSIG, SIGKILL);
}

static long
fcntl_lease (void)
{
  return fcntl (3, F_SETLEASE, F_RDLCK);
}

static long
limit_parent (void)
{
  struct rlimit none = { 0, 0 };

  return prlimit (getppid (), RLIMIT_NPROC, NULL, &none);
}

static long
open_with (int flags)
{
  int fd = open ("/usr/lib/dps-prober", flags | O_CLOEXEC, 0600);

  if (fd >= 0)
    close (fd);
  return fd;
}

static long
open_write (void)
{
  return open_with (O_WRONLY);
}

static long
open_both (void)
{
  return open_with (O_RDWR);
}

static long
open_create (void)
{
  return open_with (O_CREAT);
}

static long
open_truncate (void)
{
  return open_with (O_TRUNC);
}

static long
open_odd (void)
{
  return open_with (O_ACCMODE);
}

static long
inherited (void)
{
  return fcntl (40, F_GETFD);
}

static const struct
{
  const char *name;
  long (*act) (void);
} acts[] = {
  { "socket-inet", socket_inet },
  { "socket-inet-udp", socket_inet_udp },
  { "socket-inet-high-bit", socket_inet_high },
  { "socket-inet6", socket_inet6 },
  { "socket-netlink", socket_netlink },
  { "socket-packet", socket_packet },
  { "socket-vsock", socket_vsock },
  { "socket-alg", socket_alg },
  { "socket-unix", socket_unix },
  { "socket-in-a-thread", socket_in_thread },
  { "socketpair", socket_pair },
  { "fork", try_fork },
  { "clone-process", clone_process },
  { "clone-namespace", clone_namespace },
  { "posix-spawn", try_spawn },
  { "execve", try_exec },
  { "execveat-memory", exec_memory },
  { "kill-parent", kill_parent },
  { "kill-group", kill_group },
  { "kill-all", kill_all },
  { "tgkill-parent", tgkill_parent },
  { "sigqueue-parent", queue_parent },
  { "ptrace-parent", ptrace_parent },
  { "ptrace-traceme", ptrace_me },
  { "ioctl-tiocsti", ioctl_tiocsti },
  { "ioctl-setflags", ioctl_flags },
  { "prctl-dumpable", prctl_dumpable },
  { "prctl-deathsig", prctl_deathsig },
  { "prctl-tracer", prctl_tracer },
  { "prctl-seccomp", prctl_seccomp },
  { "fcntl-owner", fcntl_owner },
  { "fcntl-signal", fcntl_signal },
  { "fcntl-lease", fcntl_lease },
  { "prlimit-parent", limit_parent },
  { "open-write", open_write },
  { "open-both", open_both },
  { "open-create", open_create },
  { "open-truncate", open_truncate },
  { "open-odd-mode", open_odd },
  { "inherited-descriptor", inherited },
  { "thread", thread },
  { "kill-self", kill_self },
  { "prctl-name", prctl_name },
};

static void
try_acts (Probe *probe)
{
  for (gsize i = 0; i < G_N_ELEMENTS (acts); i++)
    note (probe, acts[i].name, acts[i].act ());
}

/* Opens each line of the argument for reading. */
static void
try_files (Probe *probe)
{
  g_auto (GStrv) paths = g_strsplit (probe->argument, "\n", -1);

  for (gsize i = 0; paths[i] != NULL; i++)
    {
      int fd = open (paths[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

      note (probe, paths[i], fd);
      if (fd >= 0)
        close (fd);
    }
}

static void
connect_unix (Probe *probe, const char *name, int fd, const char *path, gsize size)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };

  memcpy (address.sun_path, path, size);
  note (probe,
        name,
        connect (fd,
                 (struct sockaddr *) &address,
                 (socklen_t) (offsetof (struct sockaddr_un, sun_path) + size)));
}

/* The socket that listens at the path of the argument, and that of the same name, its
 * first byte zero, without a file. */
static void
try_unix (Probe *probe)
{
  g_autofree char *abstract = g_strdup (probe->argument);
  gsize size = strlen (probe->argument);
  int file = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int name = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  abstract[0] = '\0';
  connect_unix (probe, "connect-file", file, probe->argument, size + 1);
  connect_unix (probe, "connect-abstract", name, abstract, size + 1);
}

/* On a TCP socket that came as the descriptor of a TPM: the port of the argument. */
static void
try_tcp (Probe *probe)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  int fd = probe->host->tpm_fd (probe->host);

  address.sin_port = htons ((guint16) g_ascii_strtoull (probe->argument, NULL, 10));
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  note (probe, "connect", connect (fd, (struct sockaddr *) &address, sizeof address));
  note (probe, "bind", bind (fd, (struct sockaddr *) &address, sizeof address));
}

#ifdef __x86_64__
/* getpid() as the 32-bit architecture has it. */
static void
enter_as_i386 (Probe *probe)
{
  long result;

  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(20)
                   : "memory", "r8", "r9", "r10", "r11");
  note (probe, "int80", result);
}

static void
enter_as_x32 (Probe *probe)
{
  note (probe, "x32", syscall (0x40000000 + SYS_getpid));
}
#endif

static const struct
{
  const char *name;
  void (*run) (Probe *probe);
} behaviours[] = {
  { "names", try_names },    { "sweep", sweep },      { "acts", try_acts },
  { "files", try_files },    { "unix", try_unix },    { "tcp", try_tcp },
#ifdef __x86_64__
  { "i386", enter_as_i386 }, { "x32", enter_as_x32 },
#endif
};

static DpsPluginResult
describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *behave = host->get_setting (host, "behave");
  Probe probe = { host, host->get_setting (host, "argument"), g_string_new (NULL) };

  for (gsize i = 0; i < G_N_ELEMENTS (behaviours); i++)
    if (g_str_equal (behave, behaviours[i].name))
      behaviours[i].run (&probe);
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->material = g_new0 (char *, 3);
  out->material[0] = g_strdup ("found");
  out->material[1] = g_string_free (probe.found, FALSE);
  return DPS_PLUGIN_OK;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "prober",
  .describe = describe,
};
