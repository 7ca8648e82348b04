/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-json.h"
#include "common/dps-name.h"
#include "common/dps-secret.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

static void
test_error_names (void)
{
  for (int i = 0; i < DPS_N_ERRORS; i++)
    {
      g_autoptr (GError) error = g_error_new_literal (DPS_ERROR, i, "text");
      g_autofree char *name = g_dbus_error_encode_gerror (error);

      g_assert_cmpstr (name, ==, dps_error_name (i));
      g_assert_true (g_str_has_prefix (name, DPS_ERROR_PREFIX));
    }
}

static void
test_error_transient (void)
{
  static const struct
  {
    int code;
    gboolean transient;
  } table[] = { { DPS_ERROR_BUSY, TRUE },
                { DPS_ERROR_TIMED_OUT, TRUE },
                { DPS_ERROR_FAILED, FALSE },
                { DPS_ERROR_ACCESS_DENIED, FALSE },
                { DPS_ERROR_REJECTED, FALSE } };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = g_error_new_literal (DPS_ERROR, table[i].code, "text");

      g_assert_cmpint (dps_error_is_transient (error), ==, table[i].transient);
    }
}

static void
test_secret_base64 (void)
{
  static const struct
  {
    const char *text;
    gssize size; /* -1 = refused */
  } table[] = { { "QUJDRA==", 4 },     { "  QUJDRA==\n", 4 },
                { "QUJDREU=", 5 },     { "QUJDREVG", 6 },
                { "QUJDRA=", -1 },     { "QUJDRA", -1 },
                { "QUJD\nRA==", -1 },  { "QUJ-RA==", -1 },
                { "====", -1 },        { "", -1 },
                { "QUJD=A==", -1 },    { "not base64!!", -1 },
                { "QUI=", -1 /* 2 */ } };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsSecret) secret = dps_secret_new_from_base64 (table[i].text,
                                                                 strlen (table[i].text),
                                                                 3,
                                                                 64,
                                                                 &error);

      if (table[i].size < 0)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      else
        {
          g_assert_no_error (error);
          g_assert_cmpint ((gssize) dps_secret_size (secret), ==, table[i].size);
          g_assert_cmpmem (dps_secret_data (secret),
                           dps_secret_size (secret),
                           "ABCDEF",
                           (gsize) table[i].size);
        }
    }
}

/* RFC 4648 §10. */
static void
test_secret_to_base64 (void)
{
  const char *const table[][2] = { { "", "" },
                                   { "f", "Zg==" },
                                   { "fo", "Zm8=" },
                                   { "foo", "Zm9v" },
                                   { "foobar", "Zm9vYmFy" } };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (DpsSecret) secret = dps_secret_new (table[i][0], strlen (table[i][0]));
      g_autoptr (DpsSecret) text = dps_secret_to_base64 (secret);

      g_assert_cmpmem (dps_secret_data (text),
                       dps_secret_size (text),
                       table[i][1],
                       strlen (table[i][1]));
    }
}

static void
test_secret_memfd (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) secret = dps_secret_new ("0123456789", 10);
  g_autoptr (DpsSecret) copy = NULL;
  g_autoptr (DpsSecret) refused = NULL;
  dps_autofd fd = dps_secret_to_memfd (secret, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fd, F_GET_SEALS),
                   ==,
                   F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  g_assert_cmpint (write (fd, "x", 1), ==, -1);
  copy = dps_secret_read_fd (fd, 10, &error);
  g_assert_no_error (error);
  g_assert_true (dps_secret_equal (secret, copy));
  refused = dps_secret_read_fd (fd, 9, &error);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
}

static void
test_names (void)
{
  static const struct
  {
    gboolean (*check) (const char *, GError **);
    const char *name;
    gboolean good;
  } table[] = {
    { dps_name_check_registration_id, "dev-01:a.b_c", TRUE },
    { dps_name_check_registration_id, "", FALSE },
    { dps_name_check_registration_id, "dev/01", FALSE },
    { dps_name_check_registration_id, "dev 01", FALSE },
    { dps_name_check_registration_id, ".dev", FALSE },
    { dps_name_check_registration_id, "dev:", FALSE },
    { dps_name_check_registration_id, "dév", FALSE },
    { dps_name_check_registration_id, "dev-", TRUE },
    { dps_name_check_device_id, "Dev$1@x", TRUE },
    { dps_name_check_device_id, "a b", FALSE },
    { dps_name_check_device_id, "a/b", FALSE },
    { dps_name_check_host, "myhub.azure-devices.net", TRUE },
    { dps_name_check_host, "myhub", FALSE },
    { dps_name_check_host, "10.0.0.1", FALSE },
    { dps_name_check_host, "https://myhub.azure-devices.net", FALSE },
    { dps_name_check_host, "myhub.azure-devices.net:443", FALSE },
    { dps_name_check_host, "-a.net", FALSE },
    { dps_name_check_host, "a..net", FALSE },
    { dps_name_check_host, "a.net.", FALSE },
    { dps_name_check_plugin, "symmetric-key", TRUE },
    { dps_name_check_plugin, "../x", FALSE },
    { dps_name_check_plugin, "/etc/x", FALSE },
    { dps_name_check_plugin, "X", FALSE },
    { dps_name_check_plugin, "", FALSE },
    { dps_name_check_plugin, "a1234567890123456789012345678901", TRUE },
    { dps_name_check_plugin, "a12345678901234567890123456789012", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_cmpint (table[i].check (table[i].name, &error), ==, table[i].good);
      g_assert_cmpint (error == NULL, ==, table[i].good);
    }
}

static void
test_json_refuses (void)
{
  static const char *const bad[] = {
    "",
    "[]",
    "1",
    "{",
    "{}}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"o\":{\"b\":1,\"b\":1}}",
    "{\"a\":[[[[[[[[1]]]]]]]]}",
    "{\"a\":\"x}",
    "{\"a\":1} // comment",
    "{\"a\":\"\x01\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":1]",
    "{a:1}",
    "{\"a\":01}",
    "{\"a\":-01}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":0x10}",
    "{\"a\":$10}",
    "{\"a\":-}",
    "{\"a\":--1}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":True}",
    "{\"a\":undefined}",
    "{\"a\":9223372036854775808}",
    "{\"a\":-9223372036854775809}",
    "{\"a\":1e999}",
    "{\"a\":'x'}",
    "{\"a\":\"\\x41\"}",
    "{\"a\":\"\\u00\"}",
    "{\"a\":\"\\u+041\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud83d\"}",
    "{\"a\":\"\\ude00\"}",
    "{\"a\":\"\\ud83d\\u0041\"}",
    "{\"a\":\"\\",
    "{\"a\":\"\\u00",
    "{\"a\" 1}",
    "{\"a\":1,}",
    "{,\"a\":1}",
    "{\"a\":[1,]}",
    "{\"a\":[,1]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1:2]}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1:2}",
    "{\"a\",\"b\"}",
    "{\"a\":}",
    "{\"a\"}",
    "{1:2}",
    "{\"a\":1},",
    "{\"a\":1}1",
    ":{\"a\":1}",
    "\"a\"{\"a\":1}",
    "{\"a\":1}\"a\"",
    "{\"a\":1,\"b\"}",
    "{\"a\":[1],2}",
    "var a={\"a\":1}",
    "{\"a\":1};",
    "\xef\xbb\xbf{\"a\":1}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (JsonObject) object =
          dps_json_parse_object (bad[i], strlen (bad[i]), &error);

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_null (object);
      g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
    }
}

/* What is JSON is read as what it is. */
static void
test_json_values (void)
{
  static const struct
  {
    const char *text;
    const char *again;
  } table[] = {
    { "0", "0" },
    { "-0", "0" },
    { "9223372036854775807", "9223372036854775807" },
    { "-9223372036854775808", "-9223372036854775808" },
    { "1.5", "1.5" },
    { "-1.5E+2", "-150.0" },
    { "25e-1", "2.5" },
    { "true", "true" },
    { "null", "null" },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
    { "\"\\u00e9\\uD83d\\uDe00\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
    { "[ ]", "[]" },
    { "[true,{\"b\":[]}]", "[true,{\"b\":[]}]" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *text = g_strdup_printf ("{\"a\": %s }", table[i].text);
      g_autoptr (GError) error = NULL;
      g_autoptr (JsonObject) object = dps_json_parse_object (text, strlen (text), &error);
      g_autofree char *again = NULL;

      g_assert_no_error (error);
      again = dps_json_to_text (json_object_get_member (object, "a"));
      g_assert_cmpstr (again, ==, table[i].again);
    }
}

static void
test_json_members (void)
{
  const char *text = "{\"s\":\"x\",\"n\":5,\"o\":{\"s\":\"y\"},\"z\":null,\"f\":1.5,"
                     "\"deep\":[[[[[[[1]]]]]]],\"a\":[{\"k\":1},{\"k\":2}]}";
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = dps_json_parse_object (text, strlen (text), &error);
  JsonObject *inner;
  const char *s;
  gint64 n;

  g_assert_no_error (error);
  g_assert_true (dps_json_get_string (object, "s", 10, &s, &error));
  g_assert_cmpstr (s, ==, "x");
  g_assert_true (dps_json_get_string (object, "z", 10, &s, &error));
  g_assert_null (s);
  g_assert_true (dps_json_get_string (object, "absent", 10, &s, &error));
  g_assert_null (s);
  g_assert_true (dps_json_get_int (object, "n", &n, &error));
  g_assert_cmpint (n, ==, 5);
  g_assert_true (dps_json_get_object (object, "o", &inner, &error));
  g_assert_nonnull (inner);
  g_assert_no_error (error);
  g_assert_false (dps_json_get_string (object, "n", 10, &s, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
  g_clear_error (&error);
  g_assert_false (dps_json_get_string (object, "s", 0, &s, NULL));
  g_assert_false (dps_json_get_int (object, "f", &n, NULL));
  g_assert_false (dps_json_get_object (object, "s", &inner, NULL));
}

/* A root-owned directory that the ownership rules accept. */
static char *
trusted_dir (void)
{
  char *dir = g_strdup ("/run/dps-test.XXXXXX");

  g_assert_nonnull (g_mkdtemp_full (dir, 0755));
  return dir;
}

static void
test_open_trusted (void)
{
  static const struct
  {
    mode_t file_mode;
    uid_t uid;
    gid_t gid;
    mode_t dir_mode;
    mode_t deny;
    gboolean good;
  } table[] = {
    { 0644, 0, 0, 0755, 0, TRUE },           { 0664, 0, 0, 0755, 0, FALSE },
    { 0646, 0, 0, 0755, 0, FALSE },          { 0644, 65534, 0, 0755, 0, FALSE },
    { 0644, 0, 0, 0777, 0, FALSE },          { 0644, 0, 0, 0775, 0, FALSE },
    { 0644, 0, 0, 0755, S_IRWXO, FALSE },    { 0640, 0, 0, 0755, S_IRWXO, TRUE },
    { 0600, 12345, 0, 0755, S_IRWXO, TRUE }, { 0640, 0, 65534, 0755, S_IRWXO, FALSE },
    { 0640, 0, 12345, 0755, S_IRWXO, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *dir = trusted_dir ();
      g_autofree char *path = g_build_filename (dir, "file", NULL);
      dps_autofd fd = -1;

      g_assert_true (g_file_set_contents (path, "x", 1, NULL));
      g_assert_cmpint (chown (path, table[i].uid, table[i].gid), ==, 0);
      g_assert_cmpint (chmod (path, table[i].file_mode), ==, 0);
      g_assert_cmpint (chmod (dir, table[i].dir_mode), ==, 0);
      fd = dps_open_trusted (path, 12345, 12345, table[i].deny, &error);
      g_test_message ("row %" G_GSIZE_FORMAT ": %s", i, error ? error->message : "good");
      g_assert_cmpint (fd >= 0, ==, table[i].good);
      if (table[i].dir_mode == 0755)
        {
          dps_autofd file = open (path, O_RDONLY | O_CLOEXEC);

          g_assert_cmpint (dps_check_trusted (file,
                                              path,
                                              12345,
                                              12345,
                                              table[i].deny,
                                              NULL),
                           ==,
                           table[i].good);
        }
      if (!table[i].good)
        {
          g_assert_error (error, DPS_ERROR, DPS_ERROR_ACCESS_DENIED);
          g_assert_nonnull (strstr (error->message, path));
        }
      g_unlink (path);
      g_rmdir (dir);
    }
}

static void
test_open_trusted_links (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = trusted_dir ();
  g_autofree char *file = g_build_filename (dir, "file", NULL);
  g_autofree char *good = g_build_filename (dir, "good", NULL);
  g_autofree char *loop = g_build_filename (dir, "loop", NULL);
  g_autofree char *out = g_build_filename (dir, "out", NULL);
  g_autofree char *tmp = NULL;
  dps_autofd fd = -1, none = -1;

  none = g_file_open_tmp (NULL, &tmp, NULL);
  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  g_assert_cmpint (symlink ("file", good), ==, 0);
  g_assert_cmpint (symlink ("loop", loop), ==, 0);
  g_assert_cmpint (symlink (tmp, out), ==, 0);
  fd = dps_open_trusted (good, 0, 0, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (dps_open_trusted (loop, 0, 0, 0, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  g_clear_error (&error);
  g_assert_cmpint (dps_open_trusted (out, 0, 0, 0, &error), ==, -1);
  g_assert_error (error, DPS_ERROR, DPS_ERROR_ACCESS_DENIED);
  g_unlink (tmp);
  g_unlink (good);
  g_unlink (loop);
  g_unlink (out);
  g_unlink (file);
  g_rmdir (dir);
}

/* OpenSSL's ordinary heap, which serves secrets where there is no secure one: what is in
 * the watched block when it is given back. */
static gconstpointer watched;
static gboolean wiped;

static void *
plain_alloc (size_t size, const char *file, int line)
{
  return malloc (size);
}

static void *
plain_realloc (void *block, size_t size, const char *file, int line)
{
  return realloc (block, size);
}

static void
watching_free (void *block, const char *file, int line)
{
  static const guint8 zeroes[32];

  if (block != NULL && block == watched)
    {
      wiped = memcmp (block, zeroes, sizeof zeroes) == 0;
      watched = NULL;
    }
  free (block);
}

static void
test_secret_wiped (void)
{
  g_autofree char *bytes = g_strnfill (32, 'k');
  DpsSecret *secret = dps_secret_new (bytes, 32);
  DpsSecret *kept = dps_secret_ref (secret);

  g_assert_false (CRYPTO_secure_allocated (dps_secret_data (secret)));
  watched = dps_secret_data (secret);
  wiped = FALSE;
  dps_secret_unref (secret);
  g_assert_cmpmem (dps_secret_data (kept), dps_secret_size (kept), bytes, 32);
  dps_secret_unref (kept);
  g_assert_null (watched);
  g_assert_true (wiped);
  g_assert_true (dps_secret_init ()); /* from here on as in the programs */
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_true (CRYPTO_set_mem_functions (plain_alloc, plain_realloc, watching_free));
  /* Before the secure heap is there, as when it is full. */
  g_test_add_func ("/secret/is-wiped", test_secret_wiped);
  g_test_add_func ("/error/each-code-has-its-bus-name", test_error_names);
  g_test_add_func ("/error/says-what-is-transient", test_error_transient);
  g_test_add_func ("/secret/base64-strict", test_secret_base64);
  g_test_add_func ("/secret/base64-text", test_secret_to_base64);
  g_test_add_func ("/secret/crosses-as-sealed-memfd", test_secret_memfd);
  g_test_add_func ("/name/table", test_names);
  g_test_add_func ("/json/refuses", test_json_refuses);
  g_test_add_func ("/json/values", test_json_values);
  g_test_add_func ("/json/members-are-typed", test_json_members);
  g_test_add_func ("/io/trusts-only-root-owned", test_open_trusted);
  g_test_add_func ("/io/follows-only-trusted-links", test_open_trusted_links);
  return g_test_run ();
}
