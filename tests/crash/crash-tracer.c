/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "crash-tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_TRACE 77
#define SYSCALL_STOP (SIGTRAP | 0x80)

#define CALL(name)                                                                       \
  {                                                                                      \
    SYS_##name, #name                                                                    \
  }

static const struct
{
  long nr;
  const char *name;
} file_calls[] = {
  CALL (openat),   CALL (read),       CALL (write),      CALL (close),
  CALL (fsync),    CALL (linkat),     CALL (renameat2),  CALL (unlinkat),
  CALL (flock),    CALL (fstat),      CALL (mkdirat),    CALL (newfstatat),
  CALL (fchmod),   CALL (fdatasync),  CALL (lseek),      CALL (fcntl),
  CALL (statx),    CALL (getdents64), CALL (fadvise64),  CALL (ftruncate),
  CALL (pwrite64), CALL (pread64),    CALL (faccessat2),
#ifdef SYS_renameat
  CALL (renameat),
#endif
#ifdef SYS_open
  CALL (open),     CALL (mkdir),      CALL (rename),     CALL (unlink),
  CALL (link),     CALL (rmdir),      CALL (access),
#endif
};

/* What the tracer remembers about a child. */
typedef struct
{
  pid_t child;
  int announce_fd;
  const CrashFault *fault;
  CrashRun *run;
  guint64 written;   /* the descriptor last written to */
  CrashCall current; /* the call it is in */
  gboolean due;      /* the fault is for that call */
  gboolean replied;
  gboolean unsynced[64]; /* descriptors of regular files whose sync failed */
} Tracer;

/* Calls that only move memory about. How many there are is the sanitizer's business and
 * differs from run to run; a kill at one leaves what a kill at the next other call does.
 */
static gboolean
is_about_memory (guint64 nr)
{
  switch (nr)
    {
    case SYS_brk:
    case SYS_madvise:
    case SYS_mmap:
    case SYS_mprotect:
    case SYS_mremap:
    case SYS_munmap:
      return TRUE;
    default:
      return FALSE;
    }
}

const char *
crash_call_name (guint64 nr)
{
  for (guint i = 0; i < G_N_ELEMENTS (file_calls); i++)
    if ((guint64) file_calls[i].nr == nr)
      return file_calls[i].name;
  return NULL;
}

static void G_GNUC_NORETURN
run_child (CrashBody prepare, CrashBody body, gpointer data, int announce_fd)
{
  if (prepare != NULL)
    prepare (data, announce_fd);
  if (ptrace (PTRACE_TRACEME, 0, NULL, NULL) < 0)
    _exit (CANNOT_TRACE);
  raise (SIGSTOP);
  body (data, announce_fd);
  _exit (0);
}

static void
read_text (pid_t child, guint64 at, char *text, gsize size)
{
  struct iovec here = { text, size - 1 };
  struct iovec there = { (void *) (gsize) at, size - 1 };
  gssize n = process_vm_readv (child, &here, 1, &there, 1, 0);

  text[n > 0 ? n : 0] = '\0';
}

/* The word for a call, NULL for one that neither changes nor syncs anything. */
static const char *
word_for (Tracer *self)
{
  const CrashCall *call = &self->current;
  char text[8];

  switch (call->nr)
    {
    case SYS_openat:
      read_text (self->child, call->args[1], text, sizeof text);
      return g_str_has_prefix (text, "gen-") ? "read" : NULL;
    case SYS_write:
      if (call->args[0] == (guint64) self->announce_fd)
        return "announce";
      self->written = call->args[0];
      return "write";
    case SYS_fsync:
      return call->args[0] == self->written ? "sync-file" : "sync-directory";
    case SYS_close:
      if (call->args[0] == self->written)
        self->written = G_MAXUINT64;
      return NULL;
    case SYS_linkat:
      return "link";
    case SYS_unlinkat:
      return "unlink";
    case SYS_mkdirat:
      return "mkdir";
    case SYS_renameat2:
#ifdef SYS_renameat
    case SYS_renameat:
#endif
      return "rename";
    default:
      return NULL;
    }
}

#ifdef __x86_64__
/* Makes the call one that does not exist, asks it for fewer bytes, or sets what it gives.
 */
static void
change_call (pid_t child, gboolean skip, gsize shorten_to, int error)
{
  struct user_regs_struct regs;

  g_assert_cmpint (ptrace (PTRACE_GETREGS, child, NULL, &regs), ==, 0);
  if (skip)
    regs.orig_rax = (guint64) -1;
  if (shorten_to > 0)
    regs.rdx = shorten_to;
  if (error != 0)
    regs.rax = (guint64) -error;
  g_assert_cmpint (ptrace (PTRACE_SETREGS, child, NULL, &regs), ==, 0);
}

const char *
crash_cannot_inject (void)
{
  return NULL;
}
#else
static void
change_call (pid_t child, gboolean skip, gsize shorten_to, int error)
{
  g_assert_not_reached ();
}

const char *
crash_cannot_inject (void)
{
  return "errors are put in place of system calls on x86-64 only";
}
#endif

static gboolean
is_file (pid_t child, guint64 fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d", child, (int) fd);
  struct stat st;

  return stat (path, &st) == 0 && S_ISREG (st.st_mode);
}

static void
see_sync (Tracer *self)
{
  guint64 fd = self->current.args[0];

  if (self->current.nr == SYS_fsync && fd < G_N_ELEMENTS (self->unsynced) &&
      self->unsynced[fd])
    self->run->resynced++;
}

static void
note (Tracer *self)
{
  CrashRun *run = self->run;
  const char *word;

  run->points++;
  run->file_points += crash_call_name (self->current.nr) != NULL;
  self->due = run->points == self->fault->at;
  if (self->due && self->fault->error == 0 && self->fault->shorten_to == 0)
    return;
  if (run->calls != NULL)
    g_array_append_val (run->calls, self->current);
  word = run->steps != NULL ? word_for (self) : NULL;
  if (word != NULL)
    g_string_append_printf (run->steps, "%s%s", run->steps->len > 0 ? " " : "", word);
}

/* TRUE where the child is to be killed now. */
static gboolean
see_entry (Tracer *self, const struct __ptrace_syscall_info *info)
{
  self->current.nr = info->entry.nr;
  memcpy (self->current.args, info->entry.args, sizeof self->current.args);
  self->due = FALSE;
  see_sync (self);
  if (self->replied || is_about_memory (info->entry.nr))
    return FALSE;
  note (self);
  self->replied = self->current.nr == SYS_write &&
                  self->current.args[0] == (guint64) self->announce_fd;
  if (!self->due)
    return FALSE;
  if (self->fault->shorten_to > 0)
    change_call (self->child, FALSE, self->fault->shorten_to, 0);
  /* A close that fails has closed all the same. */
  else if (self->fault->error != 0 && self->current.nr != SYS_close)
    change_call (self->child, TRUE, 0, 0);
  return self->fault->error == 0 && self->fault->shorten_to == 0;
}

static void
see_exit (Tracer *self, const struct __ptrace_syscall_info *info)
{
  guint64 fd = self->current.args[0];
  gboolean failed = info->exit.is_error;

  if (self->due && self->fault->error != 0)
    {
      change_call (self->child, FALSE, 0, self->fault->error);
      failed = TRUE;
    }
  if (fd >= G_N_ELEMENTS (self->unsynced))
    return;
  if (self->current.nr == SYS_close)
    self->unsynced[fd] = FALSE;
  else if (self->current.nr == SYS_fsync && failed && is_file (self->child, fd))
    self->unsynced[fd] = TRUE;
}

static gboolean
see_stop (Tracer *self)
{
  struct __ptrace_syscall_info info;

  if (ptrace (PTRACE_GET_SYSCALL_INFO, self->child, sizeof info, &info) < 0)
    g_error ("PTRACE_GET_SYSCALL_INFO: %s", g_strerror (errno));
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
    return see_entry (self, &info);
  if (info.op == PTRACE_SYSCALL_INFO_EXIT)
    see_exit (self, &info);
  return FALSE;
}

static int
wait_for (pid_t child)
{
  int status;

  while (waitpid (child, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  return status;
}

static void
follow (Tracer *self)
{
  int status = wait_for (self->child);

  g_assert_true (WIFSTOPPED (status) && WSTOPSIG (status) == SIGSTOP);
  g_assert_cmpint (ptrace (PTRACE_SETOPTIONS,
                           self->child,
                           NULL,
                           (void *) (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
                   ==,
                   0);
  for (;;)
    {
      g_assert_cmpint (ptrace (PTRACE_SYSCALL, self->child, NULL, NULL), ==, 0);
      status = wait_for (self->child);
      if (!WIFSTOPPED (status))
        break;
      g_assert_cmpint (WSTOPSIG (status), ==, SYSCALL_STOP);
      if (!see_stop (self))
        continue;
      /* Killed while it stands at the entry, the call is never made. */
      g_assert_cmpint (kill (self->child, SIGKILL), ==, 0);
      self->run->killed = TRUE;
      status = wait_for (self->child);
      g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
      return;
    }
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

static void
read_reply (int fd, GString *reply)
{
  char part[4096];
  gssize n;

  while ((n = read (fd, part, sizeof part)) > 0)
    g_string_append_len (reply, part, n);
  g_assert_cmpint (n, ==, 0);
}

static void
forget (CrashRun *run)
{
  run->points = run->file_points = run->resynced = 0;
  run->killed = FALSE;
  if (run->reply != NULL)
    g_string_truncate (run->reply, 0);
  if (run->steps != NULL)
    g_string_truncate (run->steps, 0);
  if (run->calls != NULL)
    g_array_set_size (run->calls, 0);
}

void
crash_run (CrashBody prepare,
           CrashBody body,
           gpointer data,
           const CrashFault *fault,
           CrashRun *run)
{
  Tracer tracer = { .fault = fault, .run = run, .written = G_MAXUINT64 };
  int ends[2];

  forget (run);
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  tracer.announce_fd = ends[1];
  tracer.child = fork ();
  g_assert_cmpint (tracer.child, >=, 0);
  if (tracer.child == 0)
    run_child (prepare, body, data, ends[1]);
  follow (&tracer);
  close (ends[1]);
  if (run->reply != NULL)
    read_reply (ends[0], run->reply);
  close (ends[0]);
}

const char *
crash_cannot_trace (void)
{
  struct __ptrace_syscall_info info;
  const char *why = NULL;
  pid_t child = fork ();
  int status;

  if (child == 0)
    {
      if (ptrace (PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit (CANNOT_TRACE);
      raise (SIGSTOP);
      _exit (0);
    }
  if (child < 0)
    return "cannot fork";
  status = wait_for (child);
  if (!WIFSTOPPED (status))
    return "ptrace is not permitted here";
  if (ptrace (PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) < 0)
    why = "PTRACE_GET_SYSCALL_INFO is missing (Linux before 5.3, or a filter)";
  kill (child, SIGKILL);
  wait_for (child);
  return why;
}
