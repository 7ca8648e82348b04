/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "test-store-fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Every single bit of every file of the store flipped, every length cut to, bytes added:
 * never anything but what was stored is served, and once the file is mended it is served
 * again. --exhaustive does it with a large identity too. */

#define OLD "payload of 1"

typedef struct
{
  const char *file;
  guint commits;
} Case;

static const Case cases[] = {
  { "gen-00000002", 2 }, { "gen-00000001", 2 }, { "gen-00000001", 1 },
  { "host.share", 2 },   { "intent", 1 },
};

static guint bits;
static guint lengths;
static guint wrong;
static gsize large;

typedef struct
{
  StoreFixture *fixture;
  const Case *test;
  const char *payload;
  const guint8 *good;
  gsize size;
} Decay;

static char *
served (StoreFixture *f, gboolean *is_newest)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsSecret) payload = dps_store_load (f->store, NULL, is_newest, &error);

  if (payload == NULL)
    {
      g_assert_error (error, DPS_ERROR, DPS_ERROR_FAILED);
      g_assert_nonnull (strstr (error->message, "dpsctl reset --yes"));
      return NULL;
    }
  return g_strndup ((const char *) dps_secret_data (payload), dps_secret_size (payload));
}

static char *
recorded (StoreFixture *f)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) record = dps_store_read_intent (f->store, &error);

  g_assert_no_error (error);
  return record != NULL
             ? g_strndup (g_bytes_get_data (record, NULL), g_bytes_get_size (record))
             : NULL;
}

/* What is to be served while the file is bad, NULL = nothing. */
static const char *
fallback (const Decay *decay)
{
  if (g_str_equal (decay->test->file, "gen-00000002"))
    return OLD;
  if (g_str_equal (decay->test->file, "gen-00000001") && decay->test->commits == 2)
    return decay->payload;
  return NULL;
}

static void
mend (const Decay *decay)
{
  g_autofree char *moved = g_strconcat ("quarantine/", decay->test->file, NULL);

  unlinkat (decay->fixture->dir_fd, moved, 0);
  store_fixture_write (decay->fixture, decay->test->file, decay->good, decay->size);
}

static void
try (const Decay *decay, const void *data, gsize size, const char *what, gsize at)
{
  gboolean is_intent = g_str_equal (decay->test->file, "intent");
  gboolean is_newest = FALSE;
  g_autofree char *bad = NULL;
  g_autofree char *mended = NULL;

  store_fixture_write (decay->fixture, decay->test->file, data, size);
  store_fixture_take_warnings ();
  bad = is_intent ? recorded (decay->fixture) : served (decay->fixture, &is_newest);
  if (g_strcmp0 (bad, fallback (decay)) != 0 ||
      (fallback (decay) != NULL && store_fixture_take_warnings () == 0) ||
      (bad != NULL && is_newest != (strcmp (bad, decay->payload) == 0)))
    {
      wrong++;
      g_test_message ("%s, %s %" G_GSIZE_FORMAT ": serves %s",
                      decay->test->file,
                      what,
                      at,
                      bad != NULL ? bad : "nothing");
    }
  mend (decay);
  is_newest = is_intent;
  mended = is_intent ? recorded (decay->fixture) : served (decay->fixture, &is_newest);
  if (g_strcmp0 (mended, is_intent ? "record" : decay->payload) != 0 || !is_newest)
    {
      wrong++;
      g_test_message ("%s, %s %" G_GSIZE_FORMAT ": mended, it serves %s",
                      decay->test->file,
                      what,
                      at,
                      mended != NULL ? mended : "nothing");
    }
}

static void
try_all (const Decay *decay)
{
  g_autofree guint8 *bad = g_malloc0 (decay->size + 1);

  memcpy (bad, decay->good, decay->size);
  for (gsize i = 0; i < decay->size * 8; i++)
    {
      bad[i / 8] ^= (guint8) (1 << (i % 8));
      try (decay, bad, decay->size, "bit", i);
      bad[i / 8] ^= (guint8) (1 << (i % 8));
      bits++;
    }
  for (gsize i = 0; i <= decay->size + 1; i++)
    {
      if (i == decay->size)
        continue;
      try (decay, bad, i, "length", i);
      lengths++;
    }
}

static void
test_decay (StoreFixture *f, gconstpointer data)
{
  Decay decay = { .fixture = f, .test = data };
  g_autofree char *payload = g_strnfill (MAX (large, 12), 'p');
  g_autoptr (GBytes) record = g_bytes_new_static ("record", 6);
  g_autoptr (GBytes) file = NULL;
  guint before = wrong;

  decay.payload = payload;
  if (decay.test->commits == 2)
    store_fixture_commit (f, OLD);
  store_fixture_commit (f, payload);
  g_assert_true (dps_store_write_intent (f->store, record, NULL));
  file = store_fixture_read (f, decay.test->file);
  decay.good = g_bytes_get_data (file, &decay.size);
  try_all (&decay);
  g_assert_cmpuint (wrong, ==, before);
}

static void
test_total (void)
{
  printf ("# FIGURE store damage: %u bits flipped, %u wrong lengths; %u not served or "
          "mended as they should be\n",
          bits,
          lengths,
          wrong);
  fflush (stdout);
  g_assert_cmpuint (bits, >=, 4000);
  g_assert_cmpuint (lengths, >=, 500);
}

int
main (int argc, char **argv)
{
  gboolean exhaustive = FALSE;

  g_test_init (&argc, &argv, NULL);
  for (int i = 1; i < argc; i++)
    exhaustive |= g_str_equal (argv[i], "--exhaustive");
  large = exhaustive ? 4096 : 0;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/store/decay/%s-of-%u", cases[i].file, cases[i].commits);

      g_test_add (path,
                  StoreFixture,
                  &cases[i],
                  store_fixture_set_up,
                  test_decay,
                  store_fixture_tear_down);
    }
  g_test_add_func ("/store/decay/total/all", test_total);
  return g_test_run ();
}
