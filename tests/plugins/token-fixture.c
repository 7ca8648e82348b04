/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "token-fixture.h"

#include <errno.h>
#include <openssl/pem.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TOKENS "/var/lib/softhsm/tokens"
#define CONFIGURATION "/etc/softhsm/softhsm2.conf"
#define SO_PIN "84620957"

static int logins = -1;

void
token_fixture_count (void)
{
  g_autofree char *built =
      g_test_build_filename (G_TEST_BUILT, "plugins/login-counter.so", NULL);
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_assert_no_errno (mount ("tmpfs", "/usr/lib/softhsm", "tmpfs", 0, "mode=755"));
  g_file_get_contents (built, &bytes, &size, &error);
  g_assert_no_error (error);
  g_file_set_contents (TOKEN_COUNTING_MODULE, bytes, (gssize) size, &error);
  g_assert_no_error (error);
}

static void
listen_for_logins (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = COUNTER };

  logins = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_assert_no_errno (bind (logins, (struct sockaddr *) &address, sizeof address));
}

guint
token_fixture_take_logins (void)
{
  guint n = 0;
  char byte;

  while (recv (logins, &byte, 1, 0) == 1)
    n++;
  return n;
}

gboolean
token_fixture_enter (void)
{
  g_autoptr (GError) error = NULL;

  if (unshare (CLONE_NEWNS) < 0)
    return FALSE;
  g_assert_no_errno (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  g_assert_no_errno (mount ("tmpfs", "/etc/softhsm", "tmpfs", 0, "mode=755"));
  g_assert_no_errno (mount ("tmpfs", "/var/lib/softhsm", "tmpfs", 0, "mode=755"));
  g_assert_no_errno (g_mkdir_with_parents (TOKENS, 0755));
  g_file_set_contents (CONFIGURATION,
                       "directories.tokendir = " TOKENS "\n"
                       "objectstore.backend = file\nlog.level = ERROR\n",
                       -1,
                       &error);
  g_assert_no_error (error);
  listen_for_logins ();
  return TRUE;
}

static void
run (const char *const *argv)
{
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  g_spawn_sync (NULL,
                (char **) argv,
                NULL,
                G_SPAWN_SEARCH_PATH,
                NULL,
                NULL,
                &out,
                &err,
                &status,
                &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, NULL))
    g_error ("%s: %s%s", argv[0], out, err);
}

void
token_fixture_add (const char *label)
{
  const char *const argv[] = {
    "softhsm2-util", "--init-token", "--free",   "--label", label,
    "--pin",         TOKEN_PIN,      "--so-pin", SO_PIN,    NULL
  };

  run (argv);
}

void
token_fixture_import (const char *token, EVP_PKEY *key, const char *label, const char *id)
{
  const char *path = "/var/lib/softhsm/key.pem";
  const char *const argv[] = { "softhsm2-util", "--import", path,   "--token", token,
                               "--label",       label,      "--id", id,        "--pin",
                               TOKEN_PIN,       NULL };
  g_autoptr (GString) pem = g_string_new (NULL);
  BIO *bio = BIO_new_file (path, "w");

  g_assert_cmpint (PEM_write_bio_PKCS8PrivateKey (bio, key, NULL, NULL, 0, NULL, NULL),
                   ==,
                   1);
  BIO_free (bio);
  run (argv);
}
