/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "config/dps-config-address.h"
#include "config/dps-config-parse.h"
#include "config/dps-config-value.h"
#include "config/dps-config.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITE "agent.conf.d/site.conf"
#define ENDPOINT "contoso-dps.azure-devices-provisioning.net"
#define COMPLETE                                                                         \
  "[provisioning]\nendpoint=" ENDPOINT "\nid-scope=0ne00ABCDEF\n"                        \
  "registration-id=gw-1\nattestation=symmetric-key\n"

/* A private world: drop-ins of all ranks, credentials and secrets in one directory. */
typedef struct
{
  char *dir;
  char *run_dir;
  char *vendor_dir;
  char *credentials_dir;
  DpsConfigPaths paths;
} Fixture;

static char *
make_dir (Fixture *f, const char *name)
{
  char *path = g_build_filename (f->dir, name, NULL);

  g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
  return path;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  static const char *const further[] = { "agent.conf.d",
                                         "run/agent.conf.d",
                                         "lib/agent.conf.d",
                                         "keys" };

  umask (022);
  f->dir = g_strdup ("/run/dps-test.XXXXXX");
  g_assert_nonnull (g_mkdtemp_full (f->dir, 0755));
  f->run_dir = make_dir (f, "run");
  f->vendor_dir = make_dir (f, "lib");
  f->credentials_dir = make_dir (f, "credentials");
  for (gsize i = 0; i < G_N_ELEMENTS (further); i++)
    g_free (make_dir (f, further[i]));
  f->paths = (DpsConfigPaths){ f->dir, f->run_dir, f->vendor_dir, f->credentials_dir };
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) dir = NULL;

  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK) &&
      (dir = g_dir_open (path, 0, NULL)) != NULL)
    {
      const char *name;

      while ((name = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *child = g_build_filename (path, name, NULL);

          remove_tree (child);
        }
    }
  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  remove_tree (f->dir);
  g_free (f->dir);
  g_free (f->run_dir);
  g_free (f->vendor_dir);
  g_free (f->credentials_dir);
}

static char *
path_of (Fixture *f, const char *name)
{
  return g_build_filename (f->dir, name, NULL);
}

static void
put_bytes (Fixture *f, const char *name, const char *data, gssize size)
{
  g_autofree char *path = path_of (f, name);

  g_assert_true (g_file_set_contents (path, data, size, NULL));
  g_assert_cmpint (g_chmod (path, 0644), ==, 0);
}

static void
put (Fixture *f, const char *name, const char *text)
{
  put_bytes (f, name, text, -1);
}

static void
set_mode (Fixture *f, const char *name, mode_t mode)
{
  g_autofree char *path = path_of (f, name);

  g_assert_cmpint (g_chmod (path, (int) mode), ==, 0);
}

static void
set_owner (Fixture *f, const char *name, uid_t uid, gid_t gid)
{
  g_autofree char *path = path_of (f, name);

  g_assert_cmpint (chown (path, uid, gid), ==, 0);
}

static void
take_away (Fixture *f, const char *name)
{
  g_autofree char *path = path_of (f, name);

  g_assert_cmpint (g_remove (path), ==, 0);
}

static void
put_link (Fixture *f, const char *target, const char *name)
{
  g_autofree char *path = path_of (f, name);

  g_assert_cmpint (symlink (target, path), ==, 0);
}

static DpsConfig *
load (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  DpsConfig *config = dps_config_load (&f->paths, &error);

  g_assert_no_error (error);
  g_assert_true (DPS_IS_CONFIG (config));
  return config;
}

static void
assert_says (const GError *error, const char *text)
{
  if (strstr (error->message, text) == NULL)
    g_error ("'%s' does not say '%s'", error->message, text);
}

static void
assert_refused (Fixture *f, gint code, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsConfig) config = dps_config_load (&f->paths, &error);

  g_assert_null (config);
  g_assert_error (error, DPS_ERROR, code);
  assert_says (error, says);
}

/* One bad line each; at and what are what the message must hold behind the file name. */
typedef struct
{
  const char *text;
  const char *at;
  const char *what;
} BadInput;

#define P "[provisioning]\n"
#define N "[network]\n"
static const BadInput bad_inputs[] = {
  { "[provisionning]\n", ":1: [provisionning]: ", "did you mean [provisioning]?" },
  { "[hub]\n", ":1: [hub]: ", "no such group" },
  { "[plugin]\n", ":1: [plugin]: ", "no such group" },
  { "[plugin Acme]\n", ":1: [plugin Acme]: ", "plugin's name" },
  { "[plugin a/b]\n", ":1: [plugin a/b]: ", "plugin's name" },
  { "[plugin acme]\nSerial=1\n", ":2: [plugin acme] Serial: ", "a-z, 0-9 and -" },
  { "[plugin acme]\n-file=/x\n", ":2: [plugin acme] -file: ", "a-z, 0-9 and -" },
  { "[plugin acme]\nseed-file=x\n", ":2: [plugin acme] seed-file: ", "absolute path" },
  { "[plugin acme]\nseed-file=/path/to/seed\n",
    ":2: [plugin acme] seed-file: ",
    "placeholder" },
  { "[plugin acme]\na=1\na=2\n", ":3: [plugin acme] a: ", "first in line 2" },
  { "[plugin symmetric-key]\nserial=1\n",
    ":2: [plugin symmetric-key] serial: ",
    "no such key" },
  { "[consumer]\n", ":1: [consumer]: ", "no such group" },
  { "[consumer Bad_Name]\n", ":1: [consumer Bad_Name]: ", "consumer's name" },
  { "[consumer <name>]\n", ":1: [consumer <name>]: ", "consumer's name" },
  { P "\nendpiont=x\n", ":3: [provisioning] endpiont: ", "did you mean 'endpoint'?" },
  { P "id_scope=x\n", ":2: [provisioning] id_scope: ", "did you mean 'id-scope'?" },
  { P "zebra=x\n", ":2: [provisioning] zebra: ", "no such key in this group; see" },
  { N "endpoint=x\n", ":2: [network] endpoint: ", "belongs in group [provisioning]" },
  { N "grants=x\n", ":2: [network] grants: ", "belongs in group [consumer NAME]" },
  { P "id-scope=a\nid-scope=b\n", ":3: [provisioning] id-scope: ", "first in line 2" },
  { P "id-scope=a\n" N P "id-scope=a\n",
    ":5: [provisioning] id-scope: ",
    "twice in this file" },
  { P "endpoint=a.b #c\n", ":2: [provisioning] endpoint: ", "line of its own" },
  { P "endpoint= # c\n", ":2: [provisioning] endpoint: ", "line of its own" },
  { P "endpoint=a\t#c\n", ":2: [provisioning] endpoint: ", "line of its own" },
  { N "allow-global-endpoint=1\n", ":2: [network] allow-global-endpoint: ", "yes or no" },
  { N "allow-global-endpoint=Yes\n",
    ":2: [network] allow-global-endpoint: ",
    "yes or no" },
  { N "allow-global-endpoint=on\n",
    ":2: [network] allow-global-endpoint: ",
    "yes or no" },
  { P "splay-seconds=3601\n", ":2: [provisioning] splay-seconds: ", "0 to 3600" },
  { P "splay-seconds=-1\n", ":2: [provisioning] splay-seconds: ", "0 to 3600" },
  { P "splay-seconds=1s\n", ":2: [provisioning] splay-seconds: ", "0 to 3600" },
  { P "splay-seconds=0x1\n", ":2: [provisioning] splay-seconds: ", "0 to 3600" },
  { P "splay-seconds=99999999999999999999\n",
    ":2: [provisioning] splay-seconds: ",
    "0 " },
  { P "attestation=SAS\n",
    ":2: [provisioning] attestation: ",
    "symmetric-key, x509, tpm, or the name" },
  { N "require-private-address=maybe\n",
    ":2: [network] require-private-address: ",
    "one of auto, yes, no" },
  { P "payload-file=x.json\n", ":2: [provisioning] payload-file: ", "absolute path" },
  { "[plugin symmetric-key]\nkey-file=c2VjcmV0a2V5\n",
    ":2: [plugin symmetric-key] key-file: ",
    "absolute path" },
  { P "payload-file=credential:\n", ":2: [provisioning] payload-file: ", "credential's" },
  { P "payload-file=credential:a/b\n",
    ":2: [provisioning] payload-file: ",
    "credential" },
  { P "payload-file=credential:..\n", ":2: [provisioning] payload-file: ", "credential" },
  { P "endpoint=a\\\n b\n", ":2: [provisioning] endpoint: ", "continuation" },
  { P "endpoint=a\n  b\n", ":3: [provisioning]: ", "continuation" },
  { P "endpoint\n", ":2: [provisioning]: ", "neither a comment" },
  { P "=x\n", ":2: [provisioning]: ", "no usable key" },
  { P "a[0]=x\n", ":2: [provisioning]: ", "no usable key" },
  { "endpoint=x\n", ":1: endpoint: ", "before any group" },
  { "[provisioning\n", ":1: ", "does not end in ']'" },
  { P "[network] # c\n", ":2: ", "does not end in ']'" },
  { "[]\n", ":1: ", "no usable name" },
  { "[[network]]\n", ":1: ", "no usable name" },
  { "[provisioning]\r\nendpoint=x\r\n", ":1: ", "CR LF" },
  { "\n" P "endpoint=x\r\n", ":3: [provisioning] endpoint: ", "CR LF" },
  { P "endpoint=a\x01\n", ":2: [provisioning] endpoint: ", "control character" },
  { P "endpoint=a\rb\n", ":2: [provisioning] endpoint: ", "control character" },
  { P "endpoint=a\x7f\n", ":2: [provisioning] endpoint: ", "control character" },
  { P "endpoint=a\xc2\x85\n", ":2: [provisioning] endpoint: ", "control character" },
  { P "endpoint=\xff\n", ":2: [provisioning] endpoint: ", "not UTF-8" },
  { P "# \xc3\n", ":2: [provisioning]: ", "not UTF-8" },
  { "\xef\xbb\xbf" P, ":1: ", "byte order mark" },
  { P "endpoint=<tenant>.azure-devices-provisioning.net\n",
    ":2: [provisioning] endpoint: ",
    "placeholder" },
  { P "id-scope=[ID Scope]\n", ":2: [provisioning] id-scope: ", "placeholder" },
  { P "id-scope=YOUR-SCOPE\n", ":2: [provisioning] id-scope: ", "placeholder" },
  { P "registration-id=your_device\n",
    ":2: [provisioning] registration-id: ",
    "placeholder" },
  { P "id-scope=0neXXXXXXXX\n", ":2: [provisioning] id-scope: ", "placeholder" },
  { P "id-scope=0nexxxxxxxx\n", ":2: [provisioning] id-scope: ", "placeholder" },
  { P "registration-id=xxx\n", ":2: [provisioning] registration-id: ", "placeholder" },
  { P "endpoint=${DPS}\n", ":2: [provisioning] endpoint: ", "placeholder" },
  { "[plugin symmetric-key]\nkey-file=/path/to/key\n",
    ":2: [plugin symmetric-key] key-file: ",
    "placeholder" },
  { N "address=10.0.0\n", ":2: [network] address: ", "no valid IP address" },
  { N "address=10.0.0.1;;10.0.0.2\n", ":2: [network] address: ", "entry 2" },
  { N "address=fd00::1\n", ":2: [network] address: ", "without brackets" },
  { N "address=10.0.0.1:0\n", ":2: [network] address: ", "1 to 65535" },
  { N "address=10.0.0.1:65536\n", ":2: [network] address: ", "1 to 65535" },
  { P "endpoint=" ENDPOINT "\n" N "address=10.0.0.1;10.0.0.2\n",
    ":4: [network] address: ",
    "pinned already" },
};

static void
test_bad_inputs (Fixture *f, gconstpointer data)
{
  g_autofree char *file = path_of (f, SITE);

  for (gsize i = 0; i < G_N_ELEMENTS (bad_inputs); i++)
    {
      const BadInput *row = &bad_inputs[i];
      g_autofree char *at = g_strconcat (file, row->at, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsConfig) config = NULL;

      put (f, SITE, row->text);
      config = dps_config_load (&f->paths, &error);
      if (config != NULL)
        g_error ("row %" G_GSIZE_FORMAT " was accepted: %s", i, row->text);
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      if (!g_str_has_prefix (error->message, at))
        g_error ("'%s' does not begin with '%s'", error->message, at);
      assert_says (error, row->what);
      /* What is wrong, then what to do about it. */
      assert_says (error, ";");
    }
}

/* Each byte of a good file replaced, and the file cut there; the copy has no byte to
 * spare, so that the sanitizer sees a read beyond it. */
static void
test_any_bytes (void)
{
  static const char good[] = "# c\n" P "endpoint = \xc3\xa4.b \n;\n" N "address=[::1]";
  static const char bytes[] = {
    0, '\n', '\r', ' ', '=', '[', ']', '#', '\\', '\xc3', 0x7f
  };
  guint n_refused = 0;

  for (gsize at = 0; at < sizeof good - 1; at++)
    for (gsize i = 0; i < 2 * G_N_ELEMENTS (bytes); i++)
      {
        gboolean cut = i >= G_N_ELEMENTS (bytes);
        gsize size = cut ? at + 1 : sizeof good - 1;
        g_autofree char *data = g_memdup2 (good, size);
        g_autoptr (GPtrArray) entries = NULL;
        g_autoptr (GError) error = NULL;

        data[at] = bytes[i % G_N_ELEMENTS (bytes)];
        entries = dps_config_parse (data, size, "F", &error);
        g_assert_cmpint (entries == NULL, ==, error != NULL);
        if (entries != NULL)
          continue;
        n_refused++;
        g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
        g_assert_true (g_str_has_prefix (error->message, "F:"));
        g_assert_true (g_utf8_validate (error->message, -1, NULL));
        g_assert_null (strpbrk (error->message, "\r\n"));
      }
  g_assert_cmpuint (n_refused, >, 300);
}

static void
test_limits (Fixture *f, gconstpointer data)
{
  g_autofree char *fits = g_strnfill (DPS_CONFIG_VALUE_MAX, 'a');
  g_autofree char *long_line = g_strnfill (DPS_CONFIG_LINE_MAX, 'a');
  g_autofree char *value = g_strdup_printf (P "endpoint=%sa\n", fits);
  g_autofree char *line = g_strdup_printf (P "endpoint=%s\n", long_line);
  g_autofree char *comment = g_strdup_printf ("#%s\n", long_line);
  g_autofree char *good = g_strdup_printf (P "endpoint=%s\n#%s\n", fits, long_line + 1);
  g_autofree char *big = g_strnfill (DPS_CONFIG_FILE_MAX + 1, '\n');
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (DpsConfig) full = NULL;

  put (f, SITE, good);
  config = load (f);
  g_assert_cmpstr (dps_config_get_string (config, DPS_CONFIG_ENDPOINT), ==, fits);
  put (f, SITE, value);
  assert_refused (f,
                  DPS_ERROR_INVALID_ARGUMENT,
                  SITE ":2: [provisioning] endpoint: the value is over 1024");
  put (f, SITE, line);
  assert_refused (f,
                  DPS_ERROR_INVALID_ARGUMENT,
                  SITE ":2: [provisioning] endpoint: the line is over 4096");
  put (f, SITE, comment);
  assert_refused (f, DPS_ERROR_INVALID_ARGUMENT, SITE ":1: the line is over 4096");
  put (f, SITE, big);
  assert_refused (f, DPS_ERROR_INVALID_ARGUMENT, SITE ": the file is over 64 KiB");
  big[DPS_CONFIG_FILE_MAX] = '\0';
  put (f, SITE, big);
  full = load (f);
  put_bytes (f, SITE, P "endpoint=a\0b\n", sizeof (P "endpoint=a\0b\n") - 1);
  assert_refused (f,
                  DPS_ERROR_INVALID_ARGUMENT,
                  SITE ":2: [provisioning] endpoint: the line has a NUL byte");
}

static void
test_too_many_drop_ins (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;

  for (guint i = 0; i < DPS_CONFIG_DROP_INS_MAX; i++)
    {
      g_autofree char *name = g_strdup_printf ("agent.conf.d/%u.conf", i);

      put (f, name, "");
    }
  config = load (f);
  put (f, "lib/agent.conf.d/one-more.conf", "");
  assert_refused (f, DPS_ERROR_INVALID_ARGUMENT, "more than 256 drop-ins");
}

static void
test_not_supported (Fixture *f, gconstpointer data)
{
  static const BadInput rows[] = {
    { N "require-private-address=yes\n", ":2: [network] require-private-address: ", "" },
    { N "require-private-address=no\n", ":2: [network] require-private-address: ", "" },
    { N "private-ranges=100.64.0.0/10\n", ":2: [network] private-ranges: ", "" },
    { N "proxy=http://p:3128\n", ":2: [network] proxy: ", "through a proxy" },
    { N "no-proxy=a.b\n", ":2: [network] no-proxy: ", "through a proxy" },
    { "[consumer web-1]\nuser=www\n", ":2: [consumer web-1] user: ", "credentials" },
    { "[consumer a]\nmax-ttl=600\n", ":2: [consumer a] max-ttl: ", "credentials" },
  };
  g_autofree char *file = path_of (f, SITE);
  g_autoptr (DpsConfig) config = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *at =
          g_strconcat (file, rows[i].at, "this version does not ", NULL);
      g_autoptr (GError) error = NULL;

      put (f, SITE, rows[i].text);
      g_assert_null (dps_config_load (&f->paths, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED);
      assert_says (error, at);
      assert_says (error, rows[i].what);
      assert_says (error, "remove the line");
    }
  /* Their defaults promise nothing that is not kept. */
  put (f,
       SITE,
       P "certificate-issuance=false\n" N "require-private-address=auto\n"
         "[store]\nrequired-protection=none\n[plugin tpm]\npersist-ek=true\n");
  config = load (f);
  g_assert_true (dps_config_get_boolean (config, DPS_CONFIG_PERSIST_EK));
}

/* A promise this version cannot keep is refused even where a later file takes it back. */
static void
test_replaced_lines_are_checked (Fixture *f, gconstpointer data)
{
  put (f, "agent.conf", N "require-private-address=yes\n");
  put (f, SITE, N "require-private-address=auto\n");
  assert_refused (f, DPS_ERROR_NOT_SUPPORTED, "agent.conf:2: [network]");
}

static void
test_values_are_not_repeated (Fixture *f, gconstpointer data)
{
  static const char *const lines[] = {
    "key-file=hunter2hunter2", "primary-key=hunter2hunter2", "key-file=/x #hunter2",
    "key-file hunter2",        "key-file=hunter2\x01",       "group-key-file=hunter2",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autofree char *text = g_strdup_printf ("[plugin symmetric-key]\n%s\n", lines[i]);
      g_autoptr (GError) error = NULL;

      put (f, SITE, text);
      g_assert_null (dps_config_load (&f->paths, &error));
      g_assert_nonnull (error);
      g_assert_null (strstr (error->message, "hunter2"));
    }
}

static void
test_syntax (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;

  put (f,
       SITE,
       "# comment #\n; comment\n\n  # indented\n[ provisioning ]\t\n"
       " \tendpoint \t=  Contoso.azure-devices-provisioning.net\t \n"
       "id-scope=a=b;c#d\n[network]\n\n[provisioning]\nregistration-id=gwXXX1");
  config = load (f);
  g_assert_cmpstr (dps_config_get_string (config, DPS_CONFIG_ENDPOINT),
                   ==,
                   "Contoso.azure-devices-provisioning.net");
  g_assert_cmpstr (dps_config_get_string (config, DPS_CONFIG_ID_SCOPE), ==, "a=b;c#d");
  g_assert_cmpstr (dps_config_get_string (config, DPS_CONFIG_REGISTRATION_ID),
                   ==,
                   "gwXXX1");
}

static void
test_defaults (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = load (f);

  g_assert_null (dps_config_get_string (config, DPS_CONFIG_ENDPOINT));
  g_assert_cmpstr (dps_config_get_source (config, DPS_CONFIG_ENDPOINT), ==, "default");
  g_assert_cmpstr (dps_config_get_string (config, DPS_CONFIG_API_VERSION),
                   ==,
                   "2021-06-01");
  g_assert_cmpuint (dps_config_get_uint (config, DPS_CONFIG_SPLAY_SECONDS), ==, 30);
  g_assert_false (dps_config_get_boolean (config, DPS_CONFIG_ALLOW_GLOBAL_ENDPOINT));
  g_assert_true (dps_config_get_boolean (config, DPS_CONFIG_PERSIST_EK));
  g_assert_cmpuint (g_strv_length (
                        (GStrv) dps_config_get_strv (config, DPS_CONFIG_ADDRESS)),
                    ==,
                    0);
}

/* The default of one key follows another. */
static void
test_issuing_api_version (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;
  g_autofree char *text = NULL;

  put (f, SITE, P "certificate-issuance=yes\n");
  config = load (f);
  g_assert_cmpstr (dps_config_get_string (config, DPS_CONFIG_API_VERSION),
                   ==,
                   "2025-07-01-preview");
  g_assert_cmpstr (dps_config_get_source (config, DPS_CONFIG_API_VERSION), ==, "default");
  text = dps_config_to_text (config);
  g_assert_nonnull (strstr (text, "# default\napi-version=2025-07-01-preview\n"));
}

static void
test_no_directories (Fixture *f, gconstpointer data)
{
  g_autofree char *nowhere = path_of (f, "nowhere");
  g_autoptr (DpsConfig) config = NULL;

  f->paths = (DpsConfigPaths){ .config_dir = nowhere };
  config = load (f);
  g_assert_cmpuint (dps_config_get_uint (config, DPS_CONFIG_SPLAY_SECONDS), ==, 30);
}

#define SPLAY(n) P "splay-seconds=" #n "\n"

static void
assert_splay (Fixture *f, guint expected, const char *file)
{
  g_autoptr (DpsConfig) config = load (f);
  g_autofree char *path = file != NULL ? path_of (f, file) : g_strdup ("default");
  const char *source = dps_config_get_source (config, DPS_CONFIG_SPLAY_SECONDS);

  g_assert_cmpuint (dps_config_get_uint (config, DPS_CONFIG_SPLAY_SECONDS), ==, expected);
  g_assert_true (g_str_has_prefix (source, path));
  if (file != NULL)
    g_assert_cmpstr (source + strlen (path), ==, ":2");
}

static void
test_order (Fixture *f, gconstpointer data)
{
  put (f, "agent.conf", SPLAY (1));
  assert_splay (f, 1, "agent.conf");
  /* By name over all directories, not by directory. */
  put (f, "lib/agent.conf.d/50-b.conf", SPLAY (2));
  assert_splay (f, 2, "lib/agent.conf.d/50-b.conf");
  put (f, "agent.conf.d/40-a.conf", SPLAY (3));
  assert_splay (f, 2, "lib/agent.conf.d/50-b.conf");
  put (f, "run/agent.conf.d/60-c.conf", SPLAY (4));
  assert_splay (f, 4, "run/agent.conf.d/60-c.conf");
  /* Bytes decide: "7" is behind "60-c", "Z" before "a". */
  put (f, "lib/agent.conf.d/7.conf", SPLAY (5));
  assert_splay (f, 5, "lib/agent.conf.d/7.conf");
  put (f, "lib/agent.conf.d/a.conf", SPLAY (6));
  put (f, "agent.conf.d/Z.conf", SPLAY (7));
  assert_splay (f, 6, "lib/agent.conf.d/a.conf");
  /* An empty value goes back to the default. */
  put (f, "agent.conf.d/zz.conf", P "splay-seconds=\n");
  assert_splay (f, 30, NULL);
}

static void
test_masking (Fixture *f, gconstpointer data)
{
  put (f, "lib/agent.conf.d/site.conf", SPLAY (1));
  assert_splay (f, 1, "lib/agent.conf.d/site.conf");
  put (f, "run/agent.conf.d/site.conf", SPLAY (2));
  assert_splay (f, 2, "run/agent.conf.d/site.conf");
  put (f, SITE, N "\n");
  assert_splay (f, 30, NULL);
  put (f, SITE, "");
  assert_splay (f, 30, NULL);
  put (f, "lib/agent.conf.d/other.conf", SPLAY (3));
  assert_splay (f, 3, "lib/agent.conf.d/other.conf");
  put_link (f, "/dev/null", "run/agent.conf.d/other.conf");
  assert_splay (f, 30, NULL);
  /* What is masked is not read, however wrong it is. */
  put (f, "lib/agent.conf.d/other.conf", "nonsense");
  assert_splay (f, 30, NULL);
}

static void
test_names_that_do_not_count (Fixture *f, gconstpointer data)
{
  static const char *const names[] = { ".site.conf", "site.conf~", "site.conf.dpkg-dist",
                                       "README",     "site",       "conf" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *name = g_build_filename ("agent.conf.d", names[i], NULL);

      put (f, name, "nonsense");
    }
  assert_splay (f, 30, NULL);
}

static void
test_main_file_links (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  put (f, "keys/real.conf", SPLAY (4));
  put_link (f, "keys/real.conf", "agent.conf");
  assert_splay (f, 4, "agent.conf");
  set_mode (f, "keys/real.conf", 0666);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "agent.conf");
  /* A link that leads nowhere is no absent file. */
  take_away (f, "keys/real.conf");
  g_assert_null (dps_config_load (&f->paths, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

static void
test_trust (Fixture *f, gconstpointer data)
{
  put (f, SITE, SPLAY (1));
  set_mode (f, SITE, 0664);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, SITE);
  set_mode (f, SITE, 0646);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, SITE);
  set_mode (f, SITE, 0644);
  set_owner (f, SITE, 65534, 0);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "chown it to root");
  set_owner (f, SITE, 0, 0);
  assert_splay (f, 1, SITE);

  set_mode (f, "agent.conf.d", 0777);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "agent.conf.d");
  set_mode (f, "agent.conf.d", 0755);
  set_owner (f, "agent.conf.d", 65534, 0);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "agent.conf.d");
  set_owner (f, "agent.conf.d", 0, 0);
  set_mode (f, "", 01777);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "owned by root and writable by its owner");
  set_mode (f, "", 0755);
  assert_splay (f, 1, SITE);

  /* An empty mask is a statement too, and so is a vendor's file. */
  put (f, SITE, "");
  set_mode (f, SITE, 0666);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, SITE);
  put (f, SITE, "");
  put (f, "lib/agent.conf.d/v.conf", SPLAY (2));
  set_mode (f, "lib/agent.conf.d", 0775);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "lib/agent.conf.d");
}

static void
test_main_file_trust (Fixture *f, gconstpointer data)
{
  g_autofree char *directory = NULL;

  put (f, "agent.conf", SPLAY (1));
  set_owner (f, "agent.conf", 65534, 65534);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "agent.conf");
  set_owner (f, "agent.conf", 0, 0);
  assert_splay (f, 1, "agent.conf");
  /* Where others may write, a file may also be missing, or hidden. */
  set_mode (f, "agent.conf.d", 0777);
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "agent.conf.d");
  set_mode (f, "agent.conf.d", 0755);
  take_away (f, "agent.conf");
  put_link (f, "/dev/null", "agent.conf");
  assert_splay (f, 30, NULL);
  directory = make_dir (f, "agent.conf.d/dir.conf");
  assert_refused (f, DPS_ERROR_ACCESS_DENIED, "no regular file");
}

static void
test_addresses (void)
{
  static const struct
  {
    const char *value;
    const char *endpoint;
    const char *result; /* joined by blanks, NULL = refused */
  } rows[] = {
    { "10.1.2.3", "dps.example.net", "dps.example.net=10.1.2.3:443" },
    { "10.1.2.3:8443", "DPS.Example.net", "dps.example.net=10.1.2.3:8443" },
    { "[FD00::0:1]", "dps.example.net", "dps.example.net=[fd00::1]:443" },
    { "[fd00::1]:1", "dps.example.net", "dps.example.net=[fd00::1]:1" },
    { " 10.1.2.3 ; Hub.example.net = [::1]:65535 ",
      "d.e",
      "d.e=10.1.2.3:443 hub.example.net=[::1]:65535" },
    { "127.0.0.1:8883", "d.e", "d.e=127.0.0.1:8883" },
    { "10.1.2.3;hub.example.net=10.1.2.4", NULL, "hub.example.net=10.1.2.4:443" },
    { "10.1.2.3;10.1.2.4", "d.e", NULL },
    { "d.e=10.1.2.3;10.1.2.4", "D.E", NULL },
    { "a.b=10.1.2.3;A.B=10.1.2.4", NULL, NULL },
    { "10.1.2.3;", "d.e", NULL },
    { "", "d.e", "" },
    { "10.1.2", "d.e", NULL },
    { "010.1.2.3", "d.e", NULL },
    { "host.example.net", "d.e", NULL },
    { "a.b=host.example.net", "d.e", NULL },
    { "host=10.1.2.3", "d.e", NULL },
    { "=10.1.2.3", "d.e", NULL },
    { "a.b=", "d.e", NULL },
    { "10.0.0.9=10.1.2.3", "d.e", NULL },
    { "a.b=c.d=10.1.2.3", "d.e", NULL },
    { "fd00::1", "d.e", NULL },
    { "[fd00::1", "d.e", NULL },
    { "[fd00::1]x", "d.e", NULL },
    { "[fe80::1%eth0]", "d.e", NULL },
    { "[10.1.2.3]", "d.e", NULL },
    { "10.1.2.3:", "d.e", NULL },
    { "10.1.2.3:0", "d.e", NULL },
    { "10.1.2.3:+1", "d.e", NULL },
    { "10.1.2.3:65536", "d.e", NULL },
    { "10.1.2.0/24", "d.e", NULL },
    { "0.0.0.0", "d.e", NULL },
    { "224.0.0.1", "d.e", NULL },
    { "a.b=1.1.1.1;c.b=1.1.1.1;d.b=1.1.1.1;e.b=1.1.1.1;f.b=1.1.1.1;g.b=1.1.1.1;"
      "h.b=1.1.1.1;i.b=1.1.1.1;j.b=1.1.1.1;k.b=1.1.1.1;l.b=1.1.1.1;m.b=1.1.1.1;"
      "n.b=1.1.1.1;o.b=1.1.1.1;p.b=1.1.1.1;q.b=1.1.1.1;r.b=1.1.1.1",
      NULL,
      NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) list =
          dps_config_parse_addresses (rows[i].value, rows[i].endpoint, &error);
      g_autofree char *joined = list != NULL ? g_strjoinv (" ", list) : NULL;

      g_test_message ("%s", rows[i].value);
      g_assert_cmpstr (joined, ==, rows[i].result);
      if (rows[i].result == NULL)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
    }
}

/* The endpoint may stand in another file than the address. */
static void
test_address_pins_the_endpoint (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;
  const char *const *pins;

  put (f, "agent.conf", N "address=10.0.0.4;[fd00::1]\n");
  put (f, SITE, COMPLETE);
  assert_refused (f, DPS_ERROR_INVALID_ARGUMENT, "agent.conf:2: [network] address: ");
  put (f, "agent.conf", N "address=10.0.0.4;Hub.azure-devices.net=[FD00::1]:8443\n");
  config = load (f);
  pins = dps_config_get_strv (config, DPS_CONFIG_ADDRESS);
  g_assert_cmpstr (pins[0], ==, ENDPOINT "=10.0.0.4:443");
  g_assert_cmpstr (pins[1], ==, "hub.azure-devices.net=[fd00::1]:8443");
  g_assert_null (pins[2]);
}

static void
assert_check (Fixture *f, const char *text, gint code, const char *at, const char *says)
{
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  put (f, SITE, text);
  config = load (f);
  g_assert_false (dps_config_check (config, &error));
  g_assert_error (error, DPS_ERROR, code);
  assert_says (error, at);
  assert_says (error, says);
}

static void
test_required_keys (Fixture *f, gconstpointer data)
{
  g_autofree char *file = path_of (f, SITE);
  gint code = DPS_ERROR_NOT_CONFIGURED;
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  assert_check (f, "", code, "[provisioning] endpoint is not set", file);
  assert_check (f,
                P "endpoint=" ENDPOINT "\n",
                code,
                "[provisioning] id-scope is not set",
                file);
  assert_check (f,
                P "endpoint=" ENDPOINT "\nid-scope=0ne00ABCDEF\n",
                code,
                "[provisioning] attestation is not set",
                file);
  assert_check (f,
                P "endpoint=" ENDPOINT
                  "\nid-scope=0ne00ABCDEF\nattestation=symmetric-key\n",
                code,
                "[provisioning] registration-id is not set",
                file);
  put (f, SITE, COMPLETE);
  config = load (f);
  g_assert_true (dps_config_check (config, &error));
  g_assert_no_error (error);
}

#define ID_OF_65 "a123456789b123456789c123456789d123456789e123456789f123456789abcde"

static void
test_wrong_values (Fixture *f, gconstpointer data)
{
  static const BadInput rows[] = {
    { "endpoint=global.azure-devices-provisioning.net\n",
      ":6: [provisioning] endpoint: ",
      "out of the region" },
    { "endpoint=https://" ENDPOINT "/\n", ":6: [provisioning] endpoint: ", "is a URL" },
    { "endpoint=hub1.azure-devices.net\n", ":6: [provisioning] endpoint: ", "IoT Hub" },
    { "id-scope=0ne-0\n", ":6: [provisioning] id-scope: ", "no ID scope" },
    { "id-scope=0ne00ABCDE/x\n", ":6: [provisioning] id-scope: ", "no ID scope" },
    { "id-scope=0ne0000000000000000000000000000000000000000000000000000000000000ab\n",
      ":6: [provisioning] id-scope: ",
      "1 to 64" },
    { "registration-id=.gw\n", ":6: [provisioning] registration-id: ", "begin or end" },
    { "registration-id=g w\n", ":6: [provisioning] registration-id: ", "only letters" },
    { "api-version=2021-6-1\n", ":6: [provisioning] api-version: ", "YYYY-MM-DD" },
    { "api-version=2021-13-01\n", ":6: [provisioning] api-version: ", "YYYY-MM-DD" },
    { "api-version=2021-06-01-beta\n", ":6: [provisioning] api-version: ", "-preview" },
    { "api-version=2021-06-01&x=y\n", ":6: [provisioning] api-version: ", "-preview" },
    { "api-version=2021-06-01\ncertificate-issuance=yes\n",
      ":6: [provisioning] api-version: ",
      "issues no certificates" },
    { "api-version=2025-06-30-preview\ncertificate-issuance=yes\n",
      ":6: [provisioning] api-version: ",
      "2025-07-01-preview" },
    { "registration-id=" ID_OF_65 "\ncertificate-issuance=yes\n",
      ":6: [provisioning] registration-id: ",
      "64 characters" },
  };

  put (f, "agent.conf", COMPLETE);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text = g_strconcat ("\n\n\n\n" P, rows[i].text, NULL);
      g_autofree char *at = g_strconcat (SITE, rows[i].at, NULL);

      assert_check (f, text, DPS_ERROR_INVALID_ARGUMENT, at, rows[i].what);
    }
}

static void
test_usual_values_pass (Fixture *f, gconstpointer data)
{
  static const char *const lines[] = {
    P "api-version=2025-07-01-preview\n",
    P "api-version=2025-07-01-preview\ncertificate-issuance=yes\n",
    P "api-version=2026-04-01\ncertificate-issuance=yes\n",
    P "certificate-issuance=yes\n",
    P "registration-id=" ID_OF_65 "\n",
    P "registration-id=GW-1:a.b_c\n",
    P "id-scope=0cn0000990D\n",
    P "endpoint=global.azure-devices-provisioning.net\n" N "allow-global-endpoint=true\n",
  };

  put (f, "agent.conf", COMPLETE);
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    {
      g_autoptr (DpsConfig) config = NULL;
      g_autoptr (GError) error = NULL;

      put (f, SITE, lines[i]);
      config = load (f);
      g_assert_true (dps_config_check (config, &error));
      g_assert_no_error (error);
    }
}

static void
test_warnings (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) usual = NULL;
  g_autoptr (DpsConfig) odd = NULL;
  g_auto (GStrv) none = NULL;
  g_auto (GStrv) two = NULL;

  put (f, "agent.conf", COMPLETE);
  usual = load (f);
  none = dps_config_dup_warnings (usual);
  g_assert_cmpuint (g_strv_length (none), ==, 0);

  put (f,
       SITE,
       P "id-scope=ABC\nendpoint=global.azure-devices-provisioning.net\n" N
         "allow-global-endpoint=yes\n");
  odd = load (f);
  g_assert_true (dps_config_check (odd, NULL));
  two = dps_config_dup_warnings (odd);
  g_assert_cmpuint (g_strv_length (two), ==, 2);
  g_assert_nonnull (strstr (two[0], SITE ":2: [provisioning] id-scope: "));
  g_assert_nonnull (strstr (two[1], SITE ":3: [provisioning] endpoint: "));
}

/* Points key-file at name in the fixture and loads. */
static DpsConfig *
load_with_key (Fixture *f, const char *value)
{
  g_autofree char *text =
      g_strdup_printf ("[plugin symmetric-key]\nkey-file=%s\n", value);

  put (f, SITE, text);
  return load (f);
}

static void
assert_no_secret (DpsConfig *config, gint code, const char *says, const char *remedy)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_config_read_secret (config, DPS_CONFIG_KEY_FILE, &error));
  g_assert_error (error, DPS_ERROR, code);
  assert_says (error, SITE ":2: [plugin symmetric-key] key-file: ");
  assert_says (error, says);
  assert_says (error, remedy);
}

static void
assert_secret (DpsConfig *config, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) secret =
      dps_config_read_secret (config, DPS_CONFIG_KEY_FILE, &error);

  g_assert_no_error (error);
  g_assert_cmpmem (dps_secret_data (secret),
                   dps_secret_size (secret),
                   expected,
                   strlen (expected));
}

static void
test_key_file (Fixture *f, gconstpointer data)
{
  g_autofree char *path = path_of (f, "keys/device.key");
  g_autofree char *big = g_strnfill (DPS_CONFIG_SECRET_MAX + 1, 'a');
  g_autoptr (DpsConfig) config = load_with_key (f, path);
  gint denied = DPS_ERROR_ACCESS_DENIED;

  assert_no_secret (config, DPS_ERROR_NOT_CONFIGURED, path, "create it");
  put (f, "keys/device.key", "a2V5\n");
  assert_no_secret (config, denied, path, "chmod it to 0600");
  set_mode (f, "keys/device.key", 0604);
  assert_no_secret (config, denied, path, "chmod it to 0600");
  set_mode (f, "keys/device.key", 0620);
  assert_no_secret (config, denied, path, "chmod it to 0600");
  set_mode (f, "keys/device.key", 0640);
  assert_secret (config, "a2V5\n");
  set_owner (f, "keys/device.key", 0, 65534);
  assert_no_secret (config, denied, path, "chgrp it to dps-agent");
  set_mode (f, "keys/device.key", 0600);
  assert_secret (config, "a2V5\n");
  set_owner (f, "keys/device.key", 65534, 0);
  assert_no_secret (config, denied, path, "chown it to root");
  set_owner (f, "keys/device.key", 0, 0);
  set_mode (f, "keys", 0777);
  assert_no_secret (config, denied, path, "owned by root and writable by its owner");
  set_mode (f, "keys", 0755);

  put (f, "keys/device.key", "");
  set_mode (f, "keys/device.key", 0600);
  assert_no_secret (config, DPS_ERROR_INVALID_ARGUMENT, path, "put the key in it");
  put (f, "keys/device.key", big);
  set_mode (f, "keys/device.key", 0600);
  assert_no_secret (config, DPS_ERROR_LIMITS_EXCEEDED, path, "16 KiB");
  big[DPS_CONFIG_SECRET_MAX] = '\0';
  put (f, "keys/device.key", big);
  set_mode (f, "keys/device.key", 0600);
  assert_secret (config, big);
}

#define AGENT 65534

/* As the daemon, which is not root: 0 = read, else 1 + the error's code. */
static int
read_as_agent (Fixture *f)
{
  pid_t child = fork ();
  int status;

  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsConfig) config = NULL;
      g_autoptr (DpsSecret) secret = NULL;

      if (setgroups (0, NULL) < 0 || setgid (AGENT) < 0 || setuid (AGENT) < 0)
        _exit (99);
      config = dps_config_load (&f->paths, &error);
      if (config != NULL)
        secret = dps_config_read_secret (config, DPS_CONFIG_KEY_FILE, &error);
      _exit (secret != NULL ? 0 : error->domain == DPS_ERROR ? 1 + error->code : 98);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

static void
test_key_file_as_agent (Fixture *f, gconstpointer data)
{
  static const struct
  {
    uid_t uid;
    gid_t gid;
    mode_t mode;
    gboolean readable;
  } rows[] = {
    { AGENT, AGENT, 0600, TRUE },  { AGENT, 0, 0600, TRUE },
    { 0, AGENT, 0640, TRUE },      { 0, 0, 0600, FALSE },
    { AGENT, AGENT, 0660, FALSE }, { AGENT, AGENT, 0604, FALSE },
    { AGENT, 1, 0640, FALSE },     { 1, AGENT, 0640, FALSE },
  };
  g_autofree char *path = path_of (f, "keys/device.key");

  g_object_unref (load_with_key (f, path));
  put (f, "keys/device.key", "a2V5");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      set_owner (f, "keys/device.key", rows[i].uid, rows[i].gid);
      set_mode (f, "keys/device.key", rows[i].mode);
      g_test_message ("%u:%u %04o", rows[i].uid, rows[i].gid, rows[i].mode);
      g_assert_cmpint (read_as_agent (f),
                       ==,
                       rows[i].readable ? 0 : 1 + DPS_ERROR_ACCESS_DENIED);
    }
}

static void
test_key_file_not_set (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = load (f);
  g_autoptr (GError) error = NULL;

  g_assert_null (dps_config_read_secret (config, DPS_CONFIG_KEY_FILE, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_CONFIGURED);
  assert_says (error, "[plugin symmetric-key] key-file: the key is not set");
  assert_says (error, SITE);
}

static void
test_credential (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = load_with_key (f, "credential:device.key");
  g_autoptr (DpsConfig) without = NULL;

  assert_no_secret (config,
                    DPS_ERROR_NOT_CONFIGURED,
                    "'device.key'",
                    "LoadCredential=device.key:");
  put (f, "credentials/device.key", "a2V5");
  assert_no_secret (config, DPS_ERROR_ACCESS_DENIED, "'device.key'", "LoadCredential=");
  set_mode (f, "credentials/device.key", 0400);
  assert_secret (config, "a2V5");
  set_owner (f, "credentials/device.key", 65534, 0);
  assert_no_secret (config, DPS_ERROR_ACCESS_DENIED, "'device.key'", "LoadCredential=");
  take_away (f, "credentials/device.key");
  put (f, "keys/elsewhere", "a2V5");
  set_mode (f, "keys/elsewhere", 0400);
  put_link (f, "../keys/elsewhere", "credentials/device.key");
  g_assert_null (dps_config_read_secret (config, DPS_CONFIG_KEY_FILE, NULL));

  f->paths.credentials_dir = NULL;
  without = load (f);
  assert_no_secret (without, DPS_ERROR_NOT_CONFIGURED, "'device.key'", "LoadCredential=");
}

static void
test_payload_file (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *json;
    gboolean accepted;
  } rows[] = {
    { "{\"site\":\"north\"}", TRUE },
    { "{\"serial\":12345678901234567890}", TRUE },
    { "{\"serial\":01}", FALSE },
    { "{}\n", TRUE },
    { "[1]", FALSE },
    { "{\"a\":1,\"a\":2}", FALSE },
    { "{\"site\":", FALSE },
    { "", FALSE },
    { "{} x", FALSE },
    { "\"text\"", FALSE },
  };
  g_autofree char *path = path_of (f, "keys/payload.json");
  g_autofree char *text = g_strdup_printf (P "payload-file=%s\n", path);
  g_autoptr (DpsConfig) config = NULL;
  g_autofree char *big = g_strnfill (64 * 1024 + 1, ' ');

  put (f, SITE, text);
  config = load (f);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;

      put (f, "keys/payload.json", rows[i].json);
      bytes = dps_config_read_file (config, DPS_CONFIG_PAYLOAD_FILE, &error);
      g_assert_cmpint (bytes != NULL, ==, rows[i].accepted);
      if (rows[i].accepted)
        {
          g_assert_cmpmem (g_bytes_get_data (bytes, NULL),
                           g_bytes_get_size (bytes),
                           rows[i].json,
                           strlen (rows[i].json));
          continue;
        }
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      assert_says (error, SITE ":2: [provisioning] payload-file: ");
      assert_says (error, path);
    }
  big[0] = '{';
  big[1] = '}';
  put (f, "keys/payload.json", big);
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (dps_config_read_file (config, DPS_CONFIG_PAYLOAD_FILE, &error));
    g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
  }
  put (f, "keys/payload.json", "{}");
  set_mode (f, "keys/payload.json", 0666);
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (dps_config_read_file (config, DPS_CONFIG_PAYLOAD_FILE, &error));
    g_assert_error (error, DPS_ERROR, DPS_ERROR_ACCESS_DENIED);
    assert_says (error, path);
  }
}

static char *
digest_with (Fixture *f, const char *text)
{
  g_autoptr (DpsConfig) config = NULL;

  put (f, SITE, text);
  config = load (f);
  return dps_config_dup_identity_digest (config);
}

static void
test_identity_digest (Fixture *f, gconstpointer data)
{
  static const char *const same[] = {
    P "splay-seconds=7\napi-version=2019-03-31\n",
    P "certificate-issuance=no\n",
    N "address=10.0.0.1\n",
    "[plugin symmetric-key]\nkey-file=/other\n",
    P "endpoint=Contoso-DPS.azure-devices-provisioning.net\nregistration-id=GW-1\n",
  };
  static const char *const other[] = {
    P "endpoint=fabrikam.azure-devices-provisioning.net\n",
    P "id-scope=0ne00ABCDE0\n",
    P "id-scope=0ne00abcdef\n",
    P "registration-id=gw-2\n",
    P "registration-id=\n",
    P "attestation=\n",
    P "certificate-issuance=yes\n",
  };
  g_autofree char *base = NULL;

  put (f, "agent.conf", COMPLETE);
  base = digest_with (f, "");
  g_assert_cmpuint (strlen (base), ==, 64);
  for (gsize i = 0; i < G_N_ELEMENTS (same); i++)
    {
      g_autofree char *digest = digest_with (f, same[i]);

      g_assert_cmpstr (digest, ==, base);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (other); i++)
    {
      g_autofree char *digest = digest_with (f, other[i]);

      g_assert_cmpstr (digest, !=, base);
    }
}

/* What identities on disk were made with stays what it was. */
static void
test_old_digest (Fixture *f, gconstpointer data)
{
  g_autofree char *digest = NULL;

  put (f, "agent.conf", COMPLETE);
  digest = digest_with (f, "");
  g_assert_cmpstr (digest,
                   ==,
                   "ca94891e98b346527c75fabb872702c76a55c156c664308d559a4f8ed4d53e5a");
}

#define TPM P "attestation=tpm\nregistration-id=\n"

static void
test_tpm_digest (Fixture *f, gconstpointer data)
{
  static const char *const same[] = {
    TPM "[tpm]\ntcti=device:/dev/tpmrm0\nowner-auth-file=/o\n",
    TPM "[plugin tpm]\nek-template=standard\npersist-ek=no\n",
    TPM "[plugin tpm]\npersist-handle=0x81000100\n",
  };
  static const char *const other[] = {
    TPM "[tpm]\ntcti=device:/dev/tpmrm1\n",
    TPM "[tpm]\ntcti=device:/dev/TPMRM0\n",
    TPM "[plugin tpm]\nek-template=legacy\n",
    TPM "[plugin tpm]\nregistration-id-form=hex\n",
  };
  static const char of_no_account[] = "[tpm]\ntcti=device:/dev/tpmrm1\n[plugin tpm]\n"
                                      "ek-template=legacy\nregistration-id-form=hex\n";
  g_autofree char *symmetric = NULL, *symmetric_too = NULL, *base = NULL;

  put (f, "agent.conf", COMPLETE);
  symmetric = digest_with (f, "");
  symmetric_too = digest_with (f, of_no_account);
  g_assert_cmpstr (symmetric, ==, symmetric_too);
  base = digest_with (f, TPM);
  for (gsize i = 0; i < G_N_ELEMENTS (same); i++)
    {
      g_autofree char *digest = digest_with (f, same[i]);

      g_test_message ("%s", same[i]);
      g_assert_cmpstr (digest, ==, base);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (other); i++)
    {
      g_autofree char *digest = digest_with (f, other[i]);

      g_test_message ("%s", other[i]);
      g_assert_cmpstr (digest, !=, base);
    }
}

#define X509 "[provisioning]\nattestation=x509\nregistration-id=\n[plugin x509]\n"
#define PIN "123456"

/* Renewed in place it is the same identity. */
static void
test_x509_digest (Fixture *f, gconstpointer data)
{
  static const char *const other[] = {
    X509 "certificate=/c.pem\nkey=/other.pem\n",
    X509 "certificate=/other.pem\nkey=/k.pem\n",
    X509 "certificate=/c.pem\nkey=pkcs11:token=a;object=b\n",
    X509 "certificate=/c.pem\nkey=handle:0x81000010\n",
  };
  static const char of_no_account[] = "[plugin x509]\ncertificate=/c.pem\nkey=/k.pem\n";
  g_autofree char *symmetric = NULL, *symmetric_too = NULL, *base = NULL, *same = NULL;

  put (f, "agent.conf", COMPLETE);
  symmetric = digest_with (f, "");
  symmetric_too = digest_with (f, of_no_account);
  g_assert_cmpstr (symmetric, ==, symmetric_too);
  base = digest_with (f, X509 "certificate=/c.pem\nkey=/k.pem\n");
  same = digest_with (f, X509 "certificate=/c.pem\nkey=/k.pem\npassphrase-file=/p\n");
  g_assert_cmpstr (same, ==, base);
  for (gsize i = 0; i < G_N_ELEMENTS (other); i++)
    {
      g_autofree char *digest = digest_with (f, other[i]);

      g_assert_cmpstr (digest, !=, base);
    }
}

/* Where the private key is; a PIN in the URI is refused and shown by nobody. */
static void
test_x509_key (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *key;
    const char *says; /* NULL = it is taken */
  } rows[] = {
    { "/etc/dps-agent/device.key" },
    { "credential:device-key" },
    { "pkcs11:token=gw;object=pin-value-key;type=private?module-path=/usr/lib/x.so" },
    { "handle:0x81000010" },
    { "handle:0x81ABCDEF" },
    { "device.key", "neither an absolute path" },
    { "file:/etc/device.key", "neither an absolute path" },
    { "PKCS11:token=gw", "neither an absolute path" },
    { "credential:../x", "credential's name" },
    { "pkcs11:token=gw?pin-value=" PIN, "write passphrase-file=" },
    { "pkcs11:token=gw;pin-value=" PIN, "write passphrase-file=" },
    { "pkcs11:token=gw?module-name=x&PIN-Value=" PIN, "write passphrase-file=" },
    { "pkcs11:pin-source=file:/" PIN, "write passphrase-file=" },
    { "handle:0x80000001", "no persistent handle" },
    { "handle:81000010", "no persistent handle" },
    { "handle:0x810000100", "no persistent handle" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *text = g_strdup_printf ("[plugin x509]\nkey=%s\n", rows[i].key);
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsConfig) config = NULL;
      g_autoptr (GHashTable) settings = NULL;

      put (f, SITE, text);
      config = dps_config_load (&f->paths, &error);
      g_test_message ("%s", rows[i].key);
      if (rows[i].says == NULL)
        {
          g_assert_no_error (error);
          settings = dps_config_dup_settings_of (config, "x509");
          g_assert_cmpstr (g_hash_table_lookup (settings, "key"), ==, rows[i].key);
          continue;
        }
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      assert_says (error, rows[i].says);
      g_assert_null (strstr (error->message, PIN));
      g_assert_nonnull (strstr (error->message, ":2: [plugin x509] key: "));
    }
}

static void
test_x509_required (Fixture *f, gconstpointer data)
{
  static const char *const rows[][2] = {
    { X509 "", "certificate is not set" },
    { X509 "certificate=/c.pem\n", "key is not set" },
    { X509 "certificate=/c.pem\nkey=/k.pem\n", NULL },
  };

  put (f, "agent.conf", COMPLETE);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsConfig) config = NULL;
      g_autoptr (GError) error = NULL;

      put (f, SITE, rows[i][0]);
      config = load (f);
      g_assert_cmpint (dps_config_check (config, &error), ==, rows[i][1] == NULL);
      if (rows[i][1] == NULL)
        continue;
      g_assert_error (error, DPS_ERROR, DPS_ERROR_NOT_CONFIGURED);
      assert_says (error, rows[i][1]);
    }
}

/* The name of the host follows from its TPM, and the plugin gets its group's keys. */
static void
test_tpm_settings (Fixture *f, gconstpointer data)
{
  static const char *const rows[][2] = {
    { "ek-template", "legacy" },
    { "persist-ek", "no" },
    { "persist-handle", "none" },
    { "registration-id-form", "base32" },
  };
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (GHashTable) settings = NULL;
  g_autoptr (GError) error = NULL;

  put (f, "agent.conf", COMPLETE);
  put (f, SITE, TPM "[plugin tpm]\nek-template=legacy\npersist-ek=false\n");
  config = load (f);
  g_assert_true (dps_config_check (config, &error));
  g_assert_no_error (error);
  settings = dps_config_dup_settings_of (config, "tpm");
  g_assert_cmpuint (g_hash_table_size (settings), ==, G_N_ELEMENTS (rows));
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpstr (g_hash_table_lookup (settings, rows[i][0]), ==, rows[i][1]);
}

#define ACME P "attestation=acme\n[plugin acme]\n"

static void
test_plugin_settings (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (GHashTable) settings = NULL;
  g_autoptr (GHashTable) none = NULL;
  g_autoptr (GError) error = NULL;

  put (f,
       "agent.conf",
       COMPLETE "[plugin acme]\nserial=7\nmode=<any> XXXX\nold=1\nseed-file=/s\n"
                "[plugin other]\nserial=9\n");
  put (f, SITE, ACME "serial=8\nold=\n");
  config = load (f);
  g_assert_true (dps_config_check (config, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (dps_config_get_string (config, DPS_CONFIG_ATTESTATION), ==, "acme");
  settings = dps_config_dup_settings_of (config, "acme");
  g_assert_cmpuint (g_hash_table_size (settings), ==, 2);
  g_assert_cmpstr (g_hash_table_lookup (settings, "serial"), ==, "8");
  g_assert_cmpstr (g_hash_table_lookup (settings, "mode"), ==, "<any> XXXX");
  none = dps_config_dup_settings_of (config, "symmetric-key");
  g_assert_cmpuint (g_hash_table_size (none), ==, 0);
}

static void
test_plugin_limits (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *end; /* of the key, and its value */
    guint most;
    const char *says;
  } rows[] = {
    { "=1\n", 32, "more than 32 keys" },
    { "-file=/x\n", 16, "more than 16 files" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GString) text = g_string_new (ACME);

      for (guint n = 0; n < rows[i].most; n++)
        g_string_append_printf (text, "k%u%s", n, rows[i].end);
      put (f, SITE, text->str);
      g_object_unref (load (f));
      g_string_append_printf (text, "more%s", rows[i].end);
      put (f, SITE, text->str);
      assert_refused (f, DPS_ERROR_LIMITS_EXCEEDED, rows[i].says);
    }
}

static void
assert_secrets_refused (Fixture *f, const char *text, gint code, const char *says)
{
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (GError) error = NULL;

  put (f, SITE, text);
  config = load (f);
  g_assert_null (dps_config_read_secrets_of (config, "acme", NULL, &error));
  g_assert_error (error, DPS_ERROR, code);
  assert_says (error, says);
}

static void
test_plugin_secrets (Fixture *f, gconstpointer data)
{
  g_autofree char *seed = path_of (f, "keys/seed");
  g_autofree char *text = g_strdup_printf (ACME "seed-file=%s\nserial=7\n"
                                                "key-file=credential:none\n"
                                                "[plugin other]\npin-file=/none\n",
                                           seed);
  g_autofree char *bad = g_strdup_printf ("[plugin acme]\nseed-file=%s\n", seed);
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (GHashTable) secrets = NULL;
  g_autoptr (GError) error = NULL;
  DpsSecret *secret;

  put (f, "keys/seed", " as it is\n");
  set_mode (f, "keys/seed", 0600);
  put (f, SITE, text);
  config = load (f);
  secrets = dps_config_read_secrets_of (config, "acme", "key", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_hash_table_size (secrets), ==, 1);
  secret = g_hash_table_lookup (secrets, "seed");
  g_assert_cmpmem (dps_secret_data (secret), dps_secret_size (secret), " as it is\n", 10);

  assert_secrets_refused (f,
                          "[plugin acme]\nkey-file=credential:none\n",
                          DPS_ERROR_NOT_CONFIGURED,
                          SITE ":2: [plugin acme] key-file: ");
  set_mode (f, "keys/seed", 0604);
  assert_secrets_refused (f, bad, DPS_ERROR_ACCESS_DENIED, seed);
  set_mode (f, "keys/seed", 0600);
  set_owner (f, "keys/seed", 65534, 0);
  assert_secrets_refused (f, bad, DPS_ERROR_ACCESS_DENIED, seed);
}

static void
test_plugin_identity (Fixture *f, gconstpointer data)
{
  g_autofree char *base = digest_with (f, ACME "serial=7\n");
  g_autofree char *same = digest_with (f, ACME "serial=7\n[plugin other]\na=1\n");
  g_autofree char *other = digest_with (f, ACME "serial=8\n");

  g_assert_cmpstr (same, ==, base);
  g_assert_cmpstr (other, !=, base);
}

static void
test_plugin_shown (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (JsonNode) node = NULL;
  g_autofree char *text = NULL;
  JsonObject *group;
  JsonObject *key;

  put (f, SITE, ACME "serial=7\nseed-file=/s\n[plugin other]\nserial=9\n");
  config = load (f);
  text = dps_config_to_text (config);
  g_assert_nonnull (strstr (text, "\n[plugin acme]\n"));
  g_assert_nonnull (strstr (text, SITE ":5\nseed-file=/s\n"));
  g_assert_nonnull (strstr (text, "\n[plugin other]\n"));
  node = dps_config_to_json (config);
  group = json_object_get_object_member (json_node_get_object (node), "plugin acme");
  g_assert_cmpuint (json_object_get_size (group), ==, 2);
  group = json_object_get_object_member (json_node_get_object (node), "plugin other");
  key = json_object_get_object_member (group, "serial");
  g_assert_cmpstr (json_object_get_string_member (key, "value"), ==, "9");
}

/* A slip in the name of a group is no other plugin's group. */
static void
test_plugin_misspelt_group (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *text;
    const char *says;
  } rows[] = {
    { COMPLETE "[plugin symetric-key]\nkey-file=/k\n",
      SITE ":6: [plugin symetric-key]: there is no such plugin; did you mean"
           " [plugin symmetric-key]?" },
    { COMPLETE "[plugin tpm2]\n", SITE ":6: [plugin tpm2]: there is no such plugin" },
    { COMPLETE "[plugin x5090]\nkey=\n", "did you mean [plugin x509]?" },
    { ACME "serial=1\n[plugin acne]\nserial=1\n",
      SITE ":5: [plugin acne]: there is no such plugin; did you mean [plugin acme]?" },
  };
  g_autofree char *plugins = make_dir (f, "plugins");

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      put (f, SITE, rows[i].text);
      assert_refused (f, DPS_ERROR_INVALID_ARGUMENT, rows[i].says);
      f->paths.plugin_dir = plugins;
      assert_refused (f, DPS_ERROR_INVALID_ARGUMENT, rows[i].says);
      f->paths.plugin_dir = NULL;
    }
  /* What is there is no slip, however near; the chosen one's absence the attempt tells.
   */
  f->paths.plugin_dir = plugins;
  put (f, "plugins/tpm2.so", "");
  put (f, SITE, COMPLETE "[plugin tpm2]\nhandle=1\n");
  g_object_unref (load (f));
  put (f, SITE, ACME "serial=1\n");
  g_object_unref (load (f));
}

static void
test_plugin_idle_group (Fixture *f, gconstpointer data)
{
  g_autofree char *plugins = make_dir (f, "plugins");

  put (f, SITE, COMPLETE "[plugin acme]\nserial=7\nother=1\n");
  for (guint known = 0; known < 2; known++)
    {
      g_autoptr (DpsConfig) config = NULL;
      g_auto (GStrv) warnings = NULL;

      if (known)
        {
          f->paths.plugin_dir = plugins;
          assert_refused (f, DPS_ERROR_INVALID_ARGUMENT, plugins);
          assert_refused (f,
                          DPS_ERROR_INVALID_ARGUMENT,
                          SITE ":6: [plugin acme]: there is no such plugin in ");
          put (f, "plugins/acme.so", "");
        }
      config = load (f);
      warnings = dps_config_dup_warnings (config);
      g_assert_cmpuint (g_strv_length (warnings), ==, 1);
      g_assert_nonnull (strstr (warnings[0], SITE ":6: [plugin acme]: nothing reads"));
    }
}

/* What dpsctl config shows is itself a configuration with the same effect. */
static void
test_text_reads_back (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (DpsConfig) again = NULL;
  g_autofree char *text = NULL;

  put (f, "agent.conf", COMPLETE N "address=10.0.0.4:8443\nallow-global-endpoint=yes\n");
  put (f, SITE, SPLAY (7));
  config = load (f);
  text = dps_config_to_text (config);
  g_assert_nonnull (strstr (text, SITE ":2\nsplay-seconds=7\n"));
  g_assert_nonnull (strstr (text, "agent.conf:2\nendpoint=" ENDPOINT "\n"));
  g_assert_nonnull (strstr (text, "# default\napi-version=2021-06-01\n"));
  g_assert_nonnull (strstr (text, "# payload-file is not set\n"));
  put (f, "agent.conf", "");
  put (f, SITE, text);
  again = load (f);
  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    g_assert_cmpstr (dps_config_get_string (again, id),
                     ==,
                     dps_config_get_string (config, id));
}

static void
test_json (Fixture *f, gconstpointer data)
{
  g_autoptr (DpsConfig) config = NULL;
  g_autoptr (JsonNode) node = NULL;
  JsonObject *group;
  JsonObject *key;

  put (f, SITE, COMPLETE "splay-seconds=7\n");
  config = load (f);
  node = dps_config_to_json (config);
  group = json_object_get_object_member (json_node_get_object (node), "provisioning");
  key = json_object_get_object_member (group, "endpoint");
  g_assert_cmpstr (json_object_get_string_member (key, "value"), ==, ENDPOINT);
  g_assert_true (
      g_str_has_suffix (json_object_get_string_member (key, "source"), SITE ":2"));
  key = json_object_get_object_member (group, "splay-seconds");
  g_assert_cmpint (json_object_get_int_member (key, "value"), ==, 7);
  key = json_object_get_object_member (group, "certificate-issuance");
  g_assert_false (json_object_get_boolean_member (key, "value"));
  g_assert_cmpstr (json_object_get_string_member (key, "source"), ==, "default");
  key = json_object_get_object_member (group, "payload-file");
  g_assert_true (json_object_get_null_member (key, "value"));
  group = json_object_get_object_member (json_node_get_object (node), "plugin tpm");
  g_assert_cmpuint (json_object_get_size (group), ==, 4);
}

static char *
read_built (const char *name)
{
  g_autofree char *path =
      g_build_filename (g_getenv ("DPS_BUILD_ROOT"), "agent", name, NULL);
  g_autoptr (GError) error = NULL;
  char *text;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

/* What may stand between, say, the words of a wrapped paragraph does not count. */
static char *
squeeze (const char *text)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p++)
    if (!g_ascii_isspace (*p) && *p != '#' && *p != '\\')
      g_string_append_c (out, *p);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static void
assert_holds (const char *squeezed, const char *text)
{
  g_autofree char *needle = squeeze (text);

  if (strstr (squeezed, needle) == NULL)
    g_error ("'%s' is missing", text);
}

static void
test_documents_have_every_key (void)
{
  g_autofree char *example = read_built ("data/agent.conf.example");
  g_autofree char *man = read_built ("man/dps-agent.conf.5");
  g_autofree char *example_words = squeeze (example);
  g_autofree char *man_words = squeeze (man);

  g_assert_null (strstr (man, "@OPTIONS@"));
  g_assert_null (strstr (man, "@VERSION@"));
  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    {
      const DpsConfigKey *key = dps_config_key (id);
      const char *fallback = key->fallback != NULL ? key->fallback : "";
      g_autofree char *line = g_strdup_printf ("\n#%s=%s\n", key->key, fallback);
      g_autofree char *entry = g_strdup_printf (".TP .BR %s = %s", key->key, key->text);

      g_assert_cmpuint (strlen (key->text), >, 20);
      g_assert_nonnull (strstr (example, line));
      assert_holds (example_words, key->text);
      assert_holds (man_words, entry);
      if (key->lacks != NULL)
        assert_holds (man_words, key->lacks);
    }
}

/* With every key's line made live the example is still the default configuration. */
static void
test_example_is_the_default (Fixture *f, gconstpointer data)
{
  g_autofree char *example = read_built ("data/agent.conf.example");
  g_auto (GStrv) lines = g_strsplit (example, "\n", -1);
  g_autofree char *live = NULL;
  g_autoptr (DpsConfig) defaults = load (f);
  g_autoptr (DpsConfig) config = NULL;
  guint n_keys = 0;

  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_assert_cmpuint (strlen (lines[i]), <=, 80);
      if (lines[i][0] != '#' || lines[i][1] == ' ')
        continue;
      memmove (lines[i], lines[i] + 1, strlen (lines[i]));
      if (g_str_has_suffix (lines[i], " NAME]"))
        strcpy (strstr (lines[i], "NAME"), "name]");
      else
        n_keys++;
    }
  g_assert_cmpuint (n_keys, ==, DPS_CONFIG_N_KEYS);
  put (f, SITE, example);
  g_object_unref (load (f));
  live = g_strjoinv ("\n", lines);
  put (f, SITE, live);
  config = load (f);
  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    g_assert_cmpstr (dps_config_get_string (config, id),
                     ==,
                     dps_config_get_string (defaults, id));
}

static void
test_table_is_sound (void)
{
  for (DpsConfigId id = 0; id < DPS_CONFIG_N_KEYS; id++)
    {
      const DpsConfigKey *key = dps_config_key (id);
      g_autoptr (GError) error = NULL;
      DpsConfigId found;

      g_assert_nonnull (key->group);
      g_assert_true (dps_config_find_key (key->group, key->key, &found));
      g_assert_cmpint (found, ==, id);
      g_assert_cmpint (key->type == DPS_CONFIG_TYPE_ENUM ||
                           key->type == DPS_CONFIG_TYPE_PLUGIN,
                       ==,
                       key->values != NULL);
      g_assert_cmpint (key->type == DPS_CONFIG_TYPE_UINT, ==, key->max > 0);
      if (key->fallback == NULL)
        continue;
      g_assert_true (dps_config_check_value (key, key->fallback, &error));
      g_assert_no_error (error);
    }
}

static void
test_group_key_file (Fixture *f, gconstpointer data)
{
  g_autofree char *import_dir = path_of (f, "state/import");
  const struct
  {
    const char *value; /* %s is the import directory */
    gboolean good;
  } rows[] = {
    { "%s/group.key", TRUE },     { "credential:group", TRUE },
    { "/etc/group.key", FALSE },  { "%s/deeper/group.key", FALSE },
    { "%s/../group.key", FALSE }, { "%s/..", FALSE },
    { "%s-2/group.key", FALSE },  { "/var/lib/dps-agent/import/group.key", FALSE },
  };
  g_autofree char *state = path_of (f, "state");

  f->paths.state_dir = state;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_auto (GStrv) parts = g_strsplit (rows[i].value, "%s", 2);
      g_autofree char *value = g_strjoinv (import_dir, parts);
      g_autofree char *text =
          g_strdup_printf (COMPLETE "[plugin symmetric-key]\ngroup-key-file=%s\n", value);
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsConfig) config = NULL;

      g_test_message ("%s", value);
      put (f, SITE, text);
      config = load (f);
      g_assert_cmpint (dps_config_check (config, &error), ==, rows[i].good);
      if (rows[i].good)
        continue;
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      assert_says (error, "[plugin symmetric-key] group-key-file: ");
      assert_says (error, "any device of the group");
      assert_says (error, import_dir);
    }
}

static void
test_group_key_file_excludes_key_file (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsConfig) config = NULL;

  put (f,
       SITE,
       COMPLETE "[plugin symmetric-key]\nkey-file=/x\ngroup-key-file=credential:g\n");
  config = load (f);
  g_assert_false (dps_config_check (config, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
  assert_says (error, "key-file (");
  assert_says (error, SITE ":7) and group-key-file (");
  assert_says (error, SITE ":8) exclude each other; remove one");
}

/* A store may be sealed before there is a configuration, or after it was damaged. */
static void
test_tcti (void)
{
  g_assert_cmpstr (dps_config_get_tcti (NULL), ==, "device:/dev/tpmrm0");
}

int
main (int argc, char **argv)
{
#define ADD(name, function)                                                              \
  g_test_add ("/config/" name, Fixture, NULL, set_up, function, tear_down)

  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  ADD ("bad-inputs-name-file-line-group-and-key", test_bad_inputs);
  g_test_add_func ("/config/parser/survives-any-bytes", test_any_bytes);
  ADD ("limits", test_limits);
  ADD ("too-many-drop-ins", test_too_many_drop_ins);
  ADD ("refuses-what-it-would-ignore", test_not_supported);
  ADD ("checks-replaced-lines", test_replaced_lines_are_checked);
  ADD ("never-repeats-values", test_values_are_not_repeated);
  ADD ("syntax", test_syntax);
  ADD ("defaults", test_defaults);
  ADD ("issuing-api-version", test_issuing_api_version);
  ADD ("absent-directories", test_no_directories);
  ADD ("drop-ins/order", test_order);
  ADD ("drop-ins/masking", test_masking);
  ADD ("drop-ins/names-that-do-not-count", test_names_that_do_not_count);
  ADD ("trust/links", test_main_file_links);
  ADD ("trust/drop-ins", test_trust);
  ADD ("trust/main-file", test_main_file_trust);
  g_test_add_func ("/config/address/forms", test_addresses);
  ADD ("address/pins-the-endpoint", test_address_pins_the_endpoint);
  ADD ("check/required-keys", test_required_keys);
  ADD ("check/wrong-values", test_wrong_values);
  ADD ("check/usual-values", test_usual_values_pass);
  ADD ("check/warnings", test_warnings);
  ADD ("secret/key-file", test_key_file);
  ADD ("secret/key-file-as-agent", test_key_file_as_agent);
  ADD ("check/group-key-file-has-its-directory", test_group_key_file);
  ADD ("check/group-key-file-excludes-key-file", test_group_key_file_excludes_key_file);
  ADD ("secret/not-set", test_key_file_not_set);
  ADD ("secret/credential", test_credential);
  ADD ("payload-file", test_payload_file);
  ADD ("identity-digest", test_identity_digest);
  ADD ("identity-digest/of-before", test_old_digest);
  ADD ("identity-digest/tpm", test_tpm_digest);
  ADD ("identity-digest/x509", test_x509_digest);
  ADD ("x509/key", test_x509_key);
  ADD ("check/x509-required-keys", test_x509_required);
  ADD ("plugin/tpm-settings", test_tpm_settings);
  ADD ("plugin/settings", test_plugin_settings);
  ADD ("plugin/limits", test_plugin_limits);
  ADD ("plugin/secrets", test_plugin_secrets);
  ADD ("plugin/identity-digest", test_plugin_identity);
  ADD ("plugin/shown", test_plugin_shown);
  ADD ("plugin/misspelt-group", test_plugin_misspelt_group);
  ADD ("plugin/idle-group-is-named", test_plugin_idle_group);
  ADD ("show/text-reads-back", test_text_reads_back);
  ADD ("show/json", test_json);
  ADD ("example-is-the-default", test_example_is_the_default);
  g_test_add_func ("/config/documents-have-every-key", test_documents_have_every_key);
  g_test_add_func ("/config/tpm-without-a-configuration", test_tcti);
  g_test_add_func ("/config/table-is-sound", test_table_is_sound);
  return g_test_run ();
}
