/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-group-file.h"
#include "core/dps-group-key.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* dps-protocol §3.4: bytes 40 to 7f. */
#define GROUP_KEY                                                                        \
  "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+" \
  "fw=="

static void
test_vectors (void)
{
  static const struct
  {
    const char *group_key, *id, *lowered, *key;
  } rows[] = {
    { "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/"
      "lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9E"
      "gw==",
      "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6",
      "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6",
      "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=" },
    { GROUP_KEY, "dev-01", "dev-01", "tyCQ0ipfoM5CGhXLsXLA1n6gkOkaIy/q4gqIJiYcOPQ=" },
    { GROUP_KEY "\n",
      "edge-host-0001",
      "edge-host-0001",
      "4RtOOC6Yb//ifHmsV7O/LvIicv+MhLyBSn4qATnI7WQ=" },
    /* only the lower-case form is known to work */
    { GROUP_KEY, "DEV-01", "dev-01", "tyCQ0ipfoM5CGhXLsXLA1n6gkOkaIy/q4gqIJiYcOPQ=" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsSecret) text =
          dps_secret_new (rows[i].group_key, strlen (rows[i].group_key));
      g_autoptr (DpsImportedKey) key =
          dps_group_key_derive (text, rows[i].id, "file:1", &error);

      g_assert_no_error (error);
      g_assert_cmpmem (dps_secret_data (key->text),
                       dps_secret_size (key->text),
                       rows[i].key,
                       strlen (rows[i].key));
      g_assert_cmpstr (key->registration_id, ==, rows[i].lowered);
      g_assert_cmpstr (key->origin, ==, "file:1");
    }
}

static void
test_no_key (void)
{
  static const char *const rows[] = { "", "no base64", "QUJD", "QUJD\nQUJD" };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsSecret) text = dps_secret_new (rows[i], strlen (rows[i]));

      g_assert_null (dps_group_key_derive (text, "a", NULL, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      g_assert_nonnull (strstr (error->message, "group key"));
      g_assert_null (strstr (error->message, "QUJD"));
    }
}

static void
test_is (void)
{
  g_autoptr (DpsSecret) text = dps_secret_new (GROUP_KEY, strlen (GROUP_KEY));
  g_autoptr (DpsImportedKey) key = dps_group_key_derive (text, "dev-01", NULL, NULL);
  g_autoptr (DpsSecret) own =
      dps_secret_new_from_base64 ("tyCQ0ipfoM5CGhXLsXLA1n6gkOkaIy/q4gqIJiYcOPQ=",
                                  44,
                                  32,
                                  32,
                                  NULL);

  g_assert_true (dps_group_key_is (key, own));
  g_assert_false (dps_group_key_is (key, text));
}

#define FILE_1 "file:7.100.000000001"
#define FILE_2 "file:7.100.000000002"
#define CREDENTIAL "credential:group"

/* What is configured and there; what is stored, for which id, from where. */
static void
test_choices (void)
{
  static const struct
  {
    const char *configured; /* "", "key", "file" or "credential" */
    const char *found;
    gboolean known;
    gboolean stored;
    const char *stored_for, *stored_from;
    DpsKeyChoice choice;
  } rows[] = {
    /* without a group key all is as it ever was */
    { "", NULL, FALSE, FALSE, NULL, NULL, DPS_KEY_FILE },
    { "key", NULL, FALSE, FALSE, NULL, NULL, DPS_KEY_FILE },
    { "", NULL, FALSE, TRUE, NULL, NULL, DPS_KEY_STORED },
    { "key", NULL, FALSE, TRUE, NULL, NULL, DPS_KEY_STORED },
    /* a derived key is for its registration id alone */
    { "", NULL, FALSE, TRUE, "id-1", NULL, DPS_KEY_STORED },
    { "", NULL, FALSE, TRUE, "other", NULL, DPS_KEY_OTHER_ID },
    { "key", NULL, FALSE, TRUE, "id-1", NULL, DPS_KEY_STORED },
    { "key", NULL, FALSE, TRUE, "other", NULL, DPS_KEY_FILE },
    /* … and goes with the line that brought it */
    { "key", NULL, FALSE, TRUE, "id-1", FILE_1, DPS_KEY_FILE },
    { "key", NULL, FALSE, TRUE, "id-1", CREDENTIAL, DPS_KEY_FILE },
    { "", NULL, FALSE, TRUE, "id-1", FILE_1, DPS_KEY_STORED },
    /* a file, before it was taken, after, and gone before */
    { "file", FILE_1, FALSE, FALSE, NULL, NULL, DPS_KEY_DERIVE },
    { "file", NULL, FALSE, TRUE, "id-1", FILE_1, DPS_KEY_STORED },
    { "file", NULL, FALSE, TRUE, "other", FILE_1, DPS_KEY_OTHER_ID },
    { "file", NULL, FALSE, FALSE, NULL, NULL, DPS_KEY_GONE },
    /* left over by a crash: never used again, for no id */
    { "file", FILE_1, FALSE, TRUE, "id-1", FILE_1, DPS_KEY_REMOVE },
    { "file", FILE_1, FALSE, TRUE, "other", FILE_1, DPS_KEY_REMOVE },
    /* put there again, over whatever key there was */
    { "file", FILE_2, FALSE, TRUE, "id-1", FILE_1, DPS_KEY_DERIVE },
    { "file", FILE_2, FALSE, TRUE, "other", FILE_1, DPS_KEY_DERIVE },
    { "file", FILE_2, FALSE, TRUE, "id-1", CREDENTIAL, DPS_KEY_DERIVE },
    { "file", FILE_2, FALSE, TRUE, "id-1", NULL, DPS_KEY_DERIVE },
    { "file", FILE_2, FALSE, TRUE, NULL, NULL, DPS_KEY_DERIVE },
    /* a credential: at each start once, and whenever there is nothing that fits */
    { "credential", CREDENTIAL, FALSE, FALSE, NULL, NULL, DPS_KEY_DERIVE },
    { "credential", CREDENTIAL, TRUE, FALSE, NULL, NULL, DPS_KEY_DERIVE },
    { "credential", CREDENTIAL, FALSE, TRUE, "id-1", CREDENTIAL, DPS_KEY_DERIVE },
    { "credential", CREDENTIAL, TRUE, TRUE, "id-1", CREDENTIAL, DPS_KEY_STORED },
    { "credential", CREDENTIAL, TRUE, TRUE, "other", CREDENTIAL, DPS_KEY_DERIVE },
    { "credential", CREDENTIAL, TRUE, TRUE, "id-1", FILE_1, DPS_KEY_DERIVE },
    /* … but not over what was handed to the agent for this id */
    { "credential", CREDENTIAL, FALSE, TRUE, NULL, NULL, DPS_KEY_STORED },
    { "credential", CREDENTIAL, FALSE, TRUE, "id-1", NULL, DPS_KEY_STORED },
    { "credential", CREDENTIAL, FALSE, TRUE, "other", NULL, DPS_KEY_DERIVE },
    /* no longer passed */
    { "credential", NULL, FALSE, TRUE, "id-1", CREDENTIAL, DPS_KEY_STORED },
    { "credential", NULL, FALSE, TRUE, "other", CREDENTIAL, DPS_KEY_OTHER_ID },
    { "credential", NULL, FALSE, FALSE, NULL, NULL, DPS_KEY_GONE },
  };
  g_autoptr (DpsSecret) text = dps_secret_new ("QUJD", 4);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsImportedKey) stored =
          rows[i].stored
              ? dps_imported_key_new (text, rows[i].stored_for, rows[i].stored_from)
              : NULL;
      gboolean group = strcmp (rows[i].configured, "file") == 0 ||
                       strcmp (rows[i].configured, "credential") == 0;
      DpsKeyFacts facts = {
        .is_symmetric = TRUE,
        .registration_id = "ID-1",
        .has_key_file = strcmp (rows[i].configured, "key") == 0,
        .has_group_key_file = group,
        .found = rows[i].found,
        .is_credential = strcmp (rows[i].configured, "credential") == 0,
        .is_known = rows[i].known,
        .used = g_strcmp0 (rows[i].stored_from, FILE_1) == 0 ? FILE_1 : NULL,
        .stored = stored,
      };

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_cmpint (dps_group_key_choose (&facts), ==, rows[i].choice);
    }
}

/* A key was handed to the agent, for some id or none, while FILE_1 could not be removed
 * or FILE_2 not be used. */
static void
test_choices_after_import (void)
{
  static const struct
  {
    const char *found;
    const char *stored_for;
    gboolean unfit;
    DpsKeyChoice choice;
  } rows[] = {
    { FILE_1, "id-1", FALSE, DPS_KEY_REMOVE },
    { FILE_1, NULL, FALSE, DPS_KEY_REMOVE },
    { FILE_1, "other", FALSE, DPS_KEY_REMOVE },
    { FILE_2, "id-1", FALSE, DPS_KEY_STORED },
    { FILE_2, NULL, FALSE, DPS_KEY_STORED },
    { FILE_2, "other", FALSE, DPS_KEY_DERIVE },
    { "file:3", "id-1", FALSE, DPS_KEY_DERIVE },
    { "file:3", NULL, FALSE, DPS_KEY_DERIVE },
    /* what cannot be read is only asked for where there is no key */
    { NULL, "id-1", TRUE, DPS_KEY_STORED },
    { NULL, "other", TRUE, DPS_KEY_DERIVE },
    { NULL, "other", FALSE, DPS_KEY_OTHER_ID },
  };
  g_autoptr (DpsSecret) text = dps_secret_new ("QUJD", 4);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsImportedKey) stored =
          dps_imported_key_new (text, rows[i].stored_for, NULL);
      DpsKeyFacts facts = {
        .is_symmetric = TRUE,
        .registration_id = "ID-1",
        .has_group_key_file = TRUE,
        .found = rows[i].found,
        .is_unfit = rows[i].unfit,
        .used = FILE_1,
        .overruled = FILE_2,
        .stored = stored,
      };

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_cmpint (dps_group_key_choose (&facts), ==, rows[i].choice);
    }
}

/* A plugin from elsewhere sees no derived key, and nothing is derived for it. */
static void
test_choices_of_others (void)
{
  g_autoptr (DpsSecret) text = dps_secret_new ("QUJD", 4);
  g_autoptr (DpsImportedKey) derived = dps_imported_key_new (text, "id-1", NULL);
  g_autoptr (DpsImportedKey) handed = dps_imported_key_new (text, NULL, NULL);
  DpsKeyFacts facts = {
    .registration_id = "id-1",
    .has_group_key_file = TRUE,
    .stored = derived,
  };

  g_assert_cmpint (dps_group_key_choose (&facts), ==, DPS_KEY_FILE);
  facts.found = FILE_1;
  g_assert_cmpint (dps_group_key_choose (&facts), ==, DPS_KEY_FILE);
  facts.stored = handed;
  g_assert_cmpint (dps_group_key_choose (&facts), ==, DPS_KEY_STORED);
  facts.stored = NULL;
  g_assert_cmpint (dps_group_key_choose (&facts), ==, DPS_KEY_FILE);
}

/* The file, in a state directory of its own. */
typedef struct
{
  char *dir; /* configuration, state/import, credentials */
  char *import_dir, *path;
  DpsConfig *config;
  int stop; /* atomic */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autofree char *site = NULL, *text = NULL, *state = NULL, *drop_ins = NULL;
  g_autoptr (GError) error = NULL;
  DpsConfigPaths paths;

  f->dir = g_strdup ("/run/dps-test.XXXXXX");
  g_assert_nonnull (g_mkdtemp_full (f->dir, 0755));
  drop_ins = g_build_filename (f->dir, "agent.conf.d", NULL);
  state = g_build_filename (f->dir, "state", NULL);
  f->import_dir = g_build_filename (state, "import", NULL);
  f->path = g_build_filename (f->import_dir, "group.key", NULL);
  site = g_build_filename (drop_ins, "site.conf", NULL);
  text = g_strdup_printf ("[plugin symmetric-key]\ngroup-key-file=%s\n", f->path);
  g_assert_cmpint (g_mkdir_with_parents (drop_ins, 0755), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (f->import_dir, 0700), ==, 0);
  g_assert_true (g_file_set_contents_full (site, text, -1, 0, 0644, NULL));
  paths = (DpsConfigPaths){ .config_dir = f->dir, .state_dir = state };
  f->config = dps_config_load (&paths, &error);
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  const char *argv[] = { "rm", "-rf", f->dir, NULL };

  g_assert_true (g_spawn_sync (NULL,
                               (char **) argv,
                               NULL,
                               G_SPAWN_SEARCH_PATH,
                               NULL,
                               NULL,
                               NULL,
                               NULL,
                               NULL,
                               NULL));
  g_object_unref (f->config);
  g_free (f->dir);
  g_free (f->import_dir);
  g_free (f->path);
}

static void
put_key (Fixture *f)
{
  g_assert_true (g_file_set_contents_full (f->path,
                                           GROUP_KEY,
                                           -1,
                                           G_FILE_SET_CONTENTS_NONE,
                                           0600,
                                           NULL));
}

static char *
find (Fixture *f, DpsGroupFileState state)
{
  char *origin;

  g_assert_cmpint (dps_group_file_find (f->config, &origin), ==, state);
  g_assert_cmpint (origin != NULL, ==, state == DPS_GROUP_FILE_THERE);
  return origin;
}

static void
test_file (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) text = NULL;
  g_autofree char *found = NULL, *origin = NULL, *again = NULL;

  find (f, DPS_GROUP_FILE_ABSENT);
  put_key (f);
  found = find (f, DPS_GROUP_FILE_THERE);
  g_assert_cmpstr (dps_group_file_remaining (found), ==, f->path);
  g_assert_null (dps_group_file_remaining (NULL));
  g_assert_null (dps_group_file_remaining ("credential:group"));
  g_assert_null (dps_group_file_remaining ("file:7"));
  text = dps_group_file_read (f->config, &origin, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (origin, ==, found);
  g_assert_false (dps_group_file_is_credential (origin));
  g_assert_cmpmem (dps_secret_data (text),
                   dps_secret_size (text),
                   GROUP_KEY,
                   strlen (GROUP_KEY));

  /* The same bytes in the same file, put there again, are another group key. */
  g_assert_cmpint (chmod (f->path, 0600), ==, 0);
  again = find (f, DPS_GROUP_FILE_THERE);
  g_assert_cmpstr (again, !=, found);
  g_assert_null (dps_group_file_remaining (found));
  g_assert_cmpint (dps_group_file_remove (f->config, found, &error),
                   ==,
                   DPS_GROUP_FILE_REPLACED);
  g_assert_true (g_file_test (f->path, G_FILE_TEST_EXISTS));

  g_assert_cmpint (dps_group_file_remove (f->config, again, &error),
                   ==,
                   DPS_GROUP_FILE_REMOVED);
  g_assert_false (g_file_test (f->path, G_FILE_TEST_EXISTS));
  g_assert_cmpint (dps_group_file_remove (f->config, again, &error),
                   ==,
                   DPS_GROUP_FILE_GONE);
  g_assert_no_error (error);
}

static void
write_part (Fixture *f, int flags, gsize from, gsize to)
{
  int fd = g_open (f->path, O_WRONLY | O_CREAT | flags, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, GROUP_KEY + from, to - from), ==, to - from);
  g_assert_true (g_close (fd, NULL));
}

/* Both halves are written within one tick of the kernel's clock, mostly. */
static void
test_file_half_written (Fixture *f, gconstpointer data)
{
  for (guint i = 0; i < 50; i++)
    {
      g_autofree char *half = NULL, *whole = NULL;

      write_part (f, O_TRUNC, 0, 44);
      half = find (f, DPS_GROUP_FILE_THERE);
      write_part (f, O_APPEND, 44, strlen (GROUP_KEY));
      whole = find (f, DPS_GROUP_FILE_THERE);
      g_assert_cmpstr (half, !=, whole);
    }
}

static gpointer
write_over_and_over (gpointer data)
{
  Fixture *f = data;

  while (!g_atomic_int_get (&f->stop))
    {
      write_part (f, O_TRUNC, 0, 44);
      write_part (f, O_APPEND, 44, strlen (GROUP_KEY));
    }
  return NULL;
}

/* What is read while somebody writes is either refused or all that the origin says. */
static void
test_file_being_written (Fixture *f, gconstpointer data)
{
  g_autoptr (GThread) writer = NULL;
  guint refused = 0;

  put_key (f);
  writer = g_thread_new ("writer", write_over_and_over, f);
  for (guint i = 0; i < 20000 || (refused == 0 && i < 200000); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsSecret) text = NULL;
      g_autofree char *origin = NULL, *says = NULL;

      text = dps_group_file_read (f->config, &origin, &error);
      if (text == NULL)
        {
          refused += g_error_matches (error, DPS_ERROR, DPS_ERROR_BUSY);
          continue;
        }
      says = g_strdup_printf (".%" G_GSIZE_FORMAT ":%s", dps_secret_size (text), f->path);
      g_assert_true (g_str_has_suffix (origin, says));
    }
  g_atomic_int_set (&f->stop, 1);
  g_thread_join (g_steal_pointer (&writer));
  g_assert_cmpuint (refused, >, 0);
}

static void
assert_refused (Fixture *f, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *origin = NULL;

  g_assert_null (dps_group_file_read (f->config, &origin, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_ACCESS_DENIED);
  g_assert_nonnull (strstr (error->message, "group-key-file: "));
  g_assert_nonnull (strstr (error->message, says));
  g_assert_null (origin);
}

static void
test_file_refused (Fixture *f, gconstpointer data)
{
  g_autofree char *other = g_build_filename (f->dir, "other", NULL);

  put_key (f);
  g_assert_cmpint (chmod (f->path, 0644), ==, 0);
  assert_refused (f, "chmod it to 0600");
  g_assert_cmpint (chmod (f->path, 0600), ==, 0);
  g_assert_cmpint (chown (f->path, 65534, 0), ==, 0);
  assert_refused (f, "its owner is user 65534");
  g_assert_cmpint (chown (f->path, 0, 0), ==, 0);
  g_assert_cmpint (link (f->path, other), ==, 0);
  assert_refused (f, "further names");
  g_assert_cmpint (g_unlink (f->path), ==, 0);
  g_assert_cmpint (symlink (other, f->path), ==, 0);
  assert_refused (f, "it is a link");
  g_assert_cmpint (g_unlink (f->path), ==, 0);
  g_assert_cmpint (g_mkdir (f->path, 0700), ==, 0);
  assert_refused (f, "no regular file");
  g_assert_cmpint (g_rmdir (f->path), ==, 0);
  put_key (f);
  g_assert_cmpint (chmod (f->import_dir, 0770), ==, 0);
  assert_refused (f, "others may write the directory");
}

/* Nothing is said to be a group key, or to be absent, where that cannot be told. */
static void
test_file_unfit (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (g_mkdir (f->path, 0700), ==, 0);
  find (f, DPS_GROUP_FILE_UNFIT);
  g_assert_cmpint (g_rmdir (f->path), ==, 0);
  g_assert_cmpint (symlink ("elsewhere", f->path), ==, 0);
  find (f, DPS_GROUP_FILE_UNFIT);
  g_assert_cmpint (g_unlink (f->path), ==, 0);
  put_key (f);
  g_assert_cmpint (seteuid (65534), ==, 0);
  find (f, DPS_GROUP_FILE_UNFIT);
  assert_refused (f, "the agent may not read it; chown it to dps-agent");
  g_assert_cmpint (seteuid (0), ==, 0);
}

/* group-key-file=VALUE, with "IMPORT" for the import directory. */
static void
test_config (Fixture *f, gconstpointer data)
{
  static const struct
  {
    const char *value;
    gboolean good;
  } rows[] = {
    { "IMPORT/group.key", TRUE }, { "credential:group", TRUE },
    { "IMPORT/", FALSE },         { "IMPORT", FALSE },
    { "IMPORT/.", FALSE },        { "IMPORT/..", FALSE },
    { "IMPORT/a/b", FALSE },      { "IMPORT/a/", FALSE },
    { "/etc/group.key", FALSE },
  };
  g_autofree char *state = g_path_get_dirname (f->import_dir);
  g_autofree char *site = g_build_filename (f->dir, "agent.conf.d", "site.conf", NULL);
  DpsConfigPaths paths = { .config_dir = f->dir, .state_dir = state };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GString) text = g_string_new (
          "[provisioning]\nendpoint=a.azure-devices-provisioning.net\n"
          "id-scope=0ne00ABCDEF\nattestation=symmetric-key\nregistration-id=id-1\n"
          "[plugin symmetric-key]\ngroup-key-file=");
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsConfig) config = NULL;

      g_test_message ("%s", rows[i].value);
      g_string_append_printf (text, "%s\n", rows[i].value);
      g_string_replace (text, "IMPORT", f->import_dir, 1);
      g_assert_true (g_file_set_contents (site, text->str, -1, NULL));
      config = dps_config_load (&paths, &error);
      g_assert_no_error (error);
      g_assert_cmpint (dps_config_check (config, &error), ==, rows[i].good);
      if (!rows[i].good)
        g_assert_nonnull (strstr (error->message, "group-key-file"));
    }
}

#define ADD(path, test) g_test_add (path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  g_test_add_func ("/group-key/derive/vectors", test_vectors);
  g_test_add_func ("/group-key/derive/refuses-what-is-no-key", test_no_key);
  g_test_add_func ("/group-key/tells-the-identity's-key", test_is);
  g_test_add_func ("/group-key/choose/table", test_choices);
  g_test_add_func ("/group-key/choose/after-an-import", test_choices_after_import);
  g_test_add_func ("/group-key/choose/other-plugins", test_choices_of_others);
  if (geteuid () != 0)
    {
      g_test_message ("the file's rules need root");
      return g_test_run ();
    }
  ADD ("/group-key/file/read-and-removed", test_file);
  ADD ("/group-key/file/refused", test_file_refused);
  ADD ("/group-key/file/unfit", test_file_unfit);
  ADD ("/group-key/file/half-written", test_file_half_written);
  ADD ("/group-key/file/being-written", test_file_being_written);
  ADD ("/group-key/file/named-by-the-configuration", test_config);
  return g_test_run ();
}
