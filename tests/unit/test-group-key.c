/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-group-file.h"
#include "core/dps-group-key.h"

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
        .registration_id = "ID-1",
        .has_key_file = strcmp (rows[i].configured, "key") == 0,
        .has_group_key_file = group,
        .found = rows[i].found,
        .is_credential = strcmp (rows[i].configured, "credential") == 0,
        .is_known = rows[i].known,
        .stored = stored,
      };

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_cmpint (dps_group_key_choose (&facts), ==, rows[i].choice);
    }
}

/* The file, in a state directory of its own. */
typedef struct
{
  char *dir; /* configuration, state/import, credentials */
  char *import_dir, *path;
  DpsConfig *config;
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

static void
test_file (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) text = NULL;
  g_autofree char *found = NULL, *origin = NULL, *again = NULL;

  g_assert_null (dps_group_file_find (f->config));
  put_key (f);
  found = dps_group_file_find (f->config);
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
  again = dps_group_file_find (f->config);
  g_assert_cmpstr (again, !=, found);
  g_assert_true (dps_group_file_remove (f->config, found, &error));
  g_assert_true (g_file_test (f->path, G_FILE_TEST_EXISTS));

  g_assert_true (dps_group_file_remove (f->config, again, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (f->path, G_FILE_TEST_EXISTS));
  g_assert_true (dps_group_file_remove (f->config, again, &error));
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  dps_secret_init ();
  g_test_add_func ("/group-key/derive/vectors", test_vectors);
  g_test_add_func ("/group-key/derive/refuses-what-is-no-key", test_no_key);
  g_test_add_func ("/group-key/tells-the-identity's-key", test_is);
  g_test_add_func ("/group-key/choose/table", test_choices);
  if (geteuid () != 0)
    {
      g_test_message ("the file's rules need root");
      return g_test_run ();
    }
  g_test_add ("/group-key/file/read-and-removed",
              Fixture,
              NULL,
              set_up,
              test_file,
              tear_down);
  g_test_add ("/group-key/file/refused",
              Fixture,
              NULL,
              set_up,
              test_file_refused,
              tear_down);
  return g_test_run ();
}
