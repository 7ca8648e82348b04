/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-memfd.h"
#include "common/dps-io.h"
#include "plugin-host/dps-bounds.h"
#include "plugin-host/dps-module.h"

#include <string.h>
#include <sys/mman.h>

static void
test_text (void)
{
  static const struct
  {
    const char *text;
    gsize max;
    gboolean required, lines;
    int code; /* -1 = fine */
  } rows[] = {
    { NULL, 4, FALSE, FALSE, -1 },
    { NULL, 4, TRUE, FALSE, DPS_ERROR_REJECTED },
    { "", 4, TRUE, FALSE, DPS_ERROR_REJECTED },
    { "abcd", 4, TRUE, FALSE, -1 },
    { "abcde", 4, TRUE, FALSE, DPS_ERROR_LIMITS_EXCEEDED },
    { "a\nb", 4, TRUE, TRUE, -1 },
    { "a\nb", 4, TRUE, FALSE, DPS_ERROR_REJECTED },
    { "a\033", 4, TRUE, TRUE, DPS_ERROR_REJECTED },
    { "\xff", 4, TRUE, FALSE, DPS_ERROR_REJECTED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      gboolean fine = dps_bounds_check_text (rows[i].text,
                                             rows[i].max,
                                             rows[i].required,
                                             rows[i].lines,
                                             "it",
                                             &error);

      g_assert_cmpint (fine, ==, rows[i].code < 0);
      if (!fine)
        g_assert_error (error, DPS_ERROR, rows[i].code);
    }
}

/* The sizes are compared, the bytes are not touched: these pointers lead nowhere. */
static void
test_bytes (void)
{
  static const struct
  {
    gsize size, min, max;
    int code;
  } rows[] = {
    { 16, 16, 64, -1 },
    { 64, 16, 64, -1 },
    { 0, 0, 0, -1 },
    { 15, 16, 64, DPS_ERROR_REJECTED },
    { 65, 16, 64, DPS_ERROR_LIMITS_EXCEEDED },
    { (gsize) 2 << 30, 16, 64, DPS_ERROR_LIMITS_EXCEEDED },
    { G_MAXSIZE, 16, 64, DPS_ERROR_LIMITS_EXCEEDED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      DpsPluginBytes bytes = { GSIZE_TO_POINTER (8), rows[i].size };
      g_autoptr (GError) error = NULL;
      gboolean fine =
          dps_bounds_check_bytes (&bytes, rows[i].min, rows[i].max, "it", &error);

      g_assert_cmpint (fine, ==, rows[i].code < 0);
      if (!fine)
        g_assert_error (error, DPS_ERROR, rows[i].code);
    }
  g_assert_false (
      dps_bounds_check_bytes (&(DpsPluginBytes){ NULL, 16 }, 16, 64, "it", NULL));
}

static void
test_clear (void)
{
  DpsPluginBytes wild = { GSIZE_TO_POINTER (8), G_MAXSIZE };
  DpsPluginBytes bytes = { g_malloc0 (4), 4 };

  dps_bounds_clear_bytes (&wild, 64);
  g_assert_null (wild.data);
  dps_bounds_clear_bytes (&bytes, 64);
  g_assert_null (bytes.data);
  g_assert_cmpuint (bytes.size, ==, 0);
}

static void
test_material (void)
{
  static char *const even[] = { (char *) "a", (char *) "line\nline", NULL };
  static char *const odd[] = { (char *) "a", NULL };
  static char *const nameless[] = { (char *) "", (char *) "b", NULL };
  char *full[2 * DPS_PLUGIN_MATERIAL_ITEMS_MAX + 1] = { NULL };
  char *over[2 * DPS_PLUGIN_MATERIAL_ITEMS_MAX + 2] = { NULL };
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (full) - 1; i++)
    full[i] = (char *) "x";
  for (gsize i = 0; i < G_N_ELEMENTS (over) - 1; i++)
    over[i] = (char *) "x";
  g_assert_true (dps_bounds_check_material (NULL, NULL));
  g_assert_true (dps_bounds_check_material (even, NULL));
  g_assert_true (dps_bounds_check_material (full, NULL));
  g_assert_false (dps_bounds_check_material (odd, NULL));
  g_assert_false (dps_bounds_check_material (nameless, NULL));
  g_assert_false (dps_bounds_check_material (over, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
}

static DpsPluginResult
describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  g_assert_not_reached ();
}

static void
test_module (void)
{
  const guint32 size = sizeof (DpsPluginInfo);
  const struct
  {
    DpsPluginInfo exported;
    gboolean fine;
  } rows[] = {
    { { 1, size, "one", .describe = describe }, TRUE },
    /* A later version of the same ABI has more members than we know. */
    { { 1, size + 64, "one", .describe = describe }, TRUE },
    { { 2, size, "one", .describe = describe }, FALSE },
    { { 0, size, "one", .describe = describe }, FALSE },
    { { 1, size - 8, "one", .describe = describe }, FALSE },
    { { 1, G_MAXUINT32, "one", .describe = describe }, FALSE },
    { { 1, size, "two", .describe = describe }, FALSE },
    { { 1, size, "on", .describe = describe }, FALSE },
    { { 1, size, "onee", .describe = describe }, FALSE },
    { { 1, size, NULL, .describe = describe }, FALSE },
    { { 1, size, "one" }, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      DpsPluginInfo info;

      g_assert_cmpint (dps_module_check (&rows[i].exported, "one", &info, &error),
                       ==,
                       rows[i].fine);
      if (!rows[i].fine)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
      else
        g_assert_true (info.describe == describe);
    }
}

static void
test_memfd (void)
{
  dps_autofd sealed = dps_memfd_new ("test", "abc", 3, NULL);
  dps_autofd open_file = memfd_create ("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  g_autoptr (GError) error = NULL;
  int half[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW };
  gsize size = 0;

  g_assert_cmpint (write (sealed, "x", 1), <, 0);
  g_assert_true (dps_memfd_check (sealed, 3, &size, NULL));
  g_assert_cmpuint (size, ==, 3);
  g_assert_false (dps_memfd_check (sealed, 2, &size, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
  g_clear_error (&error);
  for (gsize i = 0; i < G_N_ELEMENTS (half); i++)
    {
      g_assert_false (dps_memfd_check (open_file, 3, &size, &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
      g_clear_error (&error);
      g_assert_cmpint (fcntl (open_file, F_ADD_SEALS, half[i]), ==, 0);
    }
  g_assert_true (dps_memfd_check (open_file, 3, &size, NULL));
  g_assert_false (dps_memfd_check (STDERR_FILENO, 3, &size, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin-bounds/text", test_text);
  g_test_add_func ("/plugin-bounds/bytes-by-size-alone", test_bytes);
  g_test_add_func ("/plugin-bounds/clear-believes-no-size-over-the-limit", test_clear);
  g_test_add_func ("/plugin-bounds/material", test_material);
  g_test_add_func ("/plugin-bounds/module-is-compared-before-it-is-called", test_module);
  g_test_add_func ("/plugin-bounds/memfd-must-be-sealed", test_memfd);
  return g_test_run ();
}
