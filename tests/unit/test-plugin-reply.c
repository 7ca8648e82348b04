/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-memfd.h"
#include "core/dps-plugin-child.h"
#include "core/dps-plugin-reply.h"

#include <string.h>
#include <sys/mman.h>

static void
test_line (void)
{
  static const struct
  {
    const char *line;
    GLogLevelFlags level;
    const char *text;
  } rows[] = {
    { "plain", G_LOG_LEVEL_INFO, "plain" },
    { "<0>loud", G_LOG_LEVEL_WARNING, "loud" },
    { "<4>four", G_LOG_LEVEL_WARNING, "four" },
    { "<5>five", G_LOG_LEVEL_MESSAGE, "five" },
    { "<7>seven", G_LOG_LEVEL_DEBUG, "seven" },
    { "<8>none", G_LOG_LEVEL_INFO, "<8>none" },
    { "<4", G_LOG_LEVEL_INFO, "<4" },
    { "<4>", G_LOG_LEVEL_WARNING, "" },
    { "a\033[31mb\tc\r", G_LOG_LEVEL_INFO, "a\\x1b[31mb\\x09c\\x0d" },
    { "\xc2\x9b"
      "31m",
      G_LOG_LEVEL_INFO,
      "\\x9b31m" },
    { "\xff", G_LOG_LEVEL_INFO, "\xef\xbf\xbd" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      GLogLevelFlags level;
      g_autofree char *text =
          dps_plugin_child_parse_line (rows[i].line, strlen (rows[i].line), &level);

      g_assert_cmpstr (text, ==, rows[i].text);
      g_assert_cmpint (level, ==, rows[i].level);
    }
}

static void
test_probe (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginProbe) probe = dps_plugin_reply_probe ("later", "why", &error);
  g_autofree char *longest = g_strnfill (1025, 'x');

  g_assert_no_error (error);
  g_assert_cmpint (probe->availability, ==, DPS_PLUGIN_AVAILABLE_LATER);
  g_assert_cmpstr (probe->reason, ==, "why");
  g_assert_null (dps_plugin_reply_probe ("maybe", "", &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
  g_clear_error (&error);
  g_assert_null (dps_plugin_reply_probe ("now", "a\nb", &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
  g_clear_error (&error);
  g_assert_null (dps_plugin_reply_probe ("now", longest, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
}

/* One file of size bytes; sealed or not. */
static GUnixFDList *
fds_of (gsize size, gboolean sealed)
{
  GUnixFDList *fds = g_unix_fd_list_new ();
  g_autofree char *data = g_strnfill (size, 'k');
  dps_autofd fd = sealed ? dps_memfd_new ("test", data, size, NULL)
                         : memfd_create ("test", MFD_CLOEXEC);

  if (!sealed)
    g_assert_true (dps_write_all (fd, data, size, NULL));
  g_assert_cmpint (g_unix_fd_list_append (fds, fd, NULL), ==, 0);
  return fds;
}

static void
test_description (void)
{
  static const struct
  {
    const char *id, *kind, *material, *key;
    gsize size;
    gboolean sealed;
    int code; /* -1 = fine */
  } rows[] = {
    { "", "symmetric-key", "@a{ss} {}", "[handle 0]", 16, TRUE, -1 },
    { "dev-1", "symmetric-key", "@a{ss} {}", "[handle 0]", 64, TRUE, -1 },
    { "", "tpm", "{'a':'b'}", "@ah []", 1, TRUE, -1 },
    { "", "symmetric-key", "@a{ss} {}", "[handle 0]", 15, TRUE, DPS_ERROR_REJECTED },
    { "",
      "symmetric-key",
      "@a{ss} {}",
      "[handle 0]",
      65,
      TRUE,
      DPS_ERROR_LIMITS_EXCEEDED },
    { "", "symmetric-key", "@a{ss} {}", "[handle 0]", 16, FALSE, DPS_ERROR_REJECTED },
    { "", "symmetric-key", "@a{ss} {}", "[handle 1]", 16, TRUE, DPS_ERROR_REJECTED },
    { "", "symmetric-key", "@a{ss} {}", "[handle -1]", 16, TRUE, DPS_ERROR_REJECTED },
    { "", "symmetric-key", "@a{ss} {}", "@ah []", 16, TRUE, DPS_ERROR_REJECTED },
    { "",
      "symmetric-key",
      "@a{ss} {}",
      "[handle 0, handle 0]",
      16,
      TRUE,
      DPS_ERROR_REJECTED },
    { "", "tpm", "@a{ss} {}", "[handle 0]", 16, TRUE, DPS_ERROR_REJECTED },
    { "", "other", "@a{ss} {}", "@ah []", 1, TRUE, DPS_ERROR_REJECTED },
    { "a b", "tpm", "@a{ss} {}", "@ah []", 1, TRUE, DPS_ERROR_REJECTED },
    { "", "tpm", "{'':'b'}", "@ah []", 1, TRUE, DPS_ERROR_REJECTED },
    { "", "tpm", "{'a':'b','a':'c'}", "@ah []", 1, TRUE, DPS_ERROR_REJECTED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GUnixFDList) fds = fds_of (rows[i].size, rows[i].sealed);
      g_autoptr (GVariant) material =
          g_variant_parse (NULL, rows[i].material, NULL, NULL, NULL);
      g_autoptr (GVariant) key = g_variant_parse (NULL, rows[i].key, NULL, NULL, NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (DpsPluginDescription) description =
          dps_plugin_reply_description (rows[i].id,
                                        rows[i].kind,
                                        material,
                                        "",
                                        key,
                                        fds,
                                        &error);

      if (rows[i].code < 0)
        g_assert_no_error (error);
      else
        g_assert_error (error, DPS_ERROR, rows[i].code);
      g_assert_cmpint (description != NULL, ==, rows[i].code < 0);
    }
}

static void
test_signature (void)
{
  g_autofree char *bytes = g_strnfill (1025, 's');

  for (gsize size = 0; size <= 1025; size += 205)
    {
      g_autoptr (GVariant) ay = g_variant_ref_sink (
          g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, size, 1));
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) signature = dps_plugin_reply_signature (ay, &error);

      if (size == 0)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_REJECTED);
      else if (size > 1024)
        g_assert_error (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED);
      else
        g_assert_cmpuint (g_bytes_get_size (signature), ==, size);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin-reply/log-line-is-made-harmless", test_line);
  g_test_add_func ("/plugin-reply/probe", test_probe);
  g_test_add_func ("/plugin-reply/description", test_description);
  g_test_add_func ("/plugin-reply/signature", test_signature);
  return g_test_run ();
}
