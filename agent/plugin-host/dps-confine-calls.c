/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-host/dps-confine.h"
#include "common/dps-io.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* What GLib, the loader, libcrypto and a TPM library use, and nothing that reaches
 * another process, another file system object's attributes, or the network. */
static const char allowed[] =
    /* memory */
    "brk mmap mmap2 mprotect munmap mremap madvise mlock mlock2 munlock membarrier "
    "memfd_create mincore msync "
    /* descriptors that are open, and files through the filter on open below */
    "close close_range read readv pread64 preadv preadv2 write writev pwrite64 "
    "pwritev pwritev2 lseek _llseek dup dup2 dup3 fstat fstat64 fstatfs fstatfs64 "
    "ftruncate ftruncate64 fsync fdatasync fadvise64 fadvise64_64 pipe pipe2 "
    "eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime poll ppoll "
    "ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create "
    "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 "
    /* names, for reading */
    "stat stat64 lstat lstat64 newfstatat fstatat64 statx statfs statfs64 access "
    "faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd umask "
    /* the socket that is open */
    "sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg recvmmsg_time64 shutdown "
    "getsockopt setsockopt getsockname getpeername "
    /* threads and their time */
    "futex futex_time64 futex_waitv set_robust_list get_robust_list rseq "
    "set_tid_address sched_yield sched_getaffinity sched_getparam "
    "sched_getattr sched_getscheduler sched_get_priority_max sched_get_priority_min "
    "arch_prctl "
    "set_thread_area restart_syscall exit exit_group clock_gettime clock_gettime64 "
    "clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64 "
    "nanosleep gettimeofday time times getcpu getrandom "
    /* signals of its own */
    "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 sigaction sigprocmask sigreturn "
    "sigaltstack signalfd4 alarm pause "
    /* what it is */
    "getpid getppid gettid getuid geteuid getgid getegid getuid32 geteuid32 "
    "getgid32 getegid32 getresuid getresgid getgroups getpgrp getpgid getrlimit "
    "ugetrlimit getrusage getpriority capget uname sysinfo";

/* These say EPERM, so that a plugin learns that it may not; all else that is not allowed
 * says ENOSYS, which libraries take as an older kernel and know how to live with. */
static const char refused[] =
    "socketpair bind listen accept accept4 ptrace process_vm_readv "
    "process_vm_writev process_madvise process_mrelease kcmp pidfd_open "
    "pidfd_getfd pidfd_send_signal execve execveat fork vfork tkill "
    "rt_sigqueueinfo rt_tgsigqueueinfo setpgid setsid io_uring_setup "
    "io_uring_enter io_uring_register bpf keyctl add_key request_key mount umount "
    "umount2 pivot_root chroot move_mount open_tree fsopen fsmount fsconfig fspick "
    "mount_setattr unshare setns userfaultfd perf_event_open open_by_handle_at "
    "name_to_handle_at setuid setgid setreuid setregid setresuid setresgid "
    "setfsuid setfsgid setgroups setuid32 setgid32 setreuid32 setregid32 "
    "setresuid32 setresgid32 setgroups32 capset seccomp personality init_module "
    "finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff "
    "settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname "
    "setrlimit setpriority sched_setscheduler sched_setparam sched_setattr "
    "sched_setaffinity ioprio_set ioperm iopl shmget shmat shmctl msgget msgsnd "
    "msgrcv msgctl semget semop semctl mq_open creat mkdir mkdirat mknod mknodat "
    "unlink unlinkat rmdir rename renameat renameat2 link linkat symlink symlinkat "
    "chmod fchmod fchmodat chown fchown lchown fchownat truncate truncate64 utime "
    "utimes futimesat utimensat setxattr lsetxattr fsetxattr removexattr "
    "lremovexattr fremovexattr inotify_init inotify_init1 fanotify_init";

/* The commands of fcntl() that name no process to signal. */
static const int fcntl_commands[] = {
  F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,     F_SETFD,     F_GETFL,
  F_SETFL,     F_GETLK,         F_SETLK,     F_SETLKW,    F_OFD_GETLK,
  F_OFD_SETLK, F_OFD_SETLKW,    F_GET_SEALS, F_ADD_SEALS, F_GETPIPE_SZ,
};

static const unsigned int ioctl_requests[] = { FIONREAD, FIONBIO, FIOCLEX,
                                               FIONCLEX, TCGETS,  TIOCGWINSZ };

/* PR_SET_VMA names memory; newer C libraries and sanitizers do. */
static const unsigned int prctl_options[] = { PR_SET_NAME,
                                              PR_GET_NAME,
                                              PR_GET_DUMPABLE,
                                              PR_GET_NO_NEW_PRIVS,
                                              0x53564d41 };

typedef struct
{
  scmp_filter_ctx context;
  int failed; /* the first error, negative, or 0 */
} Filter;

static void
add (Filter *filter,
     uint32_t action,
     const char *name,
     unsigned int n,
     const struct scmp_arg_cmp *args)
{
  int number = seccomp_syscall_resolve_name (name);
  int r;

  /* A call that this architecture or this libseccomp does not know falls to the default,
   * which is ENOSYS. */
  if (number == __NR_SCMP_ERROR || filter->failed != 0)
    return;
  r = seccomp_rule_add_array (filter->context, action, number, n, args);
  if (r < 0 && r != -EDOM && r != -EACCES)
    filter->failed = r;
}

/* Allows name where argument, masked, equals value; what no rule of that name matches
 * falls to the default. */
static void
allow_if (Filter *filter, const char *name, unsigned int arg, guint64 mask, guint64 value)
{
  struct scmp_arg_cmp cmp = SCMP_CMP64 (arg, SCMP_CMP_MASKED_EQ, mask, value);

  add (filter, SCMP_ACT_ALLOW, name, 1, &cmp);
}

static void
add_names (Filter *filter, uint32_t action, const char *names)
{
  g_auto (GStrv) list = g_strsplit (names, " ", -1);

  for (gsize i = 0; list[i] != NULL; i++)
    add (filter, action, list[i], 0, NULL);
}

static void
add_lists (Filter *filter)
{
  add_names (filter, SCMP_ACT_ALLOW, allowed);
  for (gsize i = 0; i < G_N_ELEMENTS (fcntl_commands); i++)
    {
      allow_if (filter, "fcntl", 1, 0xffffffff, (guint64) fcntl_commands[i]);
      allow_if (filter, "fcntl64", 1, 0xffffffff, (guint64) fcntl_commands[i]);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (ioctl_requests); i++)
    allow_if (filter, "ioctl", 1, 0xffffffff, ioctl_requests[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (prctl_options); i++)
    allow_if (filter, "prctl", 0, 0xffffffff, prctl_options[i]);
}

static void
refuse_if (Filter *filter,
           const char *name,
           unsigned int arg,
           guint64 mask,
           guint64 value)
{
  struct scmp_arg_cmp cmp = SCMP_CMP64 (arg, SCMP_CMP_MASKED_EQ, mask, value);

  add (filter, SCMP_ACT_ERRNO (EPERM), name, 1, &cmp);
}

/* Allows name where the argument is value, EPERM for any other. */
static void
allow_only (Filter *filter, const char *name, unsigned int arg, guint64 value)
{
  struct scmp_arg_cmp other = SCMP_CMP64 (arg, SCMP_CMP_NE, value);

  allow_if (filter, name, arg, G_MAXUINT64, value);
  add (filter, SCMP_ACT_ERRNO (EPERM), name, 1, &other);
}

static void
add_opening (Filter *filter, const char *name, unsigned int arg)
{
  static const guint64 writing[] = { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC };

  allow_if (filter, name, arg, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
  for (gsize i = 0; i < G_N_ELEMENTS (writing); i++)
    refuse_if (filter, name, arg, writing[i], writing[i]);
}

static void
add_processes (Filter *filter)
{
  /* clone() has its flags second on one architecture. clone3() passes them in memory,
   * where no filter sees them: the C library falls back to clone(). */
  unsigned int flags = seccomp_arch_native () == SCMP_ARCH_S390X ? 1 : 0;
  static const guint64 spaces[] = { CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                    CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                    CLONE_NEWNET };
  guint64 self = (guint64) getpid (), mask = CLONE_THREAD;

  /* A thread, in the name spaces that are there. */
  for (gsize i = 0; i < G_N_ELEMENTS (spaces); i++)
    {
      refuse_if (filter, "clone", flags, spaces[i], spaces[i]);
      mask |= spaces[i];
    }
  allow_if (filter, "clone", flags, mask, CLONE_THREAD);
  refuse_if (filter, "clone", flags, CLONE_THREAD, 0);
  allow_only (filter, "kill", 0, self);
  allow_only (filter, "tgkill", 0, self);
  allow_if (filter, "prlimit64", 0, G_MAXUINT64, 0);
  allow_if (filter, "prlimit64", 0, G_MAXUINT64, self);
}

static void
add_sockets (Filter *filter, gboolean allow_unix)
{
  if (allow_unix)
    allow_only (filter, "socket", 0, AF_UNIX);
  else
    add (filter, SCMP_ACT_ERRNO (EPERM), "socket", 0, NULL);
  add (filter, allow_unix ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO (EPERM), "connect", 0, NULL);
}

gboolean
dps_confine_calls (gboolean allow_unix, GError **error)
{
  Filter filter = { seccomp_init (SCMP_ACT_ERRNO (ENOSYS)), 0 };

  if (filter.context == NULL)
    return dps_set_errno (error, ENOMEM, "making a system call filter");
  add_lists (&filter);
  add_opening (&filter, "open", 1);
  add_opening (&filter, "openat", 2);
  add_processes (&filter);
  add_sockets (&filter, allow_unix);
  add_names (&filter, SCMP_ACT_ERRNO (EPERM), refused);
  if (filter.failed == 0)
    filter.failed = seccomp_attr_set (filter.context, SCMP_FLTATR_CTL_TSYNC, 1);
  /* A call by the rules of another architecture: the end of all threads, not of one. */
  if (filter.failed == 0)
    filter.failed =
        seccomp_attr_set (filter.context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  if (filter.failed == 0)
    filter.failed = seccomp_load (filter.context);
  seccomp_release (filter.context);
  if (filter.failed != 0)
    return dps_set_errno (error, -filter.failed, "installing the system call filter");
  return TRUE;
}
