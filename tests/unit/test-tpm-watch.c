/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "core/dps-tpm-watch.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LIMIT (10 * G_USEC_PER_SEC)

typedef struct
{
  char *dir;
  char *path;
  DpsTpmWatch *watch;
  guint appeared;
} Fixture;

static void
on_appeared (gpointer data)
{
  ((Fixture *) data)->appeared++;
}

static void
setup (Fixture *f, gconstpointer kind)
{
  g_autofree char *tcti = NULL;

  f->dir = g_dir_make_tmp ("dps-watch.XXXXXX", NULL);
  g_assert_cmpint (chmod (f->dir, 0755), ==, 0);
  f->path = g_build_filename (f->dir, "tpmrm0", NULL);
  tcti = g_strconcat (kind, f->path, NULL);
  f->watch = dps_tpm_watch_new (tcti, on_appeared, f);
  g_assert_false (dps_tpm_watch_is_there (tcti));
}

static void
teardown (Fixture *f, gconstpointer kind)
{
  dps_tpm_watch_free (f->watch);
  g_assert_cmpint (g_remove (f->path), ==, 0);
  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  g_free (f->dir);
  g_free (f->path);
}

static void
wait_until_appeared (Fixture *f)
{
  gint64 limit = g_get_monotonic_time () + LIMIT;

  while (f->appeared == 0 && g_get_monotonic_time () < limit)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  g_assert_cmpuint (f->appeared, ==, 1);
}

/* Until what was done so far was seen, by the eyes of another watch. */
static void
wait_until_seen (Fixture *f)
{
  g_autofree char *other = g_build_filename (f->dir, "tpmrm1", NULL);
  g_autofree char *tcti = g_strconcat ("device:", other, NULL);
  Fixture second = { 0 };
  DpsTpmWatch *watch = dps_tpm_watch_new (tcti, on_appeared, &second);

  g_assert_true (g_file_set_contents (other, "", 0, NULL));
  wait_until_appeared (&second);
  dps_tpm_watch_free (watch);
  g_assert_cmpint (g_remove (other), ==, 0);
}

static void
test_device (Fixture *f, gconstpointer kind)
{
  wait_until_seen (f);
  g_assert_cmpuint (f->appeared, ==, 0);
  g_assert_cmpint (mkfifo (f->path, 0600), ==, 0);
  wait_until_appeared (f);
  /* Once. */
  g_assert_cmpint (chmod (f->path, 0660), ==, 0);
  wait_until_seen (f);
  g_assert_cmpuint (f->appeared, ==, 1);
}

/* As udev does: the node comes first, and its group later. */
static void
test_rights (Fixture *f, gconstpointer kind)
{
  if (geteuid () != 0)
    {
      g_assert_true (g_file_set_contents (f->path, "", 0, NULL));
      g_test_skip ("this is not root");
      return;
    }
  /* Others may make what the second watch waits for. */
  g_assert_cmpint (chmod (f->dir, 0777), ==, 0);
  g_assert_cmpint (mkfifo (f->path, 0600), ==, 0);
  g_assert_cmpint (seteuid (65534), ==, 0);
  wait_until_seen (f);
  g_assert_cmpuint (f->appeared, ==, 0);
  g_assert_cmpint (seteuid (0), ==, 0);
  g_assert_cmpint (chmod (f->path, 0666), ==, 0);
  g_assert_cmpint (seteuid (65534), ==, 0);
  wait_until_appeared (f);
  g_assert_cmpint (seteuid (0), ==, 0);
}

/* A socket is there before anybody listens, and no event tells of that. */
static void
test_socket (Fixture *f, gconstpointer kind)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  dps_autofd fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, f->path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  wait_until_seen (f);
  g_assert_cmpuint (f->appeared, ==, 0);
  g_assert_cmpint (listen (fd, 4), ==, 0);
  wait_until_appeared (f);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, kind, test)                                                            \
  g_test_add ("/tpm/watch/" name, Fixture, kind, setup, test, teardown)
  ADD ("device", "device:", test_device);
  ADD ("rights", "device:", test_rights);
  ADD ("socket", "unix:", test_socket);
  return g_test_run ();
}
