/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-io.h"
#include "tpm/dps-tpm-device.h"
#include "tpm/dps-tpm-error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void
test_check (void)
{
  static const struct
  {
    const char *tcti;
    gboolean good;
    gboolean simulator;
  } rows[] = {
    { "device:/dev/tpmrm0", TRUE, FALSE }, { "unix:/run/relay", TRUE, TRUE },
    { "device:dev/tpmrm0", FALSE, FALSE }, { "unix:relay", FALSE, TRUE },
    { "device:", FALSE, FALSE },           { "/dev/tpmrm0", FALSE, FALSE },
    { "swtpm:host=x", FALSE, FALSE },      { "", FALSE, FALSE },
  };
  g_autofree char *longest = g_strdup_printf ("device:/%099d", 0);
  g_autofree char *longer = g_strdup_printf ("device:/%0100d", 0);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_cmpint (dps_tpm_device_check (rows[i].tcti, &error), ==, rows[i].good);
      g_assert_cmpint (error == NULL, ==, rows[i].good);
      g_assert_cmpint (dps_tpm_device_is_simulator (rows[i].tcti), ==, rows[i].simulator);
    }
  g_assert_true (dps_tpm_device_check (longest, NULL));
  g_assert_false (dps_tpm_device_check (longer, NULL));
}

/* What opening PREFIX and the name in dir fails with. */
static void
assert_fails (const char *prefix, const char *dir, const char *name, DpsTpmError code)
{
  g_autofree char *tcti = g_strdup_printf ("%s%s/%s", prefix, dir, name);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (dps_tpm_device_open (tcti, &error), ==, -1);
  g_assert_error (error, DPS_TPM_ERROR, (gint) code);
  g_assert_nonnull (strstr (error->message, strchr (tcti, ':') + 1));
}

static void
assert_fails_plainly (const char *prefix, const char *dir, const char *name)
{
  g_autofree char *tcti = g_strdup_printf ("%s%s/%s", prefix, dir, name);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (dps_tpm_device_open (tcti, &error), ==, -1);
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  g_assert_true (g_str_has_suffix (error->message, "' is not there"));
}

static void
touch (const char *dir, const char *name, mode_t mode)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  g_assert_cmpint (chmod (path, mode), ==, 0);
}

static void
remove_all (const char *dir, const char *first, const char *second)
{
  const char *names[] = { first, second };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = names[i] ? g_build_filename (dir, names[i], NULL) : NULL;

      g_assert_true (path == NULL || g_remove (path) == 0);
    }
  g_assert_cmpint (g_rmdir (dir), ==, 0);
}

static int
listen_at (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  g_assert_cmpint (listen (fd, 1), ==, 0);
  return fd;
}

static void
assert_opened (int fd)
{
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_NONBLOCK, ==, 0);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
}

static void
test_open (void)
{
  g_autofree char *dir = g_dir_make_tmp ("dps-tpm.XXXXXX", NULL);
  g_autofree char *tcti = g_strdup_printf ("device:%s/tpmrm0", dir);
  dps_autofd fd = -1;

  assert_fails ("device:", dir, "tpmrm0", DPS_TPM_ERROR_NO_DEVICE);
  assert_fails ("unix:", dir, "relay", DPS_TPM_ERROR_NO_DEVICE);
  touch (dir, "tpm0", 0600);
  assert_fails ("device:", dir, "tpmrm0", DPS_TPM_ERROR_RAW_ONLY);
  assert_fails ("device:", dir, "tpmrm1", DPS_TPM_ERROR_NO_DEVICE);
  touch (dir, "tpmrm0", 0600);
  fd = dps_tpm_device_open (tcti, NULL);
  assert_opened (fd);
  remove_all (dir, "tpm0", "tpmrm0");
}

/* As after an unbind and a bind of the driver. */
static void
test_other_number (void)
{
  g_autofree char *dir = g_dir_make_tmp ("dps-tpm.XXXXXX", NULL);
  g_autofree char *tcti = g_strdup_printf ("device:%s/tpmrm0", dir);
  g_autofree char *advice = g_strdup_printf ("set tcti=device:%s/tpmrm1", dir);
  g_autoptr (GError) error = NULL;

  touch (dir, "tpm1", 0600);
  assert_fails ("device:", dir, "tpmrm0", DPS_TPM_ERROR_NO_DEVICE);
  touch (dir, "tpmrm1", 0600);
  g_assert_cmpint (dps_tpm_device_open (tcti, &error), ==, -1);
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE);
  g_assert_nonnull (strstr (error->message, advice));
  g_clear_error (&error);
  /* A name of another kind, and a socket, are the operator's own. */
  assert_fails_plainly ("device:", dir, "chip0");
  assert_fails_plainly ("unix:", dir, "tpmrm0");
  remove_all (dir, "tpm1", "tpmrm1");
}

/* A simulator that is stopped, and has as many users as it takes: nothing waits for it.
 */
static void
test_stopped (void)
{
  g_autofree char *dir = g_dir_make_tmp ("dps-tpm.XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "relay", NULL);
  g_autofree char *tcti = g_strconcat ("unix:", path, NULL);
  dps_autofd listener = listen_at (path);
  g_autoptr (GError) error = NULL;
  int users[8];
  guint n = 0;

  while (n < G_N_ELEMENTS (users) && (users[n] = dps_tpm_device_open (tcti, &error)) >= 0)
    assert_opened (users[n++]);
  g_assert_cmpuint (n, >, 0);
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_BUSY);
  while (n > 0)
    close (users[--n]);
  dps_close_fd (&listener);
  assert_fails ("unix:", dir, "relay", DPS_TPM_ERROR_NO_DEVICE);
  remove_all (dir, "relay", NULL);
}

/* Root may open everything. */
static void
test_permission (void)
{
  g_autofree char *dir = g_dir_make_tmp ("dps-tpm.XXXXXX", NULL);

  if (geteuid () != 0)
    {
      g_test_skip ("this is not root");
      return;
    }
  g_assert_cmpint (chmod (dir, 0755), ==, 0);
  touch (dir, "tpmrm0", 0600);
  g_assert_cmpint (seteuid (65534), ==, 0);
  assert_fails ("device:", dir, "tpmrm0", DPS_TPM_ERROR_PERMISSION);
  g_assert_cmpint (seteuid (0), ==, 0);
  remove_all (dir, "tpmrm0", NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tpm/device/check", test_check);
  g_test_add_func ("/tpm/device/open", test_open);
  g_test_add_func ("/tpm/device/other-number", test_other_number);
  g_test_add_func ("/tpm/device/stopped", test_stopped);
  g_test_add_func ("/tpm/device/permission", test_permission);
  return g_test_run ();
}
