/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "plugin-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

/* What the kernel lets a plugin do, tried from inside one, in the plugin host as it is
 * installed: a case for each call and each file. */

typedef struct
{
  const char *name;
  const char *result; /* "allowed", or the name of the errno */
} Row;

/* Calls with zeros for arguments. EPERM: the filter knows and forbids them; ENOSYS: the
 * filter does not know them. Nothing else can come from the filter, and these calls would
 * say something else if they came as far as the kernel's own checks. */
static const Row calls[] = {
  /* the network, and other processes' sockets */
  { "connect", "EPERM" },
  { "bind", "EPERM" },
  { "listen", "EPERM" },
  { "accept", "EPERM" },
  { "accept4", "EPERM" },
  { "socketpair", "EPERM" },
  /* other processes */
  { "ptrace", "EPERM" },
  { "process_vm_readv", "EPERM" },
  { "process_vm_writev", "EPERM" },
  { "process_madvise", "EPERM" },
  { "process_mrelease", "EPERM" },
  { "kcmp", "EPERM" },
  { "pidfd_open", "EPERM" },
  { "pidfd_getfd", "EPERM" },
  { "pidfd_send_signal", "EPERM" },
  { "tkill", "EPERM" },
  { "rt_sigqueueinfo", "EPERM" },
  { "rt_tgsigqueueinfo", "EPERM" },
  { "setpgid", "EPERM" },
  { "setsid", "EPERM" },
  /* new processes and programs */
  { "execve", "EPERM" },
  { "execveat", "EPERM" },
  { "fork", "EPERM" },
  { "vfork", "EPERM" },
  { "clone3", "ENOSYS" },
  { "unshare", "EPERM" },
  { "setns", "EPERM" },
  { "personality", "EPERM" },
  /* the kernel's back doors */
  { "io_uring_setup", "EPERM" },
  { "io_uring_enter", "EPERM" },
  { "io_uring_register", "EPERM" },
  { "bpf", "EPERM" },
  { "userfaultfd", "EPERM" },
  { "perf_event_open", "EPERM" },
  { "keyctl", "EPERM" },
  { "add_key", "EPERM" },
  { "request_key", "EPERM" },
  { "seccomp", "EPERM" },
  { "init_module", "EPERM" },
  { "finit_module", "EPERM" },
  { "delete_module", "EPERM" },
  { "kexec_load", "EPERM" },
  { "reboot", "EPERM" },
  { "ioperm", "EPERM" },
  { "iopl", "EPERM" },
  { "syslog", "ENOSYS" },
  { "landlock_restrict_self", "ENOSYS" },
  { "modify_ldt", "ENOSYS" },
  { "memfd_secret", "ENOSYS" },
  /* mounts */
  { "mount", "EPERM" },
  { "umount2", "EPERM" },
  { "pivot_root", "EPERM" },
  { "chroot", "EPERM" },
  { "move_mount", "EPERM" },
  { "open_tree", "EPERM" },
  { "fsopen", "EPERM" },
  { "fsmount", "EPERM" },
  { "fsconfig", "EPERM" },
  { "fspick", "EPERM" },
  { "mount_setattr", "EPERM" },
  /* who it is, and what it may use */
  { "setuid", "EPERM" },
  { "setgid", "EPERM" },
  { "setresuid", "EPERM" },
  { "setgroups", "EPERM" },
  { "capset", "EPERM" },
  { "setrlimit", "EPERM" },
  { "sched_setscheduler", "EPERM" },
  /* files: nothing is made, changed, watched, or opened past the filter */
  { "openat2", "ENOSYS" },
  { "open_by_handle_at", "EPERM" },
  { "name_to_handle_at", "EPERM" },
  { "creat", "EPERM" },
  { "mkdir", "EPERM" },
  { "mknod", "EPERM" },
  { "unlink", "EPERM" },
  { "unlinkat", "EPERM" },
  { "rename", "EPERM" },
  { "renameat2", "EPERM" },
  { "linkat", "EPERM" },
  { "symlinkat", "EPERM" },
  { "chmod", "EPERM" },
  { "fchmod", "EPERM" },
  { "fchmodat2", "ENOSYS" },
  { "chown", "EPERM" },
  { "truncate", "EPERM" },
  { "utimensat", "EPERM" },
  { "setxattr", "EPERM" },
  { "chdir", "ENOSYS" },
  { "fchdir", "ENOSYS" },
  { "inotify_init1", "EPERM" },
  { "fanotify_init", "EPERM" },
  { "copy_file_range", "ENOSYS" },
  { "sendfile", "ENOSYS" },
  /* shared memory and queues that outlive it */
  { "shmget", "EPERM" },
  { "msgget", "EPERM" },
  { "semget", "EPERM" },
  { "mq_open", "EPERM" },
};

/* The same calls as programs make them, with arguments that matter. */
static const Row acts[] = {
  { "socket-inet", "EPERM" },
  { "socket-inet-udp", "EPERM" },
  { "socket-inet-high-bit", "EPERM" },
  { "socket-inet6", "EPERM" },
  { "socket-netlink", "EPERM" },
  { "socket-packet", "EPERM" },
  { "socket-vsock", "EPERM" },
  { "socket-alg", "EPERM" },
  { "socket-unix", "EPERM" },
  { "socket-in-a-thread", "EPERM" },
  { "socketpair", "EPERM" },
  { "fork", "EPERM" },
  { "clone-process", "EPERM" },
  { "clone-namespace", "EPERM" },
  { "posix-spawn", "EPERM" },
  { "execve", "EPERM" },
  { "execveat-memory", "EPERM" },
  { "kill-parent", "EPERM" },
  { "kill-group", "EPERM" },
  { "kill-all", "EPERM" },
  { "tgkill-parent", "EPERM" },
  { "sigqueue-parent", "EPERM" },
  { "ptrace-parent", "EPERM" },
  { "ptrace-traceme", "EPERM" },
  { "ioctl-tiocsti", "ENOSYS" },
  { "ioctl-setflags", "ENOSYS" },
  { "prctl-dumpable", "ENOSYS" },
  { "prctl-deathsig", "ENOSYS" },
  { "prctl-tracer", "ENOSYS" },
  { "prctl-seccomp", "ENOSYS" },
  { "fcntl-owner", "ENOSYS" },
  { "fcntl-signal", "ENOSYS" },
  { "fcntl-lease", "ENOSYS" },
  { "prlimit-parent", "ENOSYS" },
  { "open-write", "EPERM" },
  { "open-both", "EPERM" },
  { "open-create", "EPERM" },
  { "open-truncate", "EPERM" },
  { "open-odd-mode", "EPERM" },
  { "inherited-descriptor", "EBADF" },
  /* so that a filter that refuses all is no success */
  { "thread", "allowed" },
  { "kill-self", "allowed" },
  { "prctl-name", "allowed" },
};

/* What a plugin may call; whatever else the kernel has is refused. Written down a second
 * time on purpose: who widens the filter says so here. Those of the second part depend on
 * their arguments and are rows above. */
static const char may_call[] =
    "brk mmap mprotect munmap mremap madvise mlock mlock2 munlock membarrier "
    "memfd_create "
    "mincore msync close close_range read readv pread64 preadv preadv2 write writev "
    "pwrite64 pwritev pwritev2 lseek dup dup2 dup3 fstat fstatfs ftruncate fsync "
    "fdatasync fadvise64 pipe pipe2 eventfd eventfd2 timerfd_create timerfd_settime "
    "timerfd_gettime poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl "
    "epoll_wait epoll_pwait epoll_pwait2 stat lstat newfstatat statx statfs access "
    "faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd umask sendto "
    "sendmsg sendmmsg recvfrom recvmsg recvmmsg shutdown getsockopt setsockopt "
    "getsockname getpeername futex futex_waitv set_robust_list get_robust_list rseq "
    "set_tid_address sched_yield sched_getaffinity sched_getparam sched_getattr "
    "sched_getscheduler sched_get_priority_max sched_get_priority_min arch_prctl "
    "set_thread_area restart_syscall exit exit_group clock_gettime clock_getres "
    "clock_nanosleep nanosleep gettimeofday time times getcpu getrandom rt_sigaction "
    "rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait "
    "sigaltstack signalfd4 alarm pause getpid getppid gettid getuid geteuid getgid "
    "getegid getresuid getresgid getgroups getpgrp getpgid getrlimit getrusage "
    "getpriority capget uname sysinfo "
    "clone kill tgkill open openat fcntl ioctl prctl prlimit64 socket connect";

/* --- asking the prober -----------------------------------------------------------------
 */

static char *
found_by (DpsPluginRunner *runner, Case *c)
{
  g_autoptr (DpsPluginDescription) description = NULL;
  g_autoptr (GError) error = NULL;

  description = describe_with (runner, c, NULL, &error);
  g_assert_no_error (error);
  return g_strdup (g_hash_table_lookup (description->material, "found"));
}

static char *
ask (const char *behave, const char *argument, gboolean allow_unix)
{
  Case call = { "prober",
                behave,
                .argument = argument,
                .host = world.host,
                .allow_unix = allow_unix };
  g_autoptr (DpsPluginRunner) runner = runner_of (&call);

  return found_by (runner, &call);
}

static char *
result_of (const char *found, const char *name)
{
  g_auto (GStrv) lines = g_strsplit (found, "\n", -1);
  gsize length = strlen (name);

  for (gsize i = 0; lines[i] != NULL; i++)
    if (strncmp (lines[i], name, length) == 0 && lines[i][length] == '=')
      return g_strdup (lines[i] + length + 1);
  return g_strdup ("not tried");
}

static void
assert_result (const char *found, const char *name, const char *wanted)
{
  g_autofree char *result = result_of (found, name);

  if (g_strcmp0 (result, wanted) != 0)
    g_error ("'%s' is %s, not %s", name, result, wanted);
}

/* The answers that the single cases look at. */
static struct
{
  char *calls;
  char *acts;
  char *files;
} answers;

static char *
join_calls (void)
{
  GString *names = g_string_new (calls[0].name);

  for (gsize i = 1; i < G_N_ELEMENTS (calls); i++)
    g_string_append_printf (names, " %s", calls[i].name);
  return g_string_free (names, FALSE);
}

static void
test_call (gconstpointer data)
{
  const Row *row = data;
  g_autofree char *result = NULL;

  if (answers.calls == NULL)
    {
      g_autofree char *names = join_calls ();

      answers.calls = ask ("names", names, FALSE);
    }
  result = result_of (answers.calls, row->name);
  if (g_str_equal (result, "absent"))
    g_test_skip ("this architecture has no such call");
  else
    g_assert_cmpstr (result, ==, row->result);
}

static void
test_act (gconstpointer data)
{
  const Row *row = data;

  if (answers.acts == NULL)
    answers.acts = ask ("acts", NULL, FALSE);
  assert_result (answers.acts, row->name, row->result);
}

static void
test_sweep (void)
{
  g_autofree char *found = ask ("sweep", may_call, FALSE);

  g_test_message ("%s", found);
  g_assert_true (g_str_has_prefix (found, "tried="));
  g_assert_cmpint (atoi (found + strlen ("tried=")), >, 400);
}

/* The filter of the sanitized host, under which the other tests run, is the same. */
static void
test_sanitized (void)
{
  g_autofree char *host = g_strdup (world.host);
  g_autofree char *names = join_calls ();
  g_autofree char *plain = ask ("names", names, FALSE);
  g_autofree char *sanitized = NULL;
  char *kept = world.host;

  world.host =
      g_test_build_filename (G_TEST_BUILT, "../agent/plugin-host/dps-plugin-host", NULL);
  sanitized = ask ("names", names, FALSE);
  g_free (world.host);
  world.host = kept;
  g_assert_cmpstr (plain, ==, sanitized);
}

/* Each ends the process at once: such a call never reaches the kernel. */
static void
test_architecture (gconstpointer behave)
{
#ifdef __x86_64__
  Case call = { "prober", behave };
  g_autoptr (GError) error = NULL;

  g_assert_null (describe (&call, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
  g_assert_cmpstr (error->message,
                   ==,
                   "plugin prober: crashed with signal 31 in describe");
#else
  g_test_skip ("this architecture has no other in it");
#endif
}

/* --- the exception ---------------------------------------------------------------------
 */

static gboolean
listens (int family, const void *address, gsize size, int *fd)
{
  *fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return *fd >= 0 && bind (*fd, address, (socklen_t) size) == 0 && listen (*fd, 8) == 0;
}

static void
test_unix_allowed (void)
{
  static const char *const refused[] = {
    "socket-inet",   "socket-inet-udp",    "socket-inet6", "socket-inet-high-bit",
    "socket-packet", "socket-netlink",     "socket-vsock", "socket-alg",
    "socketpair",    "socket-in-a-thread", "fork",         "execve",
    "kill-parent",   "ptrace-parent"
  };
  g_autofree char *found = ask ("acts", NULL, TRUE);

  assert_result (found, "socket-unix", "allowed");
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    assert_result (found, refused[i], "EPERM");
}

static void
test_unix_connects (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofree char *path = g_build_filename (world.root, "daemon", NULL);
  gsize size = offsetof (struct sockaddr_un, sun_path) + strlen (path) + 1;
  dps_autofd file = -1, abstract = -1;
  g_autofree char *without = NULL;
  g_autofree char *with = NULL;

  strcpy (address.sun_path, path);
  g_assert_true (listens (AF_UNIX, &address, size, &file));
  address.sun_path[0] = '\0';
  g_assert_true (listens (AF_UNIX, &address, size, &abstract));
  with = ask ("unix", path, TRUE);
  assert_result (with, "connect-file", "allowed");
  assert_result (with, "connect-abstract", "allowed");
  without = ask ("unix", path, FALSE);
  assert_result (without, "connect-file", "EPERM");
  assert_result (without, "connect-abstract", "EPERM");
}

static long
kernel_landlock (void)
{
  return syscall (SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

/* Where the filter lets connect() through, Landlock keeps TCP shut. */
static void
test_tcp (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t size = sizeof address;
  g_autofree char *port = NULL;
  dps_autofd listener = -1;

  if (kernel_landlock () < 4)
    {
      g_test_skip ("the kernel's Landlock knows no TCP");
      return;
    }
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  g_assert_true (listens (AF_INET, &address, sizeof address, &listener));
  getsockname (listener, (struct sockaddr *) &address, &size);
  port = g_strdup_printf ("%u", ntohs (address.sin_port));
  for (int allow = 0; allow <= 1; allow++)
    {
      Case call = { "prober", "tcp", .argument = port, .allow_unix = allow };
      g_autoptr (DpsPluginRunner) runner = runner_of (&call);
      dps_autofd fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      g_autofree char *found = NULL;

      dps_plugin_runner_set_tpm (runner, open_copy, &fd, NULL);
      found = found_by (runner, &call);
      assert_result (found, "connect", allow ? "EACCES" : "EPERM");
      assert_result (found, "bind", "EPERM");
    }
}

static void
test_reported (void)
{
  for (int allow = 0; allow <= 1; allow++)
    {
      Case call = { "prober", .allow_unix = allow };
      g_autoptr (DpsPluginProbe) found = probe (&call);

      g_assert_true (found->confinement.seccomp);
      g_assert_cmpint (found->confinement.unix_sockets, ==, allow);
      g_assert_cmpint (found->confinement.landlock, ==, CLAMP (kernel_landlock (), 0, 7));
    }
}

/* --- files -----------------------------------------------------------------------------
 */

/* %w the world, %p the agent's process (this one). */
static const Row files[] = {
  { "/usr/lib/os-release", "allowed" },
  { "/usr/bin", "allowed" },
  { "/etc/ssl/certs", "allowed" },
  { "/etc/ld.so.cache", "allowed" },
  { "%w/plugins", "allowed" },
  { "%w/plugins/prober.so", "allowed" },
  /* the store, and what belongs to another plugin */
  { "%w/state", "EACCES" },
  { "%w/state/gen-00000001", "EACCES" },
  { "%w/other.key", "EACCES" },
  { "%w/plugins/../other.key", "EACCES" },
  { "%w/plugins/key-by-link", "EACCES" },
  { "/usr/../var/lib", "EACCES" },
  /* the agent */
  { "/proc/%p/mem", "EACCES" },
  { "/proc/%p/fd", "EACCES" },
  { "/proc/%p/environ", "EACCES" },
  { "/proc/%p/maps", "EACCES" },
  { "/proc/self/mem", "EACCES" },
  { "/proc/1/environ", "EACCES" },
  /* the host */
  { "/", "EACCES" },
  { "/root", "EACCES" },
  { "/home", "EACCES" },
  { "/tmp", "EACCES" },
  { "/etc", "EACCES" },
  { "/etc/shadow", "EACCES" },
  { "/etc/passwd", "EACCES" },
  { "/etc/machine-id", "EACCES" },
  { "/sys", "EACCES" },
  /* devices */
  { "%w/tpmrm0", "EACCES" },
  { "/dev/tpmrm0", "EACCES" },
  { "/dev/mem", "EACCES" },
  { "/dev/kmsg", "EACCES" },
  { "/dev/vsock", "EACCES" },
  { "/dev/null", "EACCES" },
};

static char *
expand (const char *path)
{
  g_autofree char *pid = g_strdup_printf ("%d", getpid ());
  GString *out = g_string_new (path);

  g_string_replace (out, "%w", world.root, 0);
  g_string_replace (out, "%p", pid, 0);
  return g_string_free (out, FALSE);
}

static char *
ask_files (void)
{
  g_autoptr (GString) paths = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autofree char *path = expand (files[i].name);

      g_string_append_printf (paths, "%s%s", i > 0 ? "\n" : "", path);
    }
  return ask ("files", paths->str, FALSE);
}

static void
test_file (gconstpointer data)
{
  const Row *row = data;
  g_autofree char *path = expand (row->name);

  if (kernel_landlock () < 1)
    {
      g_test_skip ("this kernel has no Landlock");
      return;
    }
  if (answers.files == NULL)
    answers.files = ask_files ();
  /* A path that is not there shows nothing; a dangling one was no file to open. */
  if (access (path, F_OK) < 0)
    g_test_skip ("this host has no such file");
  else
    assert_result (answers.files, path, row->result);
}

/* Readable by owner and mode, as the tests are root. */
static void
make_files (void)
{
  g_autofree char *device = g_build_filename (world.root, "tpmrm0", NULL);
  g_autofree char *link = g_build_filename (world.plugins, "key-by-link", NULL);

  g_assert_cmpint (symlink (world.other_key, link), ==, 0);
  /* A null device under the name of a TPM's. */
  g_assert_cmpint (mknod (device, S_IFCHR | 0666, makedev (1, 3)), ==, 0);
}

/* --- limits ----------------------------------------------------------------------------
 */

/* What /proc says of the child while it hangs in a verb. */
static const struct
{
  const char *file;
  const char *line;
} limits[] = {
  { "oom_score_adj", "1000" },
  { "status", "NoNewPrivs:\t1" },
  { "status", "Seccomp:\t2" },
  { "limits", "Max core file size        0                    0" },
  { "limits", "Max file size             1048576              1048576" },
  { "limits", "Max open files            64                   64" },
  { "limits", "Max data size             134217728            134217728" },
  { "limits", "Max address space         536870912            536870912" },
};

static char *
read_child (pid_t parent, const char *file)
{
  g_autofree char *children =
      g_strdup_printf ("/proc/%d/task/%d/children", (int) parent, (int) parent);
  g_autofree char *pid = NULL;
  g_autofree char *path = NULL;
  char *text = NULL;

  if (!g_file_get_contents (children, &pid, NULL, NULL))
    return NULL;
  path = g_strdup_printf ("/proc/%s/%s", g_strstrip (pid), file);
  g_file_get_contents (path, &text, NULL, NULL);
  return text;
}

/* Looks until the filter is in, which comes last; ends the call then. */
static gboolean
on_look (gpointer data)
{
  g_autofree char *status = read_child (getpid (), "status");

  if (status == NULL || strstr (status, "Seccomp:\t2") == NULL)
    return G_SOURCE_CONTINUE;
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      g_autofree char *text = read_child (getpid (), limits[i].file);

      if (text == NULL || strstr (text, limits[i].line) == NULL)
        g_error ("%s has no '%s':\n%s", limits[i].file, limits[i].line, text);
    }
  g_cancellable_cancel (data);
  return G_SOURCE_REMOVE;
}

static void
test_limits (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Case call = { "hostile", "hang" };
  g_autoptr (DpsPluginRunner) runner = runner_of (&call);
  g_autoptr (GError) error = NULL;

  g_timeout_add (1, on_look, cancellable);
  g_assert_null (describe_with (runner, &call, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* --- the end of the agent --------------------------------------------------------------
 */

#define NOBODY 65534
#define AS_AGENT "--as-agent" /* the argument of this program */

/* What a test is to wait for before it says that it never came. */
#define PATIENCE 30 /* s */

/* An agent of its own, as nobody, whose plugin hangs: it never comes back. */
static int
be_agent (char *host, char *plugins)
{
  Case call = { "hostile", "hang" };

  if (setresgid (NOBODY, NOBODY, NOBODY) < 0 || setresuid (NOBODY, NOBODY, NOBODY) < 0)
    return 1;
  world.host = host;
  world.plugins = plugins;
  world.state_file = (char *) "none";
  dps_secret_init ();
  return describe (&call, NULL) != NULL;
}

static pid_t
start_agent (const char *host)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *const argv[] = { self, AS_AGENT, host, world.plugins, NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;

  g_spawn_async (NULL,
                 (char **) argv,
                 NULL,
                 G_SPAWN_DO_NOT_REAP_CHILD,
                 NULL,
                 NULL,
                 &pid,
                 &error);
  g_assert_no_error (error);
  return pid;
}

/* How /proc/PID/syscall begins while a process is in pause(). */
static char *
in_pause (void)
{
#ifdef SYS_pause
  return g_strdup_printf ("%d ", SYS_pause);
#else
  return g_strdup_printf ("%d 0x0 0x0 ", SYS_ppoll);
#endif
}

/* The child of the process, once its plugin hangs. */
static pid_t
hanging_child (pid_t parent)
{
  gint64 limit = g_get_monotonic_time () + PATIENCE * G_USEC_PER_SEC;
  g_autofree char *pause = in_pause ();

  for (; g_get_monotonic_time () < limit; g_usleep (1000))
    {
      g_autofree char *call = read_child (parent, "syscall");
      g_autofree char *stat = read_child (parent, "stat");

      if (call != NULL && stat != NULL && g_str_has_prefix (call, pause))
        return atoi (stat);
    }
  g_error ("no plugin of the agent hangs");
}

/* Where the host is as it is installed: nobody may run it. */
static char *
copy_host (void)
{
  g_autofree char *content = NULL;
  char *copy = g_build_filename (world.root, "host", NULL);
  gsize size;

  g_assert_true (g_file_get_contents (world.host, &content, &size, NULL));
  g_assert_true (g_file_set_contents (copy, content, (gssize) size, NULL));
  g_assert_cmpint (g_chmod (copy, 0755), ==, 0);
  return copy;
}

/* Whether the process, which is the caller's to reap, ended by itself. */
static gboolean
ends (pid_t pid, int *wait_status)
{
  dps_autofd fd = pidfd_open (pid, 0);
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  gboolean ended = poll (&poll_fd, 1, PATIENCE * 1000) == 1;

  if (!ended)
    kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, wait_status, 0), ==, pid);
  return ended;
}

/* The agent is killed while a plugin hangs: its child, which reads nothing, ends as well.
 * All the while what /proc has of it is root's, not its user's: it is not dumpable. */
static void
test_end_of_agent (void)
{
  g_autofree char *host = copy_host ();
  g_autofree char *memory = NULL;
  struct stat st;
  pid_t agent, child;
  int wait_status;

  g_assert_cmpint (prctl (PR_SET_CHILD_SUBREAPER, 1), ==, 0);
  agent = start_agent (host);
  child = hanging_child (agent);
  memory = g_strdup_printf ("/proc/%d/mem", (int) child);
  g_assert_cmpint (stat (memory, &st), ==, 0);
  g_assert_cmpint (kill (agent, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (agent, NULL, 0), ==, agent);
  g_assert_true (ends (child, &wait_status));
  g_assert_true (WIFSIGNALED (wait_status));
  g_assert_cmpint (WTERMSIG (wait_status), ==, SIGKILL);
  g_assert_cmpuint (st.st_uid, ==, 0);
  g_assert_cmpint (prctl (PR_SET_CHILD_SUBREAPER, 0), ==, 0);
}

static void
add_rows (const char *prefix, const Row *rows, gsize n, GTestDataFunc test)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdelimit (g_strdup (rows[i].name), "/", ':');
      g_autofree char *path = g_strdup_printf ("%s/%s-%s", prefix, name, rows[i].result);

      g_test_add_data_func (path, &rows[i], test);
    }
}

int
main (int argc, char **argv)
{
  int status;

  if (argc == 4 && g_str_equal (argv[1], AS_AGENT))
    return be_agent (argv[2], argv[3]);
  g_test_init (&argc, &argv, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  g_assert_cmpint (argc, ==, 2);
  dps_secret_init ();
  world_make ();
  atexit (world_unmake);
  g_free (world.host);
  world.host = g_strdup (argv[1]);
  install ("plugins/prober.so", "prober");
  install ("plugins/hostile.so", "hostile");
  make_files ();
  add_rows ("/confined/call", calls, G_N_ELEMENTS (calls), test_call);
  add_rows ("/confined/act", acts, G_N_ELEMENTS (acts), test_act);
  g_test_add_func ("/confined/any-other-call-refused", test_sweep);
  g_test_add_func ("/confined/same-under-sanitizers", test_sanitized);
  g_test_add_data_func ("/confined/architecture/i386-SIGSYS", "i386", test_architecture);
  g_test_add_data_func ("/confined/architecture/x32-SIGSYS", "x32", test_architecture);
  add_rows ("/confined/file", files, G_N_ELEMENTS (files), test_file);
  g_test_add_func ("/confined/exception/unix-and-nothing-else", test_unix_allowed);
  g_test_add_func ("/confined/exception/connects", test_unix_connects);
  g_test_add_func ("/confined/exception/no-tcp", test_tcp);
  g_test_add_func ("/confined/reported-to-the-agent", test_reported);
  g_test_add_func ("/confined/limits", test_limits);
  g_test_add_func ("/confined/ends-with-the-agent", test_end_of_agent);
  status = g_test_run ();
  g_free (answers.calls);
  g_free (answers.acts);
  g_free (answers.files);
  return status;
}
