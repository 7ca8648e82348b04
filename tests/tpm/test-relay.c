/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm-message.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* test-relay RELAY: what the relay counts, records, holds back and strikes is what
 * happened between two clients and swtpm. */

#define PATIENCE_MS 20000

static const char *relay_program;

typedef struct
{
  char *folder;
  GPid swtpm;
  GPid relay;
} Fixture;

static char *
path_of (const Fixture *f, const char *name)
{
  return g_build_filename (f->folder, name, NULL);
}

/* They shall not outlive a test that ends in the middle. */
static void
end_with_parent (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static GPid
start (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  GPid pid = 0;

  g_spawn_async (NULL,
                 (char **) argv,
                 NULL,
                 G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                     G_SPAWN_STDOUT_TO_DEV_NULL,
                 end_with_parent,
                 NULL,
                 &pid,
                 &error);
  g_assert_no_error (error);
  return pid;
}

static void
end (GPid *pid, int signal_number)
{
  int status;

  if (*pid == 0)
    return;
  kill (*pid, signal_number);
  while (waitpid (*pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  if (signal_number == SIGTERM)
    g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  *pid = 0;
}

/* -1 where nobody listens. */
static int
try_to_connect (const Fixture *f, const char *name)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofree char *path = path_of (f, name);
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  strcpy (address.sun_path, path);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  close (fd);
  return -1;
}

static int
connect_to (const Fixture *f, const char *name)
{
  int fd = try_to_connect (f, name);

  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
wait_for_listener (const Fixture *f, const char *name)
{
  gint64 end_time = g_get_monotonic_time () + PATIENCE_MS * 1000;
  int fd;

  while ((fd = try_to_connect (f, name)) < 0)
    {
      g_assert_cmpint (g_get_monotonic_time (), <, end_time);
      g_usleep (5000);
    }
  close (fd);
}

static void
start_swtpm (Fixture *f)
{
  g_autofree char *socket = path_of (f, "tpm");
  g_autofree char *server = g_strdup_printf ("type=unixio,path=%s", socket);
  g_autofree char *control = g_strdup_printf ("type=unixio,path=%s/control", f->folder);
  g_autofree char *state = g_strdup_printf ("dir=%s", f->folder);
  const char *const argv[] = { "swtpm",
                               "socket",
                               "--tpm2",
                               "--server",
                               server,
                               "--ctrl",
                               control,
                               "--tpmstate",
                               state,
                               "--flags",
                               "not-need-init,startup-clear",
                               NULL };

  unlink (socket);
  f->swtpm = start (argv);
  wait_for_listener (f, "tpm");
}

static void
start_relay (Fixture *f, const char *option)
{
  g_autofree char *tpm = path_of (f, "tpm");
  g_autofree char *relay = path_of (f, "relay");
  g_autofree char *side = path_of (f, "side");
  g_autofree char *counts = path_of (f, "counts");
  g_autofree char *record = path_of (f, "record");
  g_autofree char *faults = path_of (f, "faults");
  const char *const argv[] = { relay_program, "--tpm",    tpm,    "--listen",
                               relay,         "--side",   side,   "--counts",
                               counts,        "--record", record, "--faults",
                               faults,        option,     NULL };

  f->relay = start (argv);
  for (gint64 end_time = g_get_monotonic_time () + PATIENCE_MS * 1000;
       access (relay, F_OK) != 0;
       g_usleep (5000))
    g_assert_cmpint (g_get_monotonic_time (), <, end_time);
}

static void
set_up (Fixture *f, gconstpointer option)
{
  f->folder = g_dir_make_tmp ("relay-XXXXXX", NULL);
  g_assert_nonnull (f->folder);
  start_swtpm (f);
  start_relay (f, option);
}

static void
tear_down (Fixture *f, gconstpointer option)
{
  g_autoptr (GDir) folder = NULL;
  const char *name;

  end (&f->relay, SIGTERM);
  end (&f->swtpm, SIGKILL);
  folder = g_dir_open (f->folder, 0, NULL);
  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = path_of (f, name);

      g_unlink (path);
    }
  g_rmdir (f->folder);
  g_free (f->folder);
}

/* ---- a client ---- */

static gboolean
is_answered (int fd, int ms)
{
  struct pollfd p = { .fd = fd, .events = POLLIN };

  return poll (&p, 1, ms) == 1;
}

/* 0 at the end of the connection. */
static gsize
take (int fd, guint8 *data, gsize size)
{
  gsize have = 0;

  while (have < size)
    {
      ssize_t got;

      g_assert_true (is_answered (fd, PATIENCE_MS));
      got = read (fd, data + have, size - have);
      if (got <= 0)
        return 0;
      have += (gsize) got;
    }
  return have;
}

static gsize
hear (int fd, guint8 *response)
{
  gsize size;

  if (take (fd, response, TPM_HEADER_SIZE) == 0)
    return 0;
  size = tpm_response_size (response);
  g_assert_cmpuint (size, >=, TPM_HEADER_SIZE);
  if (size > TPM_HEADER_SIZE)
    g_assert_cmpuint (take (fd, response + TPM_HEADER_SIZE, size - TPM_HEADER_SIZE),
                      >,
                      0);
  return size;
}

static void
tell (int fd, const guint8 *data, gsize size)
{
  g_assert_cmpint (send (fd, data, size, MSG_NOSIGNAL), ==, size);
}

/* The response code; its first number in *number, where it has one. 0xffffffff at the end
 * of the connection. */
static guint32
hear_code (int fd, guint32 *number)
{
  guint8 response[TPM_MESSAGE_MAX];
  gsize size = hear (fd, response);

  if (size == 0)
    return G_MAXUINT32;
  if (number != NULL && size >= TPM_HEADER_SIZE + 4)
    *number = tpm_read_u32 (response + TPM_HEADER_SIZE);
  return tpm_read_u32 (response + 6);
}

static const guint8 get_random[] = { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8 };

static void
tell_random (int fd)
{
  tell (fd, get_random, sizeof get_random);
}

static guint32
ask_random (int fd)
{
  tell_random (fd);
  return hear_code (fd, NULL);
}

/* An HMAC session that is neither bound nor salted. */
static guint32
start_session (int fd)
{
  guint8 data[59] = { 0x80, 0x01, 0, 0, 0,    sizeof data, 0, 0, 0x01, 0x76,
                      0x40, 0,    0, 7, 0x40, 0,           0, 7, 0,    32 };
  guint32 session = 0;

  memset (data + 20, 0x11, 32); /* the nonce; then no salt, TPM2_SE_HMAC, TPM2_ALG_NULL */
  data[56] = 0x10;
  data[58] = 0x0b; /* TPM2_ALG_SHA256 */
  tell (fd, data, sizeof data);
  g_assert_cmphex (hear_code (fd, &session), ==, 0);
  g_assert_cmphex (session >> 24, ==, TPM_HANDLE_HMAC_SESSION);
  return session;
}

static guint32
flush (int fd, guint32 handle)
{
  guint8 data[14] = { 0x80, 0x01, 0, 0, 0, sizeof data, 0, 0, 0x01, 0x65 };

  tpm_write_u32 (data + TPM_HEADER_SIZE, handle);
  tell (fd, data, sizeof data);
  return hear_code (fd, NULL);
}

/* GetRandom with the session, which stays or ends with it. */
static void
use_session (int fd, guint32 session, gboolean stays)
{
  guint8 data[25] = { 0x80, 0x02, 0, 0, 0, sizeof data, 0, 0, 0x01, 0x7b, 0, 0, 0, 9 };

  tpm_write_u32 (data + 14, session);
  data[20] = stays ? 0x81 : 0x80; /* audit */
  data[24] = 8;
  tell (fd, data, sizeof data);
  g_assert_cmphex (hear_code (fd, NULL), ==, 0);
}

/* DictionaryAttackLockReset with the empty lockout password: writes to NV. */
static void
reset_lockout (int fd)
{
  const guint8 data[27] = { 0x80, 0x02, 0, 0, 0,    sizeof data, 0, 0, 0x01,
                            0x39, 0x40, 0, 0, 0x0a, 0,           0, 0, 9,
                            0x40, 0,    0, 9, 0,    0,           1, 0, 0 };

  tell (fd, data, sizeof data);
  g_assert_cmphex (hear_code (fd, NULL), ==, 0);
}

/* TPM2_CAP_HANDLES from first on: how many the TPM has, asked beside the counts. */
static guint32
count_handles (const Fixture *f, guint32 first)
{
  guint8 data[22] = { 0x80, 0x01, 0, 0, 0, sizeof data, 0, 0, 0x01, 0x7a, 0, 0, 0, 1 };
  guint8 response[TPM_MESSAGE_MAX];
  int fd = connect_to (f, "side");

  tpm_write_u32 (data + 14, first);
  data[21] = 16;
  tell (fd, data, sizeof data);
  g_assert_cmpuint (hear (fd, response), >=, TPM_HEADER_SIZE + 9);
  g_assert_cmphex (tpm_read_u32 (response + 6), ==, 0);
  close (fd);
  return tpm_read_u32 (response + TPM_HEADER_SIZE + 5);
}

#define SESSIONS 0x02000000u

/* ---- what the relay wrote ---- */

static gint64
counter (const Fixture *f, const char *name)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *path = path_of (f, "counts");
  JsonObject *object;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  object = json_node_get_object (json_parser_get_root (parser));
  if (g_str_has_prefix (name, "TPM2_CC_"))
    object = json_object_get_object_member (object, "commands");
  return json_object_get_int_member_with_default (object, name, 0);
}

static void
assert_counter (const Fixture *f, const char *name, gint64 wanted)
{
  gint64 end_time = g_get_monotonic_time () + PATIENCE_MS * 1000;

  /* What has no response is counted when the relay comes to it. */
  while (counter (f, name) != wanted && g_get_monotonic_time () < end_time)
    g_usleep (2000);
  g_assert_cmpint (counter (f, name), ==, wanted);
}

static void
set_faults (const Fixture *f, const char *text)
{
  g_autofree char *aside = path_of (f, "faults.new");
  g_autofree char *path = path_of (f, "faults");

  g_assert_true (g_file_set_contents (aside, text, -1, NULL));
  g_assert_cmpint (rename (aside, path), ==, 0);
}

/* ---- the promises ---- */

/* Part 2, §8.9: TPMA_CC of each command, as the TPM has it. */
static void
test_table (Fixture *f, gconstpointer option)
{
  guint8 data[22] = { 0x80, 0x01, 0, 0, 0, sizeof data, 0, 0, 0x01, 0x7a, 0, 0, 0, 2 };
  guint8 response[TPM_MESSAGE_MAX];
  int fd = connect_to (f, "relay");
  guint32 count;

  tpm_write_u32 (data + 14, 0x11f);
  tpm_write_u32 (data + 18, 0x100);
  tell (fd, data, sizeof data);
  g_assert_cmpuint (hear (fd, response), >, TPM_HEADER_SIZE + 9);
  count = tpm_read_u32 (response + TPM_HEADER_SIZE + 5);
  g_assert_cmpuint (count, >=, 90);
  for (guint32 i = 0; i < count; i++)
    {
      guint32 cc = tpm_read_u32 (response + TPM_HEADER_SIZE + 9 + 4 * i);
      const TpmCommandKind *kind = tpm_command_kind (cc & 0xffff);

      if ((cc >> 29 & 1) != 0)
        continue; /* the vendor's */
      g_test_message ("command 0x%x, attributes 0x%08x", cc & 0xffff, cc);
      g_assert_nonnull (kind);
      g_assert_cmpuint (kind->handles, ==, cc >> 25 & 7);
      g_assert_cmpint (kind->makes, ==, cc >> 28 & 1);
      g_assert_cmpint (kind->ends, ==, cc >> 24 & 1);
      g_assert_cmpint (kind->nv, ==, cc >> 22 & 1);
    }
  close (fd);
}

/* From the first session loaded until the last is flushed the other one waits. */
static void
test_one_at_a_time (Fixture *f, gconstpointer option)
{
  int a = connect_to (f, "relay"), b = connect_to (f, "relay");
  guint32 first, second;

  g_assert_cmphex (ask_random (b), ==, 0);
  first = start_session (a);
  second = start_session (a);
  tell_random (b);
  g_assert_cmphex (ask_random (a), ==, 0);
  g_assert_cmphex (flush (a, first), ==, 0);
  g_assert_cmphex (ask_random (a), ==, 0);
  g_assert_false (is_answered (b, 100));
  g_assert_cmphex (flush (a, second), ==, 0);
  g_assert_cmphex (hear_code (b, NULL), ==, 0);

  first = start_session (a);
  tell_random (b);
  use_session (a, first, TRUE);
  g_assert_false (is_answered (b, 100));
  use_session (a, first, FALSE);
  g_assert_cmphex (hear_code (b, NULL), ==, 0);
  close (a);
  close (b);
  g_assert_cmpuint (count_handles (f, SESSIONS), ==, 0);
  assert_counter (f, "left_sessions", 0);
}

static void
test_leak (Fixture *f, gconstpointer option)
{
  gboolean flushes = option != NULL;
  int a = connect_to (f, "relay"), b = connect_to (f, "relay");

  start_session (a);
  tell_random (b);
  g_assert_false (is_answered (b, 100));
  close (a);
  g_assert_cmphex (hear_code (b, NULL), ==, 0);
  assert_counter (f, "left_sessions", 1);
  assert_counter (f, "left_objects", 0);
  g_assert_cmpuint (count_handles (f, SESSIONS), ==, flushes ? 0 : 1);
  assert_counter (f, "TPM2_CC_FlushContext", 0);
  close (b);
}

/* Beside the counts, and never a leak. */
static void
test_side (Fixture *f, gconstpointer option)
{
  int a = connect_to (f, "side"), b = connect_to (f, "relay");

  set_faults (f, "* 1 cut 100\n");
  start_session (a);
  close (a);
  g_assert_cmpuint (count_handles (f, SESSIONS), ==, 0);
  assert_counter (f, "total", 0);
  assert_counter (f, "left_sessions", 0);
  assert_counter (f, "clients", 1);
  close (b);
}

static void
test_counts (Fixture *f, gconstpointer option)
{
  const guint8 unknown[] = { 0x80, 0x01, 0, 0, 0, 10, 0, 0, 0x0f, 0xff };
  int a = connect_to (f, "relay"), b = connect_to (f, "relay");

  for (guint i = 0; i < 3; i++)
    g_assert_cmphex (ask_random (i == 1 ? b : a), ==, 0);
  /* No wait: what was answered is counted. */
  g_assert_cmpint (counter (f, "TPM2_CC_GetRandom"), ==, 3);
  g_assert_cmpint (counter (f, "nv_writes"), ==, 0);
  reset_lockout (a);
  g_assert_cmpint (counter (f, "nv_writes"), ==, 1);
  g_assert_cmphex (flush (a, SESSIONS), !=, 0);
  tell (a, unknown, sizeof unknown);
  g_assert_cmphex (hear_code (a, NULL), ==, 0x143); /* TPM2_RC_COMMAND_CODE */
  g_assert_cmpint (counter (f, "errors"), ==, 2);
  g_assert_cmpint (counter (f, "total"), ==, 6);
  g_assert_cmpint (counter (f, "clients"), ==, 2);
  kill (f->relay, SIGUSR1);
  assert_counter (f, "total", 0);
  g_assert_cmpint (counter (f, "TPM2_CC_GetRandom"), ==, 0);
  g_assert_cmphex (ask_random (b), ==, 0);
  g_assert_cmpint (counter (f, "TPM2_CC_GetRandom"), ==, 1);
  close (a);
  close (b);
}

static void
test_record (Fixture *f, gconstpointer option)
{
  int a = connect_to (f, "relay"), b;
  guint8 response[TPM_MESSAGE_MAX];
  g_autofree char *path = path_of (f, "record");
  g_autofree char *text = NULL;
  g_autofree char *wanted = NULL;
  g_autoptr (GRegex) times = g_regex_new ("(?m)^\\d{16} ", 0, 0, NULL);
  g_autofree char *timeless = NULL;
  GString *hex = g_string_new (NULL);

  tell_random (a);
  for (gsize i = 0, size = hear (a, response); i < size; i++)
    g_string_append_printf (hex, "%02x", response[i]);
  b = connect_to (f, "relay");
  set_faults (f, "GetRandom 1 rc 0x922\n");
  g_assert_cmphex (ask_random (b), ==, 0x922);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  timeless = g_regex_replace (times, text, -1, 0, "", 0, NULL);
  wanted = g_strdup_printf ("1 > 80010000000c0000017b0008\n1 < %s\n"
                            "2 > 80010000000c0000017b0008\n2 ! 80010000000a00000922\n",
                            hex->str);
  g_assert_cmpstr (timeless, ==, wanted);
  g_string_free (hex, TRUE);
  close (a);
  close (b);
}

static void
test_faults (Fixture *f, gconstpointer option)
{
  static const guint32 codes[] = { 0x922, 0x920, 0x90a, 0x902, 0x903, 0x921 };
  int a = connect_to (f, "relay"), b;
  gint64 before;

  for (guint i = 0; i < G_N_ELEMENTS (codes); i++)
    {
      g_autofree char *text =
          g_strdup_printf ("# no\n\nTPM2_CC_GetRandom 2 rc 0x%x 2 # yes\nHMAC 1 cut 1",
                           codes[i]);

      set_faults (f, text);
      g_assert_cmphex (ask_random (a), ==, 0);
      g_assert_cmphex (ask_random (a), ==, codes[i]);
      g_assert_cmphex (ask_random (a), ==, codes[i]);
      g_assert_cmphex (ask_random (a), ==, 0);
    }
  assert_counter (f, "injected", 2 * G_N_ELEMENTS (codes));

  set_faults (f, "* 1 delay 150");
  before = g_get_monotonic_time ();
  g_assert_cmphex (ask_random (a), ==, 0);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, 150 * 1000);

  set_faults (f, "* 1 bytes 8001000000");
  tell_random (a);
  g_assert_true (is_answered (a, PATIENCE_MS));
  set_faults (f, "* 1 hang");
  b = connect_to (f, "relay");
  close (a);
  a = connect_to (f, "relay");
  tell_random (a);
  assert_counter (f, "injected", 2 * G_N_ELEMENTS (codes) + 3);
  tell_random (b);
  g_assert_false (is_answered (b, 100));
  g_assert_false (is_answered (a, 0));
  close (a);
  g_assert_cmphex (hear_code (b, NULL), ==, 0);
  close (b);
}

/* cut: the TPM has not seen the command; lose: it has obeyed it. */
static void
test_connection_ends (Fixture *f, gconstpointer option)
{
  static const struct
  {
    const char *fault;
    guint32 left;
  } rows[] = { { "StartAuthSession 1 cut", 0 }, { "StartAuthSession 1 lose", 1 } };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const guint8 data[59] = { 0x80, 0x01, 0,    0,  0,           sizeof data, 0,    0,
                                0x01, 0x76, 0x40, 0,  0,           7,           0x40, 0,
                                0,    7,    0,    32, [56] = 0x10, [58] = 0x0b };
      int a = connect_to (f, "relay");

      set_faults (f, rows[i].fault);
      tell (a, data, sizeof data);
      g_assert_cmphex (hear_code (a, NULL), ==, G_MAXUINT32);
      close (a);
      assert_counter (f, "left_sessions", rows[i].left);
      g_assert_cmpuint (count_handles (f, SESSIONS), ==, rows[i].left);
    }
}

static void
test_no_command (Fixture *f, gconstpointer option)
{
  static const struct
  {
    const char *what;
    guint8 data[18];
    gsize size;
  } rows[] = {
    { "tag", { 0x80, 0x03, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8 }, 12 },
    { "size below the header", { 0x80, 0x01, 0, 0, 0, 9, 0, 0, 0x01, 0x7b }, 10 },
    { "size above the limit", { 0x80, 0x01, 0, 0, 0x10, 1, 0, 0, 0x01, 0x7b }, 10 },
    { "handle cut off", { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x73, 0, 8 }, 12 },
    { "no authorisation area", { 0x80, 0x02, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 8 }, 12 },
    { "area beyond the end",
      { 0x80, 0x02, 0, 0, 0, 16, 0, 0, 0x01, 0x7b, 0, 0, 0, 9, 0x40, 0 },
      16 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      int a = connect_to (f, "relay");

      g_test_message ("%s", rows[i].what);
      tell (a, rows[i].data, rows[i].size);
      g_assert_cmphex (hear_code (a, NULL), ==, G_MAXUINT32);
      close (a);
    }
  assert_counter (f, "total", 0);
}

/* The connections that have nothing under way outlive it. */
static void
test_tpm_ends (Fixture *f, gconstpointer option)
{
  int a = connect_to (f, "relay"), b = connect_to (f, "relay");

  start_session (a);
  end (&f->swtpm, SIGKILL);
  tell_random (a);
  g_assert_cmphex (hear_code (a, NULL), ==, G_MAXUINT32);
  start_swtpm (f);
  g_assert_cmphex (ask_random (b), ==, 0);
  g_assert_cmpuint (count_handles (f, SESSIONS), ==, 0);
  close (a);
  close (b);
}

/* A TPM that is stopped in the middle of a command: the client leaves, and the next one
 * is served when the TPM goes on. */
static void
test_tpm_stops (Fixture *f, gconstpointer option)
{
  int a = connect_to (f, "relay"), b = connect_to (f, "relay");
  guint8 response[TPM_MESSAGE_MAX];

  g_assert_cmphex (ask_random (a), ==, 0);
  kill (f->swtpm, SIGSTOP);
  tell_random (a);
  g_assert_false (is_answered (a, 100));
  close (a);
  tell_random (b);
  g_assert_false (is_answered (b, 100));
  kill (f->swtpm, SIGCONT);
  g_assert_cmpuint (hear (b, response), ==, TPM_HEADER_SIZE + 2 + 8);
  close (b);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  relay_program = argv[1];
  g_test_add ("/relay/table", Fixture, NULL, set_up, test_table, tear_down);
  g_test_add ("/relay/one-at-a-time",
              Fixture,
              NULL,
              set_up,
              test_one_at_a_time,
              tear_down);
  g_test_add ("/relay/leak-is-seen", Fixture, NULL, set_up, test_leak, tear_down);
  g_test_add ("/relay/flush-on-close",
              Fixture,
              "--flush-on-close",
              set_up,
              test_leak,
              tear_down);
  g_test_add ("/relay/side", Fixture, NULL, set_up, test_side, tear_down);
  g_test_add ("/relay/counts", Fixture, NULL, set_up, test_counts, tear_down);
  g_test_add ("/relay/record", Fixture, NULL, set_up, test_record, tear_down);
  g_test_add ("/relay/faults", Fixture, NULL, set_up, test_faults, tear_down);
  g_test_add ("/relay/connection-ends",
              Fixture,
              NULL,
              set_up,
              test_connection_ends,
              tear_down);
  g_test_add ("/relay/no-command", Fixture, NULL, set_up, test_no_command, tear_down);
  g_test_add ("/relay/tpm-ends", Fixture, NULL, set_up, test_tpm_ends, tear_down);
  g_test_add ("/relay/tpm-stops", Fixture, NULL, set_up, test_tpm_stops, tear_down);
  return g_test_run ();
}
