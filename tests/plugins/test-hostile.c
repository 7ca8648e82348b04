/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-landlock.h"
#include "plugin-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Plugins that mean harm, each with the one who stops it: the kernel, whose answer the
 * plugin repeats as its error, or the agent, which names what happened. After each, the
 * agent's process is what it was, and the next plugin is served. */

typedef enum
{
  HERE,      /* the sanitized host, the deadlines of the table */
  INSTALLED, /* the host as it is installed, whose memory is bounded */
  DEADLINE,  /* the same, with a deadline of HUNG, which passes */
} Mode;

typedef struct
{
  const char *plugin;
  const char *stopped_by;
  Mode mode;
  DpsError code;
  const char *text; /* behind "plugin NAME: "; its beginning where it ends with '*' */
  const char * or ; /* whichever end is seen first; NULL = there is one alone */
} Row;

#define KERNEL(errno_name) DPS_ERROR_REJECTED, "describe: the kernel says " errno_name

static const Row rows[] = {
  /* the constructor */
  { "load-crashes", "agent", HERE, DPS_ERROR_FAILED, "crashed with signal 11 in load" },
  { "load-exits", "agent", HERE, DPS_ERROR_FAILED, "left with status 5 in load" },
  { "load-leaves", "agent", HERE, DPS_ERROR_FAILED, "left with status 6 in load" },
  { "load-hangs",
    "deadline",
    DEADLINE,
    DPS_ERROR_TIMED_OUT,
    "no answer in load within 300 ms, it was ended" },
  { "load-hangs-deaf",
    "deadline",
    DEADLINE,
    DPS_ERROR_TIMED_OUT,
    "no answer in load within 300 ms, it was ended" },
  { "load-closes-bus",
    "agent",
    HERE,
    DPS_ERROR_FAILED,
    "closed its connection in load",
    "left with status 0 in load" },
  { "load-shuts-bus",
    "agent",
    HERE,
    DPS_ERROR_FAILED,
    "closed its connection in load",
    "left with status 0 in load" },
  { "load-reuses-bus",
    "agent",
    HERE,
    DPS_ERROR_FAILED,
    "closed its connection in load",
    "left with status 0 in load" },
  { "load-answers-twice",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "load: an answer of other types than agreed" },
  { "load-floods-bus",
    "deadline",
    DEADLINE,
    DPS_ERROR_TIMED_OUT,
    "no answer in load within 300 ms, it was ended" },
  /* the process */
  { "crashes", "agent", HERE, DPS_ERROR_FAILED, "crashed with signal 11 in describe" },
  { "exits", "agent", HERE, DPS_ERROR_FAILED, "left with status 5 in describe" },
  { "leaves", "agent", HERE, DPS_ERROR_FAILED, "left with status 6 in describe" },
  { "hangs",
    "deadline",
    DEADLINE,
    DPS_ERROR_TIMED_OUT,
    "no answer in describe within 300 ms, it was ended" },
  { "hangs-deaf",
    "deadline",
    DEADLINE,
    DPS_ERROR_TIMED_OUT,
    "no answer in describe within 300 ms, it was ended" },
  { "closes-bus",
    "agent",
    HERE,
    DPS_ERROR_FAILED,
    "closed its connection in describe",
    "left with status 0 in describe" },
  { "shuts-bus",
    "agent",
    HERE,
    DPS_ERROR_FAILED,
    "closed its connection in describe",
    "left with status 0 in describe" },
  { "reuses-bus",
    "agent",
    HERE,
    DPS_ERROR_FAILED,
    "closed its connection in describe",
    "left with status 0 in describe" },
  /* what is not its own */
  { "opens-store", "kernel-EACCES", HERE, KERNEL ("EACCES") },
  { "opens-key", "kernel-EACCES", HERE, KERNEL ("EACCES") },
  { "opens-socket", "kernel-EPERM", HERE, KERNEL ("EPERM") },
  { "executes", "kernel-EPERM", HERE, KERNEL ("EPERM") },
  { "traces-parent", "kernel-EPERM", HERE, KERNEL ("EPERM") },
  { "kills-parent", "kernel-EPERM", HERE, KERNEL ("EPERM") },
  { "reads-parent", "kernel-EACCES", HERE, KERNEL ("EACCES") },
  { "writes-file", "kernel-EPERM", HERE, KERNEL ("EPERM") },
  /* resources */
  { "forks", "kernel-EPERM", HERE, KERNEL ("EPERM") },
  { "threads", "kernel-EAGAIN", INSTALLED, KERNEL ("EAGAIN") },
  { "allocates", "kernel-ENOMEM", INSTALLED, KERNEL ("ENOMEM") },
  { "allocates-slowly", "kernel-ENOMEM", INSTALLED, KERNEL ("ENOMEM") },
  { "allocates-blindly",
    "kernel-ENOMEM",
    INSTALLED,
    DPS_ERROR_FAILED,
    "crashed with signal *" },
  { "shares-memory", "kernel-ENOMEM", INSTALLED, KERNEL ("ENOMEM") },
  { "fills-file",
    "kernel-SIGXFSZ",
    HERE,
    DPS_ERROR_FAILED,
    "crashed with signal 25 in describe" },
  { "opens-many", "kernel-EMFILE", HERE, KERNEL ("EMFILE") },
  /* what it hands out */
  { "id-not-utf8", "agent", HERE, DPS_ERROR_REJECTED, "describe: a registration id *" },
  { "id-with-controls",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: a registration id *" },
  { "enrollment-not-utf8",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: an enrollment *" },
  { "material-not-utf8",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: a material value *" },
  { "material-odd", "agent", HERE, DPS_ERROR_REJECTED, "describe: material *" },
  { "error-not-utf8",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: \xef\xbf\xbd ]0;owned" },
  /* what it says on the bus by itself */
  { "answers-other-types",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: an answer of other types than agreed" },
  { "answers-bad-with-nul",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: a registration id has only*" },
  { "answers-not-utf8",
    "agent",
    HERE,
    DPS_ERROR_FAILED,
    "sent bytes that are no D-Bus message in describe" },
  { "answers-unchecked",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: a registration id has only*" },
  { "answers-no-descriptor",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "describe: a handle without its descriptor" },
  { "answers-strange-error",
    "agent",
    HERE,
    DPS_ERROR_REJECTED,
    "mine\\x1b[31m\\x0aDPS-E000" },
  { "floods-bus",
    "deadline",
    DEADLINE,
    DPS_ERROR_TIMED_OUT,
    "no answer in describe within 300 ms, it was ended" },
};

static char *installed_host;

/* What a process is besides its memory. */
typedef struct
{
  mode_t mask;
  char *directory;
  char *locale;
  sigset_t blocked;
  guint fds;
} Self;

static Self
look_at_self (void)
{
  Self self = { .mask = umask (022),
                .directory = g_get_current_dir (),
                .locale = g_strdup (setlocale (LC_ALL, NULL)),
                .fds = count_fds () };

  umask (self.mask);
  sigprocmask (SIG_BLOCK, NULL, &self.blocked);
  return self;
}

static void
assert_unchanged (Self *before)
{
  Self after = look_at_self ();

  g_assert_cmpuint (after.mask, ==, before->mask);
  g_assert_cmpstr (after.directory, ==, before->directory);
  g_assert_cmpstr (after.locale, ==, before->locale);
  g_assert_cmpmem (&after.blocked,
                   sizeof (sigset_t),
                   &before->blocked,
                   sizeof (sigset_t));
  assert_fds (before->fds);
  assert_no_child ();
  g_free (after.directory);
  g_free (after.locale);
  g_free (before->directory);
  g_free (before->locale);
}

/* The next plugin is served as if nothing had been. */
static void
assert_served (void)
{
  Case call = { "behaves", .host = installed_host };
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginDescription) description = describe (&call, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (description->registration_id, ==, "fine");
}

static Case
case_of (const char *plugin, Mode mode)
{
  Case call = { .plugin = plugin,
                .argument = g_str_equal (plugin, "opens-key") ? world.other_key
                                                              : world.state_file };

  if (mode != HERE)
    call.host = installed_host;
  if (mode == DEADLINE)
    set_hung (&call, !g_str_has_prefix (plugin, "load-"));
  return call;
}

static void
test_stopped (gconstpointer data)
{
  const Row *row = data;
  Case call = case_of (row->plugin, row->mode);
  Self self;
  gint64 start = g_get_monotonic_time ();
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (g_str_equal (row->stopped_by, "kernel-EACCES") && dps_landlock_abi () == 0)
    {
      g_test_skip ("this kernel has no Landlock");
      return;
    }
  self = look_at_self ();
  g_assert_null (describe (&call, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, DPS_ERROR, (gint) row->code);
  text = g_strdup_printf ("plugin %s: %s",
                          row->plugin,
                          row->or != NULL && g_str_has_suffix (error->message, row->or)
                              ? row->or
                              : row->text);
  assert_message (error->message, text);
  if (row->mode == DEADLINE)
    assert_hung (&call, start);
  assert_unchanged (&self);
  assert_served ();
}

/* --- those that no one needs to stop ---------------------------------------------------
 */

static void
test_harmless (gconstpointer data)
{
  static const struct
  {
    const char *plugin, *id;
  } harmless[] = { { "answers-twice", "first" },
                   { "answers-with-nul", "noid" },
                   { "changes-process", "changed" },
                   { "load-changes-process", "fine" },
                   { "floods-log", NULL } };

  for (gsize i = 0; i < G_N_ELEMENTS (harmless); i++)
    if (g_str_equal (harmless[i].plugin, data))
      {
        Case call = case_of (harmless[i].plugin, HERE);
        Self self = look_at_self ();
        g_autoptr (GError) error = NULL;
        g_autoptr (DpsPluginDescription) description = describe (&call, &error);

        g_assert_no_error (error);
        g_assert_cmpstr (description->registration_id, ==, harmless[i].id);
        assert_unchanged (&self);
        assert_served ();
        return;
      }
  g_assert_not_reached ();
}

/* Why the agent can not refuse a NUL: the bus library ends a string there, before anybody
 * can look, and nothing of the rest is in the message. What is left is checked as any
 * other, see answers-bad-with-nul. */
static void
test_nul (void)
{
  const char sent[] = "noid-x-rest";
  g_autoptr (GDBusMessage) message =
      g_dbus_message_new_method_call (NULL, "/", "org.example.Interface", "Member");
  g_autoptr (GDBusMessage) read = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guchar *blob = NULL;
  g_autofree char *text = NULL;
  gsize size;

  g_dbus_message_set_serial (message, 1);
  g_dbus_message_set_body (message, g_variant_new ("(s)", sent));
  blob = g_dbus_message_to_blob (message, &size, G_DBUS_CAPABILITY_FLAGS_NONE, &error);
  g_assert_no_error (error);
  ((guchar *) memmem (blob, size, sent, sizeof sent))[strlen ("noid")] = '\0';
  read = g_dbus_message_new_from_blob (blob, size, G_DBUS_CAPABILITY_FLAGS_NONE, &error);
  g_assert_no_error (error);
  g_variant_get (g_dbus_message_get_body (read), "(s)", &text);
  g_assert_cmpstr (text, ==, "noid");
  g_assert_cmpuint (g_variant_get_size (g_dbus_message_get_body (read)),
                    ==,
                    sizeof "noid");
}

/* In time or not, and nothing between: the deadline and the answer meet. */
static void
test_at_deadline (void)
{
  guint in_time = 0, late = 0;

  for (guint deadline = 90; deadline <= 120; deadline += 2)
    {
      Case call = { "answers-at-deadline",
                    .host = installed_host,
                    .verb_deadline = deadline };
      Self self = look_at_self ();
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsPluginDescription) description = describe (&call, &error);

      if (description != NULL)
        {
          g_assert_cmpstr (description->registration_id, ==, "late");
          in_time++;
        }
      else
        {
          g_assert_error (error, DPS_ERROR, DPS_ERROR_TIMED_OUT);
          late++;
        }
      assert_unchanged (&self);
    }
  printf ("# FIGURE answers about the deadline: %u in time, %u late\n", in_time, late);
  g_assert_cmpuint (in_time + late, ==, 16);
  g_assert_cmpuint (late, >=, 5);
  assert_served ();
}

/* --- the file --------------------------------------------------------------------------
 */

static void
test_untrusted (gconstpointer data)
{
  const Row *row = data;
  Case call = { .plugin = row->plugin };
  Self self = look_at_self ();
  g_autoptr (GError) error = NULL;

  g_assert_null (describe (&call, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, DPS_ERROR, (gint) row->code);
  g_assert_true (g_str_has_prefix (error->message, "plugin "));
  if (strstr (error->message, row->text) == NULL)
    g_error ("'%s' has no '%s'", error->message, row->text);
  assert_unchanged (&self);
  assert_served ();
}

#define DENIED DPS_ERROR_ACCESS_DENIED
#define INVALID DPS_ERROR_INVALID_ARGUMENT
static const Row files[] = {
  { "file-linked",
    "agent",
    HERE,
    DENIED,
    "file-linked.so' is not trusted: it is a symbolic" },
  { "file-group-writable", "agent", HERE, DENIED, "of owner 0 and mode 0664" },
  { "file-world-writable", "agent", HERE, DENIED, "of owner 0 and mode 0646" },
  { "file-foreign", "agent", HERE, DENIED, "of owner 65534 and mode 0644" },
  { "file-fifo", "agent", HERE, DENIED, "it is no regular file" },
  { "file-directory", "agent", HERE, DENIED, "it is no regular file" },
  { "file-absent",
    "agent",
    HERE,
    DPS_ERROR_NOT_SUPPORTED,
    "there is no 'file-absent.so'" },
  { "file-empty", "agent", HERE, DPS_ERROR_REJECTED, "can not be loaded: " },
  { "../plugins/behaves", "agent", HERE, INVALID, "a plugin name has only" },
  { "..", "agent", HERE, INVALID, "a plugin name has only" },
  { "/usr/lib/behaves", "agent", HERE, INVALID, "a plugin name has only" },
  { "behaves.so", "agent", HERE, INVALID, "a plugin name has only" },
  { "Behaves", "agent", HERE, INVALID, "a plugin name has only" },
  { "beh\xc3\xa4ves", "agent", HERE, INVALID, "a plugin name has only" },
  { "", "agent", HERE, INVALID, "a plugin name has 1 to 32 characters" },
  { "behaves-but-has-a-name-over-32-by", "agent", HERE, INVALID, "1 to 32 characters" },
};

/* Directories that others may write, or that lead to one. */
static void
test_directory (void)
{
  static const struct
  {
    mode_t mode;
    uid_t owner;
  } bad[] = { { 0775, 0 }, { 0757, 0 }, { 0755, 65534 } };
  Case call = { "behaves" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (chown (world.plugins, bad[i].owner, 0), ==, 0);
      g_assert_cmpint (g_chmod (world.plugins, bad[i].mode), ==, 0);
      g_assert_null (describe (&call, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_ACCESS_DENIED);
      g_assert_true (
          g_str_has_prefix (error->message, "plugin behaves: plugin directory: "));
    }
  g_assert_cmpint (chown (world.plugins, 0, 0), ==, 0);
  g_assert_cmpint (g_chmod (world.plugins, 0755), ==, 0);
  assert_served ();
}

/* Swaps what is at the plugin's path for what nobody may load, as fast as it can be done:
 * a file that others may write, then a symbolic link, then the good one again. */
typedef struct
{
  char *good, *writable, *link;
  int stop; /* atomic */
  guint swaps;
} Swap;

static void
exchange (const char *a, const char *b)
{
  if (renameat2 (AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0)
    g_error ("exchanging: %s", g_strerror (errno));
}

static gpointer
swap_in_thread (gpointer data)
{
  Swap *swap = data;

  while (!g_atomic_int_get (&swap->stop))
    {
      exchange (swap->good, swap->writable);
      exchange (swap->good, swap->writable);
      exchange (swap->good, swap->link);
      exchange (swap->good, swap->link);
      swap->swaps += 4;
    }
  return NULL;
}

/* The untrusted file leaves with status 3 when its constructor runs. */
static void
test_swap (void)
{
  Swap swap = { plugin_path ("swapped"),
                plugin_path ("swapped-writable"),
                plugin_path ("swapped-link") };
  g_autofree char *orders = g_build_filename (world.plugins, "swapped.orders", NULL);
  guint loaded = 0, refused = 0;
  GThread *thread;

  install ("plugins/ctor-leave.so", "swapped-writable");
  g_assert_cmpint (g_chmod (swap.writable, 0664), ==, 0);
  g_assert_cmpint (symlink (swap.writable, swap.link), ==, 0);
  g_assert_true (g_file_set_contents (orders, "behaves", -1, NULL));
  thread = g_thread_new ("swap", swap_in_thread, &swap);
  for (int i = 0; i < 150; i++)
    {
      Case call = { "swapped", .host = installed_host };
      g_autoptr (DpsPluginRunner) runner = runner_of (&call);
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsPluginDescription) description =
          describe_with (runner, &call, NULL, &error);

      if (description == NULL)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_ACCESS_DENIED);
      else
        g_assert_cmpstr (description->registration_id, ==, "fine");
      loaded += description != NULL;
      refused += description == NULL;
    }
  g_atomic_int_set (&swap.stop, 1);
  g_thread_join (thread);
  printf ("# FIGURE swapped while loading: %u loads, %u refused, %u swaps\n",
          loaded,
          refused,
          swap.swaps);
  g_assert_cmpuint (loaded, >, 0);
  g_assert_cmpuint (refused, >, 0);
  g_free (swap.good);
  g_free (swap.writable);
  g_free (swap.link);
}

/* --- the world -------------------------------------------------------------------------
 */

static const char *const harmless[] = { "answers-twice",
                                        "answers-with-nul",
                                        "changes-process",
                                        "load-changes-process",
                                        "floods-log" };

static void
put_file (const char *name, mode_t mode, uid_t owner)
{
  g_autofree char *path = plugin_path (name);

  install ("plugins/villain.so", name);
  g_assert_cmpint (g_chmod (path, mode), ==, 0);
  g_assert_cmpint (chown (path, owner, 0), ==, 0);
}

static void
install_files (void)
{
  g_autofree char *good = plugin_path ("behaves");
  g_autofree char *linked = plugin_path ("file-linked");
  g_autofree char *fifo = plugin_path ("file-fifo");
  g_autofree char *directory = plugin_path ("file-directory");
  g_autofree char *empty = plugin_path ("file-empty");

  put_file ("file-group-writable", 0664, 0);
  put_file ("file-world-writable", 0646, 0);
  put_file ("file-foreign", 0644, 65534);
  g_assert_cmpint (symlink (good, linked), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0644), ==, 0);
  g_assert_cmpint (g_mkdir (directory, 0755), ==, 0);
  g_assert_true (g_file_set_contents (empty, "", 0, NULL));
  g_assert_cmpint (g_chmod (empty, 0644), ==, 0);
}

static void
install_all (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    install ("plugins/villain.so", rows[i].plugin);
  for (gsize i = 0; i < G_N_ELEMENTS (harmless); i++)
    install ("plugins/villain.so", harmless[i]);
  install ("plugins/villain.so", "answers-at-deadline");
  install ("plugins/villain.so", "behaves");
  install ("plugins/villain.so", "swapped");
  install_files ();
}

static void
add_rows (const Row *table, gsize n, GTestDataFunc test)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdelimit (g_strdup (table[i].plugin), "/", ':');
      g_autofree char *path =
          g_strdup_printf ("/hostile/%s:by-%s", name, table[i].stopped_by);

      g_test_add_data_func (path, &table[i], test);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* The bus library warns of garbage by itself; that is what is provoked here. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  g_assert_cmpint (argc, ==, 2);
  installed_host = argv[1];
  dps_secret_init ();
  world_make ();
  atexit (world_unmake);
  install_all ();
  /* The first call starts the bus library's thread, which stays. */
  dps_plugin_probe_free (probe (&(Case){ "behaves" }));
  add_rows (rows, G_N_ELEMENTS (rows), test_stopped);
  for (gsize i = 0; i < G_N_ELEMENTS (harmless); i++)
    {
      g_autofree char *path = g_strdup_printf ("/hostile/%s:harmless", harmless[i]);

      g_test_add_data_func (path, harmless[i], test_harmless);
    }
  g_test_add_func ("/hostile/a-nul-ends-a-string", test_nul);
  g_test_add_func ("/hostile/answers-about-its-deadline", test_at_deadline);
  add_rows (files, G_N_ELEMENTS (files), test_untrusted);
  g_test_add_func ("/hostile/in-a-directory-of-others:by-agent", test_directory);
  g_test_add_func ("/hostile/swapped-while-loading:by-agent", test_swap);
  return g_test_run ();
}
