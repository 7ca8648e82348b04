/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm-fixture.h"

#include "common/dps-io.h"
#include "tpm/dps-tpm-device.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define START_TIMEOUT_MS 20000
#define MESSAGE_MAX 4096

typedef struct TpmForwarder
{
  GThread *thread;
  GMutex mutex;
  int listener;
  int stop[2];
  char *upstream;
  pid_t pid;
  GByteArray *record;
  guint count;
  guint kill_at;
  gboolean kill_answered;
  gboolean killed;
} TpmForwarder;

static void
fill_address (struct sockaddr_un *address, const char *path)
{
  memset (address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  g_assert_cmpuint (strlen (path), <, sizeof address->sun_path);
  strcpy (address->sun_path, path);
}

static int
connect_to (const char *path)
{
  struct sockaddr_un address;
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (fd, >=, 0);
  fill_address (&address, path);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  close (fd);
  return -1;
}

static gboolean
read_exactly (int fd, guint8 *data, gsize size)
{
  for (gsize done = 0; done < size;)
    {
      gssize n = read (fd, data + done, size - done);

      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      done += (gsize) n;
    }
  return TRUE;
}

/* One command or response; both say their length at the same place. 0 = gone. */
static gsize
read_message (int fd, guint8 *data)
{
  gsize size;

  if (!read_exactly (fd, data, 10))
    return 0;
  size = (gsize) data[2] << 24 | (gsize) data[3] << 16 | (gsize) data[4] << 8 | data[5];
  g_assert_cmpuint (size, <=, MESSAGE_MAX);
  return size >= 10 && read_exactly (fd, data + 10, size - 10) ? size : 0;
}

static gboolean
pass_on (TpmForwarder *self, int fd, const guint8 *data, gsize size)
{
  g_mutex_lock (&self->mutex);
  g_byte_array_append (self->record, data, (guint) size);
  g_mutex_unlock (&self->mutex);
  return send (fd, data, size, MSG_NOSIGNAL) == (gssize) size;
}

/* Whether this is the command to kill at, and if so in which half of it. */
static gboolean
count_command (TpmForwarder *self, gboolean *answered)
{
  gboolean now = FALSE;

  g_mutex_lock (&self->mutex);
  self->count++;
  *answered = self->kill_answered;
  if (self->kill_at > 0)
    now = --self->kill_at == 0;
  self->killed |= now;
  g_mutex_unlock (&self->mutex);
  return now;
}

static void
serve (TpmForwarder *self, int client)
{
  dps_autofd upstream = connect_to (self->upstream);
  guint8 data[MESSAGE_MAX];

  while (upstream >= 0)
    {
      struct pollfd pollers[] = { { .fd = client, .events = POLLIN },
                                  { .fd = self->stop[0], .events = POLLIN } };
      gboolean fatal, answered;
      gsize size;

      if (poll (pollers, 2, -1) < 0 || pollers[1].revents != 0)
        return;
      size = read_message (client, data);
      if (size == 0)
        return;
      fatal = count_command (self, &answered);
      if (fatal && !answered)
        kill (self->pid, SIGKILL);
      if (!pass_on (self, upstream, data, size))
        return;
      size = read_message (upstream, data);
      if (fatal && answered)
        kill (self->pid, SIGKILL);
      if (fatal || size == 0 || !pass_on (self, client, data, size))
        return;
    }
}

static gpointer
forward (gpointer data)
{
  TpmForwarder *self = data;

  for (;;)
    {
      struct pollfd pollers[] = { { .fd = self->listener, .events = POLLIN },
                                  { .fd = self->stop[0], .events = POLLIN } };
      dps_autofd client = -1;

      if (poll (pollers, 2, -1) < 0 || pollers[1].revents != 0)
        return NULL;
      client = accept4 (self->listener, NULL, NULL, SOCK_CLOEXEC);
      if (client >= 0)
        serve (self, client);
    }
}

static TpmForwarder *
forwarder_start (const char *path, const char *upstream, pid_t pid)
{
  TpmForwarder *self = g_new0 (TpmForwarder, 1);
  struct sockaddr_un address;

  g_mutex_init (&self->mutex);
  self->record = g_byte_array_new ();
  self->upstream = g_strdup (upstream);
  self->pid = pid;
  self->listener = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  fill_address (&address, path);
  unlink (path);
  g_assert_no_errno (bind (self->listener, (struct sockaddr *) &address, sizeof address));
  g_assert_no_errno (listen (self->listener, 8));
  g_assert_no_errno (pipe2 (self->stop, O_CLOEXEC));
  self->thread = g_thread_new ("forwarder", forward, self);
  return self;
}

static void
forwarder_stop (TpmForwarder *self)
{
  dps_close_fd (&self->stop[1]);
  g_thread_join (self->thread);
  close (self->stop[0]);
  close (self->listener);
  g_mutex_clear (&self->mutex);
  g_byte_array_unref (self->record);
  g_free (self->upstream);
  g_free (self);
}

static void
die_with_parent (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

static void
wait_until_there (const char *path)
{
  for (guint i = 0; i < START_TIMEOUT_MS / 10; i++)
    {
      dps_autofd fd = connect_to (path);

      if (fd >= 0)
        return;
      g_usleep (10 * 1000);
    }
  g_error ("swtpm did not come up at %s", path);
}

static void
start (TpmFixture *f)
{
  g_autofree char *raw = g_strdup_printf ("%s/raw.%u", f->dir, ++f->port);
  g_autofree char *front = g_build_filename (f->dir, "tpm", NULL);
  g_autofree char *server = g_strdup_printf ("type=unixio,path=%s", raw);
  g_autofree char *control = g_strdup_printf ("type=unixio,path=%s.ctrl", raw);
  g_autofree char *state = g_strdup_printf ("dir=%s/state", f->dir);
  const char *argv[] = { "swtpm",
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
  g_autoptr (GError) error = NULL;

  g_spawn_async (NULL,
                 (char **) argv,
                 NULL,
                 G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                     G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                 die_with_parent,
                 NULL,
                 &f->pid,
                 &error);
  g_assert_no_error (error);
  wait_until_there (raw);
  f->forwarder = forwarder_start (front, raw, f->pid);
}

static void
stop (TpmFixture *f)
{
  int status;

  kill (f->pid, SIGKILL);
  g_assert_cmpint (waitpid (f->pid, &status, 0), ==, f->pid);
  g_clear_pointer (&f->forwarder, forwarder_stop);
}

static void
make_state (TpmFixture *f)
{
  g_autofree char *state = g_build_filename (f->dir, "state", NULL);

  g_assert_no_errno (g_mkdir (state, 0700));
}

static void
remove_dir (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      if (g_file_test (child, G_FILE_TEST_IS_DIR))
        remove_dir (child);
      else
        g_unlink (child);
    }
  g_rmdir (path);
}

void
tpm_fixture_set_up (TpmFixture *f, gconstpointer data)
{
  static gsize once;
  g_autoptr (GError) error = NULL;

  if (g_once_init_enter (&once))
    {
      g_setenv ("TSS2_LOG", "all+none", FALSE);
      g_once_init_leave (&once, 1);
    }
  f->dir = g_dir_make_tmp ("dps-tpm-XXXXXX", &error);
  g_assert_no_error (error);
  f->tcti = g_strdup_printf ("unix:%s/tpm", f->dir);
  make_state (f);
  start (f);
}

void
tpm_fixture_tear_down (TpmFixture *f, gconstpointer data)
{
  tpm_fixture_assert_empty (f);
  stop (f);
  remove_dir (f->dir);
  g_free (f->tcti);
  g_free (f->dir);
}

void
tpm_fixture_restart (TpmFixture *f)
{
  stop (f);
  start (f);
}

void
tpm_fixture_replace (TpmFixture *f)
{
  g_autofree char *state = g_build_filename (f->dir, "state", NULL);

  stop (f);
  remove_dir (state);
  make_state (f);
  start (f);
}

int
tpm_fixture_connect (TpmFixture *f)
{
  g_autoptr (GError) error = NULL;
  int fd = dps_tpm_device_open (f->tcti, &error);

  g_assert_no_error (error);
  return fd;
}

DpsTpm *
tpm_fixture_open (TpmFixture *f, int *fd)
{
  g_autoptr (GError) error = NULL;
  DpsTpm *tpm;

  *fd = tpm_fixture_connect (f);
  tpm = dps_tpm_new (*fd, &error);
  g_assert_no_error (error);
  return tpm;
}

void
tpm_fixture_close (DpsTpm *tpm, int *fd)
{
  dps_tpm_free (tpm);
  dps_close_fd (fd);
}

void
tpm_fixture_clear (TpmFixture *f)
{
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);

  g_assert_cmphex (Esys_Clear (dps_tpm_get_esys (tpm),
                               ESYS_TR_RH_PLATFORM,
                               ESYS_TR_PASSWORD,
                               ESYS_TR_NONE,
                               ESYS_TR_NONE),
                   ==,
                   TSS2_RC_SUCCESS);
  tpm_fixture_close (tpm, &fd);
}

guint
tpm_fixture_take_count (TpmFixture *f)
{
  guint count;

  g_mutex_lock (&f->forwarder->mutex);
  count = f->forwarder->count;
  f->forwarder->count = 0;
  g_byte_array_set_size (f->forwarder->record, 0);
  g_mutex_unlock (&f->forwarder->mutex);
  return count;
}

gboolean
tpm_fixture_saw (TpmFixture *f, const char *data, gsize size)
{
  const GByteArray *record = f->forwarder->record;
  gboolean seen;

  g_mutex_lock (&f->forwarder->mutex);
  seen = memmem (record->data, record->len, data, size) != NULL;
  g_mutex_unlock (&f->forwarder->mutex);
  return seen;
}

void
tpm_fixture_kill_at (TpmFixture *f, guint n, gboolean answered)
{
  g_mutex_lock (&f->forwarder->mutex);
  f->forwarder->kill_at = n;
  f->forwarder->kill_answered = answered;
  g_mutex_unlock (&f->forwarder->mutex);
}

static TPMS_CAPABILITY_DATA *
get_capability (DpsTpm *tpm, TPM2_CAP capability, guint32 first, guint32 count)
{
  TPMS_CAPABILITY_DATA *data = NULL;

  g_assert_cmphex (Esys_GetCapability (dps_tpm_get_esys (tpm),
                                       ESYS_TR_NONE,
                                       ESYS_TR_NONE,
                                       ESYS_TR_NONE,
                                       capability,
                                       first,
                                       count,
                                       NULL,
                                       &data),
                   ==,
                   TSS2_RC_SUCCESS);
  return data;
}

guint32
tpm_fixture_failures (TpmFixture *f)
{
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);
  TPMS_CAPABILITY_DATA *data =
      get_capability (tpm, TPM2_CAP_TPM_PROPERTIES, TPM2_PT_LOCKOUT_COUNTER, 1);
  TPMS_TAGGED_PROPERTY found = data->data.tpmProperties.tpmProperty[0];

  g_assert_cmphex (found.property, ==, TPM2_PT_LOCKOUT_COUNTER);
  Esys_Free (data);
  tpm_fixture_close (tpm, &fd);
  return found.value;
}

void
tpm_fixture_assert_empty_through (DpsTpm *tpm)
{
  const guint32 firsts[] = { 0x80000000u, 0x02000000u }; /* transient, loaded sessions */

  for (guint i = 0; i < G_N_ELEMENTS (firsts); i++)
    {
      TPMS_CAPABILITY_DATA *data = get_capability (tpm, TPM2_CAP_HANDLES, firsts[i], 16);

      g_assert_cmpuint (data->data.handles.count, ==, 0);
      Esys_Free (data);
    }
}

void
tpm_fixture_assert_empty (TpmFixture *f)
{
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);

  tpm_fixture_assert_empty_through (tpm);
  tpm_fixture_close (tpm, &fd);
}

gboolean
tpm_fixture_was_killed (TpmFixture *f)
{
  gboolean killed;

  g_mutex_lock (&f->forwarder->mutex);
  killed = f->forwarder->killed;
  g_mutex_unlock (&f->forwarder->mutex);
  return killed;
}

void
tpm_fixture_persist (TpmFixture *f,
                     ESYS_TR hierarchy,
                     const TPM2B_PUBLIC *template,
                     TPM2_HANDLE handle)
{
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };

  dps_tpm_create_primary (tpm, hierarchy, template, &key, &error);
  g_assert_no_error (error);
  dps_tpm_persist (tpm, &key, handle, &error);
  g_assert_no_error (error);
  dps_tpm_drop_key (tpm, &key);
  tpm_fixture_close (tpm, &fd);
}

static void
set_password (DpsTpm *tpm, ESYS_TR hierarchy, const char *password)
{
  TPM2B_AUTH auth = { 0 };

  if (password == NULL)
    return;
  auth.size = (guint16) strlen (password);
  memcpy (auth.buffer, password, auth.size);
  g_assert_cmphex (Esys_HierarchyChangeAuth (dps_tpm_get_esys (tpm),
                                             hierarchy,
                                             ESYS_TR_PASSWORD,
                                             ESYS_TR_NONE,
                                             ESYS_TR_NONE,
                                             &auth),
                   ==,
                   TSS2_RC_SUCCESS);
}

void
tpm_fixture_set_passwords (TpmFixture *f, const char *owner, const char *endorsement)
{
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);

  set_password (tpm, ESYS_TR_RH_OWNER, owner);
  set_password (tpm, ESYS_TR_RH_ENDORSEMENT, endorsement);
  tpm_fixture_close (tpm, &fd);
}
