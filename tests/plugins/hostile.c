/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A plugin that misbehaves as its setting "behave" says. */

static const char *
error_name (long result)
{
  if (result >= 0)
    return "allowed";
  switch (errno)
    {
    case EPERM:
      return "EPERM";
    case EACCES:
      return "EACCES";
    case ENOSYS:
      return "ENOSYS";
    default:
      return strerror (errno);
    }
}

static void
add (GPtrArray *material, const char *name, long result)
{
  g_ptr_array_add (material, g_strdup (name));
  g_ptr_array_add (material, g_strdup (error_name (result)));
}

static long
try_open (const char *path, int flags)
{
  int fd = open (path, flags, 0600);

  if (fd >= 0)
    close (fd);
  return fd;
}

static void *
do_nothing (void *data)
{
  return data;
}

static long
try_thread (void)
{
  pthread_t thread;

  errno = pthread_create (&thread, NULL, do_nothing, NULL);
  return errno == 0 ? pthread_join (thread, NULL) : -1;
}

static long
try_spawn (void)
{
  char *const argv[] = { (char *) "/bin/true", NULL };
  pid_t pid;

  errno = posix_spawn (&pid, argv[0], NULL, NULL, argv, NULL);
  return errno == 0 ? 0 : -1;
}

static long
try_fork (void)
{
  pid_t pid = fork ();

  if (pid == 0)
    _exit (0);
  return pid;
}

/* Tries what no plugin may do; the answers are the material. At most 16 fit, so in two
 * parts. */
static DpsPluginResult
report_calls (DpsPluginDescribeOut *out)
{
  g_autoptr (GPtrArray) m = g_ptr_array_new ();
  char *const argv[] = { (char *) "/bin/true", NULL };
  char byte;
  struct iovec local = { &byte, 1 };
  int pair[2];

  add (m, "socket", socket (AF_INET, SOCK_STREAM, 0));
  add (m, "socket-unix", socket (AF_UNIX, SOCK_STREAM, 0));
  add (m, "socketpair", socketpair (AF_UNIX, SOCK_DGRAM, 0, pair));
  add (m, "connect", connect (0, NULL, 0));
  add (m, "bind", bind (0, NULL, 0));
  add (m, "accept", accept (0, NULL, NULL));
  add (m, "execve", execve (argv[0], argv, NULL));
  add (m, "fork", try_fork ());
  add (m, "spawn", try_spawn ());
  add (m, "kill-parent", kill (getppid (), 0));
  add (m, "kill-group", kill (0, 0));
  add (m, "ptrace", ptrace (PTRACE_ATTACH, getppid (), NULL, NULL));
  add (m, "process_vm_readv", process_vm_readv (getppid (), &local, 1, &local, 1, 0));
  add (m, "pidfd_getfd", syscall (SYS_pidfd_getfd, 0, 0, 0));
  add (m, "io_uring_setup", syscall (SYS_io_uring_setup, 1, NULL));
  add (m, "setsid", setsid ());
  out->kind = DPS_PLUGIN_KIND_TPM;
  g_ptr_array_add (m, NULL);
  out->material = (char **) g_ptr_array_steal (m, NULL);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
report_files (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *state = host->get_setting (host, "state-file");
  g_autoptr (GPtrArray) m = g_ptr_array_new ();
  struct stat st;

  add (m, "state", try_open (state, O_RDONLY));
  add (m, "agent-state", try_open ("/var/lib", O_RDONLY | O_DIRECTORY));
  add (m, "etc", try_open ("/etc/passwd", O_RDONLY));
  add (m, "proc", try_open ("/proc/1/status", O_RDONLY));
  add (m, "usr", try_open ("/usr/lib/os-release", O_RDONLY));
  add (m, "write", try_open (state, O_WRONLY));
  add (m, "create", try_open ("/run/dps-hostile", O_WRONLY | O_CREAT));
  add (m, "chmod", chmod (state, 0666));
  add (m, "unlink", unlink (state));
  add (m, "thread", try_thread ());
  add (m, "own-signal", kill (getpid (), 0));
  add (m, "clone3", syscall (SYS_clone3, NULL, 0));
  add (m, "dumpable", prctl (PR_SET_DUMPABLE, 1));
  add (m, "set-owner", fcntl (3, F_SETOWN, getppid ()));
  /* Nothing of the agent's is open here: the socket, and what GDBus made for itself. */
  add (m, "inherited", fstat (40, &st) == 0 ? 0 : -1);
  out->kind = DPS_PLUGIN_KIND_TPM;
  g_ptr_array_add (m, NULL);
  out->material = (char **) g_ptr_array_steal (m, NULL);
  return DPS_PLUGIN_OK;
}

static void
write_garbage (void)
{
  static const char garbage[] = "GARBAGE\n\033[31mGARBAGE\n";

  for (int fd = 0; fd < 64; fd++)
    for (int i = 0; i < 4; i++)
      if (write (fd, garbage, sizeof garbage) < 0)
        break;
}

static void
flood (void)
{
  for (int i = 0; i < 100000; i++)
    fputs ("a line of no interest\n", stderr);
}

static DpsPluginResult
give_huge_key (DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_SYMMETRIC_KEY;
  out->key.data = g_malloc (16);
  out->key.size = G_GUINT64_CONSTANT (2) << 30;
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_long_id (DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->registration_id = g_strnfill (1024 * 1024, 'a');
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_much_material (DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->material = g_new0 (char *, 101);
  for (int i = 0; i < 100; i++)
    out->material[i] = g_strdup_printf ("m%d", i);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
speak_to_tpm (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_TPM;
  return write (host->tpm_fd (host), "ping", 4) == 4 ? DPS_PLUGIN_OK : DPS_PLUGIN_FAILED;
}

static DpsPluginResult
hostile_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *behave = host->get_setting (host, "behave");

  out->kind = DPS_PLUGIN_KIND_TPM;
  if (g_str_equal (behave, "crash"))
    raise (SIGSEGV);
  else if (g_str_equal (behave, "abort"))
    abort ();
  else if (g_str_equal (behave, "exit"))
    exit (7);
  else if (g_str_equal (behave, "hang"))
    for (;;)
      pause ();
  else if (g_str_equal (behave, "spin"))
    for (volatile int i = 0;; i++)
      ;
  else if (g_str_equal (behave, "stop"))
    raise (SIGSTOP);
  else if (g_str_equal (behave, "garbage"))
    write_garbage ();
  else if (g_str_equal (behave, "flood"))
    flood ();
  else if (g_str_equal (behave, "huge-key"))
    return give_huge_key (out);
  else if (g_str_equal (behave, "long-id"))
    return give_long_id (out);
  else if (g_str_equal (behave, "much-material"))
    return give_much_material (out);
  else if (g_str_equal (behave, "bad-kind"))
    out->kind = (DpsPluginKind) 77;
  else if (g_str_equal (behave, "bad-id"))
    out->registration_id = g_strdup ("not an id");
  else if (g_str_equal (behave, "bad-result"))
    return (DpsPluginResult) 99;
  else if (g_str_equal (behave, "no-key"))
    out->kind = DPS_PLUGIN_KIND_SYMMETRIC_KEY;
  else if (g_str_equal (behave, "calls"))
    return report_calls (out);
  else if (g_str_equal (behave, "files"))
    return report_files (host, out);
  else if (g_str_equal (behave, "tpm"))
    return speak_to_tpm (host, out);
  else if (g_str_equal (behave, "bad-text"))
    {
      host->set_error (host, "first\nsecond \033[31m\xff");
      return DPS_PLUGIN_BUSY;
    }
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
hostile_probe (const DpsHost *host, DpsPluginProbeOut *out)
{
  out->usable = DPS_PLUGIN_USABLE_NEVER;
  out->reason = g_strdup ("hostile");
  return DPS_PLUGIN_OK;
}

/* The challenge backwards. */
static DpsPluginResult
hostile_answer (const DpsHost *host, const DpsPluginView *challenge, DpsPluginBytes *blob)
{
  if (host->get_setting (host, "behave") != NULL)
    {
      blob->data = g_malloc (1);
      blob->size = DPS_PLUGIN_BLOB_MAX + 1;
      return DPS_PLUGIN_OK;
    }
  blob->size = challenge->size;
  blob->data = g_malloc (blob->size);
  for (gsize i = 0; i < challenge->size; i++)
    blob->data[i] = challenge->data[challenge->size - 1 - i];
  return DPS_PLUGIN_OK;
}

/* "slot mechanism blob data" */
static DpsPluginResult
hostile_sign (const DpsHost *host, const DpsPluginSignIn *in, DpsPluginBytes *signature)
{
  DpsPluginView blob;

  host->get_blob (host, &blob);
  signature->data =
      (guint8 *) g_strdup_printf ("%s %s %.*s %.*s",
                                  in->slot == DPS_PLUGIN_SLOT_HUB ? "hub" : "service",
                                  in->mechanism,
                                  (int) blob.size,
                                  (const char *) blob.data,
                                  (int) in->data.size,
                                  (const char *) in->data.data);
  signature->size = strlen ((const char *) signature->data);
  return DPS_PLUGIN_OK;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "hostile",
  .probe = hostile_probe,
  .describe = hostile_describe,
  .answer = hostile_answer,
  .sign = hostile_sign,
};
