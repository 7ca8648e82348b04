/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "crash-tracer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_TRACE 77
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* Calls on files; those that only move memory about are no steps. */
static const long file_calls[] = {
  SYS_openat,    SYS_read,      SYS_write,    SYS_close,  SYS_fsync,   SYS_linkat,
  SYS_renameat2, SYS_unlinkat,  SYS_flock,    SYS_fstat,  SYS_mkdirat, SYS_newfstatat,
#ifdef SYS_renameat
  SYS_renameat,
#endif
#ifdef SYS_open
  SYS_open,      SYS_mkdir,     SYS_rename,   SYS_unlink, SYS_link,    SYS_rmdir,
#endif
  SYS_fchmod,    SYS_fdatasync, SYS_lseek,    SYS_fcntl,  SYS_statx,   SYS_getdents64,
  SYS_fadvise64, SYS_ftruncate, SYS_pwrite64,
};

static gboolean
is_file_call (guint64 nr)
{
  for (guint i = 0; i < G_N_ELEMENTS (file_calls); i++)
    if ((guint64) file_calls[i] == nr)
      return TRUE;
  return FALSE;
}

static void G_GNUC_NORETURN
run_child (CrashBody body, gpointer data, int announce_fd)
{
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
word_for (pid_t child,
          const struct __ptrace_syscall_info *info,
          int announce_fd,
          CrashRun *run)
{
  char text[8];

  switch (info->entry.nr)
    {
    case SYS_openat:
      read_text (child, info->entry.args[1], text, sizeof text);
      return g_str_has_prefix (text, "gen-") ? "read" : NULL;
    case SYS_write:
      if (info->entry.args[0] == (guint64) announce_fd)
        return "announce";
      run->written = info->entry.args[0];
      return "write";
    case SYS_fsync:
      return info->entry.args[0] == run->written ? "sync-file" : "sync-directory";
    case SYS_close:
      if (info->entry.args[0] == run->written)
        run->written = G_MAXUINT64;
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

/* TRUE where the child is to be killed now. */
static gboolean
see_stop (pid_t child, guint kill_at, int announce_fd, CrashRun *run)
{
  struct __ptrace_syscall_info info;
  const char *word;

  if (ptrace (PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) < 0)
    g_error ("PTRACE_GET_SYSCALL_INFO: %s", g_strerror (errno));
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !is_file_call (info.entry.nr))
    return FALSE;
  run->points++;
  if (run->points == kill_at)
    return TRUE;
  word = run->steps != NULL ? word_for (child, &info, announce_fd, run) : NULL;
  if (word != NULL)
    g_string_append_printf (run->steps, "%s%s", run->steps->len > 0 ? " " : "", word);
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
follow (pid_t child, guint kill_at, int announce_fd, CrashRun *run)
{
  int status = wait_for (child);

  g_assert_true (WIFSTOPPED (status) && WSTOPSIG (status) == SIGSTOP);
  g_assert_cmpint (ptrace (PTRACE_SETOPTIONS,
                           child,
                           NULL,
                           (void *) (PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
                   ==,
                   0);
  for (;;)
    {
      g_assert_cmpint (ptrace (PTRACE_SYSCALL, child, NULL, NULL), ==, 0);
      status = wait_for (child);
      if (!WIFSTOPPED (status))
        break;
      g_assert_cmpint (WSTOPSIG (status), ==, SYSCALL_STOP);
      if (!see_stop (child, kill_at, announce_fd, run))
        continue;
      /* Killed while it stands at the entry, the call is never made. */
      g_assert_cmpint (kill (child, SIGKILL), ==, 0);
      run->killed = TRUE;
      status = wait_for (child);
      g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
      return;
    }
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

void
crash_run (CrashBody body, gpointer data, guint kill_at, CrashRun *run)
{
  int ends[2];
  pid_t child;
  char byte;

  run->points = 0;
  run->killed = FALSE;
  run->written = G_MAXUINT64;
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    run_child (body, data, ends[1]);
  follow (child, kill_at, ends[1], run);
  close (ends[1]);
  run->announced = read (ends[0], &byte, 1) == 1;
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
