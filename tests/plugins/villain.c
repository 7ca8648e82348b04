/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <locale.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A plugin for each way to misbehave: it does what its name says, or what the file
 * NAME.orders beside it says. Names that begin with "load-" act while they are loaded,
 * the others in describe. Where the kernel refuses, the plugin says so as its error. */

#define BUS_FD 3
#define MIB ((gsize) 1024 * 1024)

static char own_name[64];
static char orders[64];

/* --- what ends at the kernel -----------------------------------------------------------
 */

/* Says what the kernel answered; where the call succeeded there is nothing to say. */
static DpsPluginResult
tell (const DpsHost *host, long result)
{
  g_autofree char *text = NULL;

  if (result >= 0)
    return DPS_PLUGIN_OK;
  text = g_strdup_printf ("the kernel says %s", strerrorname_np (errno));
  host->set_error (host, text);
  return DPS_PLUGIN_REJECTED;
}

static DpsPluginResult
open_setting (const DpsHost *host, DpsPluginDescribeOut *out)
{
  return tell (host, open (host->get_setting (host, "argument"), O_RDONLY));
}

static DpsPluginResult
open_socket (const DpsHost *host, DpsPluginDescribeOut *out)
{
  return tell (host, socket (AF_INET, SOCK_STREAM, 0));
}

static DpsPluginResult
execute (const DpsHost *host, DpsPluginDescribeOut *out)
{
  char *const argv[] = { (char *) "/bin/sh", (char *) "-c", (char *) "exit 9", NULL };

  return tell (host, execv (argv[0], argv));
}

static DpsPluginResult
trace_parent (const DpsHost *host, DpsPluginDescribeOut *out)
{
  return tell (host, ptrace (PTRACE_ATTACH, getppid (), NULL, NULL));
}

static DpsPluginResult
kill_parent (const DpsHost *host, DpsPluginDescribeOut *out)
{
  return tell (host, kill (getppid (), SIGKILL));
}

static DpsPluginResult
read_parent (const DpsHost *host, DpsPluginDescribeOut *out)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/mem", (int) getppid ());

  return tell (host, open (path, O_RDONLY));
}

static DpsPluginResult
write_file (const DpsHost *host, DpsPluginDescribeOut *out)
{
  return tell (host, open ("/var/tmp/dps-villain", O_WRONLY | O_CREAT, 0600));
}

/* Every way to a process, many times; how many came of it is told by none being left. */
static DpsPluginResult
bomb_with_forks (const DpsHost *host, DpsPluginDescribeOut *out)
{
  char *const argv[] = { (char *) "/bin/sleep", (char *) "60", NULL };
  long result = -1;
  pid_t pid;

  for (int i = 0; i < 5000; i++)
    {
      pid = fork ();
      if (pid == 0)
        pause ();
      result = MAX (result, pid);
      pid = (pid_t) syscall (SYS_clone, SIGCHLD, 0, 0, 0, 0);
      if (pid == 0)
        pause ();
      result = MAX (result, pid);
      errno = posix_spawn (&pid, argv[0], NULL, NULL, argv, NULL);
      result = errno == 0 ? pid : result;
    }
  return tell (host, result);
}

static void *
wait_for_ever (void *data)
{
  for (;;)
    pause ();
  return data;
}

static DpsPluginResult
bomb_with_threads (const DpsHost *host, DpsPluginDescribeOut *out)
{
  pthread_t thread;

  for (int i = 0; i < 1000; i++)
    {
      errno = pthread_create (&thread, NULL, wait_for_ever, NULL);
      if (errno != 0)
        return tell (host, -1);
    }
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
allocate_at_once (const DpsHost *host, DpsPluginDescribeOut *out)
{
  return tell (host, malloc (1024 * MIB) != NULL ? 0 : -1);
}

/* Whether what it keeps of it comes to a GiB in the end. */
static DpsPluginResult
allocate_by_and_by (const DpsHost *host, DpsPluginDescribeOut *out)
{
  for (int i = 0; i < 1024; i++)
    {
      char *block = malloc (MIB);

      if (block == NULL)
        return tell (host, -1);
      memset (block, i | 1, MIB);
    }
  return DPS_PLUGIN_OK;
}

/* As most programs do, which do not look at the result. */
static DpsPluginResult
allocate_or_abort (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->registration_id = g_malloc0 (1024 * MIB);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
share_memory (const DpsHost *host, DpsPluginDescribeOut *out)
{
  void *memory =
      mmap (NULL, 1024 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  return tell (host, memory == MAP_FAILED ? -1 : 0);
}

static DpsPluginResult
fill_memory_file (const DpsHost *host, DpsPluginDescribeOut *out)
{
  int fd = memfd_create ("villain", 0);

  return tell (host, ftruncate (fd, 2 * (off_t) MIB));
}

static DpsPluginResult
open_many (const DpsHost *host, DpsPluginDescribeOut *out)
{
  for (int i = 0; i < 100; i++)
    if (dup (2) < 0)
      return tell (host, -1);
  return DPS_PLUGIN_OK;
}

/* --- what ends at the agent ------------------------------------------------------------
 */

static DpsPluginResult
crash (const DpsHost *host, DpsPluginDescribeOut *out)
{
  raise (SIGSEGV);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
leave_by_exit (const DpsHost *host, DpsPluginDescribeOut *out)
{
  exit (5);
}

static DpsPluginResult
leave_at_once (const DpsHost *host, DpsPluginDescribeOut *out)
{
  _exit (6);
}

static DpsPluginResult
hang (const DpsHost *host, DpsPluginDescribeOut *out)
{
  wait_for_ever (NULL);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
block_signals (const DpsHost *host, DpsPluginDescribeOut *out)
{
  sigset_t all;

  sigfillset (&all);
  sigprocmask (SIG_BLOCK, &all, NULL);
  signal (SIGTERM, SIG_IGN);
  return hang (host, out);
}

static DpsPluginResult
close_bus (const DpsHost *host, DpsPluginDescribeOut *out)
{
  close (BUS_FD);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
shut_bus (const DpsHost *host, DpsPluginDescribeOut *out)
{
  shutdown (BUS_FD, SHUT_RDWR);
  return DPS_PLUGIN_OK;
}

/* A file of its own where the bus was: what is sent goes nowhere. */
static DpsPluginResult
reuse_bus (const DpsHost *host, DpsPluginDescribeOut *out)
{
  int fd = memfd_create ("villain", 0);

  dup2 (fd, BUS_FD);
  return DPS_PLUGIN_OK;
}

/* None of this reaches the agent, and none of it changes what is answered. */
static DpsPluginResult
change_process (const DpsHost *host, DpsPluginDescribeOut *out)
{
  sigset_t all;

  umask (0777);
  if (chdir ("/usr") == 0)
    raise (SIGSEGV);
  setlocale (LC_ALL, "C");
  sigfillset (&all);
  sigprocmask (SIG_BLOCK, &all, NULL);
  signal (SIGCHLD, SIG_IGN);
  out->registration_id = g_strdup ("changed");
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_bad_id (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->registration_id = g_strdup ("gateway-\xff\xfe");
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_bad_enrollment (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->enrollment = g_strdup ("overlong \xc0\xaf");
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_bad_material (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->material = g_new0 (char *, 3);
  out->material[0] = g_strdup ("surrogate");
  out->material[1] = g_strdup ("\xed\xa0\x80");
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_bad_reason (const DpsHost *host, DpsPluginDescribeOut *out)
{
  host->set_error (host, "\xff\033]0;owned\a");
  return DPS_PLUGIN_REJECTED;
}

static DpsPluginResult
give_control_id (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->registration_id = g_strdup ("a\nb");
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_odd_material (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->material = g_new0 (char *, 2);
  out->material[0] = g_strdup ("name");
  return DPS_PLUGIN_OK;
}

/* --- what it says on the bus by itself -------------------------------------------------
 */

/* All of it, however slowly the agent reads. */
static void
write_bus (const guchar *bytes, gsize size)
{
  struct pollfd poll_fd = { .fd = BUS_FD, .events = POLLOUT };

  while (size > 0)
    {
      gssize n = write (BUS_FD, bytes, size);

      if (n < 0 && errno != EAGAIN)
        abort ();
      if (n < 0)
        poll (&poll_fd, 1, -1);
      bytes += MAX (n, 0);
      size -= (gsize) MAX (n, 0);
    }
}

/* Sends the message, with the byte after the text mark, if there is one, as wanted. */
static void
send_raw (GDBusMessage *message, const char *mark, guchar byte)
{
  g_autofree guchar *blob = NULL;
  guchar *found;
  gsize size;

  g_dbus_message_set_serial (message, 4000);
  blob = g_dbus_message_to_blob (message,
                                 &size,
                                 G_DBUS_CAPABILITY_FLAGS_UNIX_FD_PASSING,
                                 NULL);
  found = mark != NULL ? memmem (blob, size, mark, strlen (mark)) : NULL;
  if (found != NULL)
    found[strlen (mark)] = byte;
  write_bus (blob, size);
}

/* Whatever the agent asked, this is the answer: its calls are numbered from one. */
static void
forge (GVariant *body, const char *mark, guchar byte)
{
  g_variant_ref_sink (body);
  for (guint32 serial = 1; serial <= 6; serial++)
    {
      g_autoptr (GDBusMessage) reply = g_dbus_message_new ();

      g_dbus_message_set_message_type (reply, G_DBUS_MESSAGE_TYPE_METHOD_RETURN);
      g_dbus_message_set_reply_serial (reply, serial);
      g_dbus_message_set_body (reply, body);
      send_raw (reply, mark, byte);
    }
  g_variant_unref (body);
}

static GVariant *
description (const char *id)
{
  return g_variant_new ("(ssa{ss}sah)", id, "tpm", NULL, "", NULL);
}

static DpsPluginResult
answer_twice (const DpsHost *host, DpsPluginDescribeOut *out)
{
  forge (description ("first"), NULL, 0);
  out->registration_id = g_strdup ("second");
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
answer_other_types (const DpsHost *host, DpsPluginDescribeOut *out)
{
  forge (g_variant_new ("(u)", 7), NULL, 0);
  return hang (host, out);
}

/* The bus library ends a string at its first NUL. */
static DpsPluginResult
answer_with_nul (const DpsHost *host, DpsPluginDescribeOut *out)
{
  forge (description ("noid-x-rest"), "noid", '\0');
  return hang (host, out);
}

/* What is left has to be an id. */
static DpsPluginResult
answer_bad_with_nul (const DpsHost *host, DpsPluginDescribeOut *out)
{
  forge (description ("no id-x-rest"), "no id", '\0');
  return hang (host, out);
}

static DpsPluginResult
answer_not_utf8 (const DpsHost *host, DpsPluginDescribeOut *out)
{
  forge (description ("mark-x-rest"), "mark", 0xff);
  return hang (host, out);
}

static DpsPluginResult
answer_unchecked (const DpsHost *host, DpsPluginDescribeOut *out)
{
  forge (description ("../../etc/passwd"), NULL, 0);
  return hang (host, out);
}

/* A descriptor that was never sent. */
static DpsPluginResult
answer_without_descriptor (const DpsHost *host, DpsPluginDescribeOut *out)
{
  forge (g_variant_new_parsed ("('id', 'symmetric-key', @a{ss} {}, '', [@h 5])"),
         NULL,
         0);
  return hang (host, out);
}

static DpsPluginResult
answer_strange_error (const DpsHost *host, DpsPluginDescribeOut *out)
{
  for (guint32 serial = 1; serial <= 6; serial++)
    {
      g_autoptr (GDBusMessage) error = g_dbus_message_new ();

      g_dbus_message_set_message_type (error, G_DBUS_MESSAGE_TYPE_ERROR);
      g_dbus_message_set_reply_serial (error, serial);
      g_dbus_message_set_error_name (error, "org.example.Villain");
      g_dbus_message_set_body (error, g_variant_new ("(s)", "mine\033[31m\nDPS-E000"));
      send_raw (error, NULL, 0);
    }
  return hang (host, out);
}

/* About the deadline that the test has set. */
static DpsPluginResult
answer_at_deadline (const DpsHost *host, DpsPluginDescribeOut *out)
{
  g_usleep (100 * 1000);
  out->registration_id = g_strdup ("late");
  return DPS_PLUGIN_OK;
}

/* The agent is no service to its plugins; without end, so that the deadline has to come.
 */
static DpsPluginResult
flood_bus (const DpsHost *host, DpsPluginDescribeOut *out)
{
  for (;;)
    {
      g_autoptr (GDBusMessage) call =
          g_dbus_message_new_method_call (NULL,
                                          "/org/dpsagent/Agent1",
                                          "org.dpsagent.Agent1.Control",
                                          "Reset");

      send_raw (call, NULL, 0);
    }
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
flood_log (const DpsHost *host, DpsPluginDescribeOut *out)
{
  for (int i = 0; i < 50000; i++)
    host->log (host, DPS_PLUGIN_LOG_WARNING, "a line of no interest");
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
behave (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->registration_id = g_strdup ("fine");
  return DPS_PLUGIN_OK;
}

static const struct
{
  const char *name;
  DpsPluginResult (*act) (const DpsHost *host, DpsPluginDescribeOut *out);
} acts[] = {
  { "crashes", crash },
  { "exits", leave_by_exit },
  { "leaves", leave_at_once },
  { "hangs", hang },
  { "hangs-deaf", block_signals },
  { "closes-bus", close_bus },
  { "shuts-bus", shut_bus },
  { "reuses-bus", reuse_bus },
  { "changes-process", change_process },
  { "opens-store", open_setting },
  { "opens-key", open_setting },
  { "opens-socket", open_socket },
  { "executes", execute },
  { "traces-parent", trace_parent },
  { "kills-parent", kill_parent },
  { "reads-parent", read_parent },
  { "writes-file", write_file },
  { "forks", bomb_with_forks },
  { "threads", bomb_with_threads },
  { "allocates", allocate_at_once },
  { "allocates-slowly", allocate_by_and_by },
  { "allocates-blindly", allocate_or_abort },
  { "shares-memory", share_memory },
  { "fills-file", fill_memory_file },
  { "opens-many", open_many },
  { "id-not-utf8", give_bad_id },
  { "id-with-controls", give_control_id },
  { "enrollment-not-utf8", give_bad_enrollment },
  { "material-not-utf8", give_bad_material },
  { "material-odd", give_odd_material },
  { "error-not-utf8", give_bad_reason },
  { "answers-twice", answer_twice },
  { "answers-other-types", answer_other_types },
  { "answers-with-nul", answer_with_nul },
  { "answers-bad-with-nul", answer_bad_with_nul },
  { "answers-not-utf8", answer_not_utf8 },
  { "answers-unchecked", answer_unchecked },
  { "answers-no-descriptor", answer_without_descriptor },
  { "answers-strange-error", answer_strange_error },
  { "answers-at-deadline", answer_at_deadline },
  { "floods-bus", flood_bus },
  { "floods-log", flood_log },
  { "behaves", behave },
};

static DpsPluginResult
act (const char *name, const DpsHost *host, DpsPluginDescribeOut *out)
{
  for (gsize i = 0; i < G_N_ELEMENTS (acts); i++)
    if (g_str_equal (name, acts[i].name))
      return acts[i].act (host, out);
  return behave (host, out);
}

static DpsPluginResult
describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_TPM;
  return g_str_has_prefix (orders, "load-") ? behave (host, out)
                                            : act (orders, host, out);
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = own_name,
  .describe = describe,
};

static const char *
directory (int argc, char **argv)
{
  for (int i = 0; i + 1 < argc; i++)
    if (g_str_equal (argv[i], "--plugin-dir"))
      return argv[i + 1];
  return ".";
}

static void load (int argc, char **argv) __attribute__ ((constructor));

/* The loader hands constructors the program's arguments; the last is the plugin's name.
 */
static void
load (int argc, char **argv)
{
  g_autofree char *file =
      g_strdup_printf ("%s/%s.orders", directory (argc, argv), argv[argc - 1]);
  g_autofree char *text = NULL;
  DpsPluginDescribeOut out = { .size = sizeof out };

  g_strlcpy (own_name, argv[argc - 1], sizeof own_name);
  g_file_get_contents (file, &text, NULL, NULL);
  g_strlcpy (orders, text != NULL ? g_strstrip (text) : own_name, sizeof orders);
  if (g_str_has_prefix (orders, "load-"))
    act (orders + strlen ("load-"), NULL, &out);
}
