/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "plugin-check/dps-check-elf.h"
#include "plugin-check/dps-check-exercise.h"
#include "plugin-check/dps-check-run.h"
#include "plugin-check/dps-check-trace.h"

#include <string.h>

#define SECRET "correct horse battery staple"

static void
test_traces (void)
{
  static const struct
  {
    const char *text;
    const char *form; /* NULL = none is found */
  } rows[] = {
    { "", NULL },
    { "the key has 16 bytes", NULL },
    { "bad key '" SECRET "'", "as it is" },
    { "ends in battery staple", "as it is" },
    { "11 bytes: correct hor", NULL },
    { "12 bytes: correct hors", "as it is" },
    { "636F727265637420686F727365", "in hex" },
    { "20686f72736520626174746572", "in hex" },
    { "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5", "in base64" },
    { "b3JyZWN0IGhvcnNlIGJhdHRlcnk", "in base64" },
    { "cnJlY3QgaG9yc2UgYmF0dGVyeSBz", "in base64" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpstr (dps_check_find_trace (rows[i].text,
                                           (const guint8 *) SECRET,
                                           strlen (SECRET)),
                     ==,
                     rows[i].form);
  /* Neither the frame of a PEM file nor a row of zeros tells anything. */
  g_assert_null (dps_check_find_trace ("-----BEGIN PRIVATE KEY-----",
                                       (const guint8 *) "-----BEGIN PRIVATE KEY-----",
                                       27));
  g_assert_null (dps_check_find_trace ("000000000000000000000000000000",
                                       (const guint8 *) "\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                                       14));
}

/* Its own program, cut and changed at each byte of its head and its section table. */
static void
test_elf_survives_any_bytes (void)
{
  g_autofree char *plugin = g_build_filename (g_getenv ("DPS_BUILD_ROOT"),
                                              "plugins/template/template.so",
                                              NULL);
  g_autoptr (DpsCheckElf) elf = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  gsize size;
  guint n_refused = 0;

  g_assert_true (g_file_get_contents (plugin, &data, &size, NULL));
  elf = dps_check_elf_parse ((const guint8 *) data, size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (elf->exports->len, ==, 1);
  g_assert_cmpstr (elf->exports->pdata[0], ==, "dps_plugin_info");
  g_assert_true (g_ptr_array_find_with_equal_func (elf->needs,
                                                   "libglib-2.0.so.0",
                                                   g_str_equal,
                                                   NULL));
  for (gsize i = 0; i < 4096; i++)
    {
      gsize at = i < 64 ? i : size - 1 - i;
      g_autofree guint8 *copy = g_memdup2 (data, size);
      g_autoptr (DpsCheckElf) changed = NULL;
      g_autoptr (GError) wrong = NULL;

      copy[at] ^= i % 2 ? 0xff : 0x81;
      changed = dps_check_elf_parse (copy, size, &wrong);
      g_assert_cmpint (changed == NULL, ==, wrong != NULL);
      n_refused += changed == NULL;
    }
  for (gsize cut = 0; cut < size; cut += 1 + size / 512)
    {
      g_autofree guint8 *copy = g_memdup2 (data, MAX (cut, 1));
      g_autoptr (GError) wrong = NULL;

      g_assert_null (dps_check_elf_parse (copy, cut, &wrong));
      g_assert_error (wrong, DPS_ERROR, DPS_ERROR_REJECTED);
    }
  g_assert_cmpuint (n_refused, >, 20);
}

static void
test_report_of_the_exerciser (void)
{
  g_autoptr (DpsCheckExercise) seen = dps_check_exercise_parse (
      "sanitizer yes\nloaded\nverb describe\nasks secret key\nasks setting serial\n"
      "call describe given 0 said within 60 100\ncall describe bare 2 silent beyond 60 "
      "0\n"
      "call nothing bare 2 silent within 60 0\ncall describe bare x\nend\n",
      "==1==ERROR: LeakSanitizer: detected memory leaks\n"
      "    #0 0x1 in malloc ../libsanitizer/x.cpp:9\n"
      "    #1 0x2 in acme_describe /src/acme.c:7\n"
      "    #2 0x3 in run_describe agent/plugin-check/dps-plugin-exercise.c:9\n");

  g_assert_true (seen->sanitizer && seen->loaded && seen->ended);
  g_assert_true (seen->has[DPS_CHECK_VERB_DESCRIBE]);
  g_assert_false (seen->has[DPS_CHECK_VERB_PROBE]);
  g_assert_cmpuint (seen->given[DPS_CHECK_VERB_DESCRIBE].growth, ==, 100);
  g_assert_false (seen->given[DPS_CHECK_VERB_DESCRIBE].silent);
  g_assert_cmpint (seen->bare[DPS_CHECK_VERB_DESCRIBE].result, ==, 2);
  g_assert_true (seen->bare[DPS_CHECK_VERB_DESCRIBE].silent);
  g_assert_true (seen->bare[DPS_CHECK_VERB_DESCRIBE].beyond);
  g_assert_false (seen->given[DPS_CHECK_VERB_DESCRIBE].beyond);
  g_assert_cmpstr (seen->secrets->pdata[0], ==, "key");
  g_assert_cmpstr (seen->settings->pdata[0], ==, "serial");
  g_assert_nonnull (strstr (seen->complaint, "detected memory leaks"));
  g_assert_nonnull (strstr (seen->complaint, "acme_describe /src/acme.c:7"));
}

static void
test_warns_near_a_deadline (void)
{
  static const struct
  {
    guint part;
    gboolean warns;
  } rows[] = { { 0, FALSE }, { 50, FALSE }, { 51, TRUE }, { 99, TRUE } };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      DpsCheckRun run = { .slowest = DPS_CHECK_VERB_ANSWER,
                          .slowest_part = rows[i].part };
      g_autofree char *text = dps_check_run_describe_time (&run);
      g_autofree char *part = g_strdup_printf ("answer took %u %% of", rows[i].part);

      g_assert_true (g_str_has_prefix (text, part));
      g_assert_cmpint (strstr (text, "WARNING: on a slower machine") != NULL,
                       ==,
                       rows[i].warns);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin-check/trace/forms", test_traces);
  g_test_add_func ("/plugin-check/elf/survives-any-bytes", test_elf_survives_any_bytes);
  g_test_add_func ("/plugin-check/exercise/report", test_report_of_the_exerciser);
  g_test_add_func ("/plugin-check/deadlines/near", test_warns_near_a_deadline);
  return g_test_run ();
}
