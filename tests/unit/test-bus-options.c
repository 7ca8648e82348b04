/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-error-gate.h"
#include "bus/dps-options.h"
#include "common/dps-error.h"

#include <string.h>

static const DpsOption known[] = { { "audience", "s" }, { "ttl", "u" } };

static GVariant *
options (const char *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = g_variant_parse (G_VARIANT_TYPE_VARDICT, text, NULL, NULL, &error);

  g_assert_no_error (error);
  return value;
}

static void
test_accepted (void)
{
  static const char *const table[] = {
    "{}",
    "{'audience': <'device'>}",
    "{'ttl': <uint32 5>}",
    "{'ttl': <uint32 5>, 'audience': <''>}",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GVariant) value = options (table[i]);
      g_autoptr (GError) error = NULL;

      g_assert_true (dps_options_check (value, known, G_N_ELEMENTS (known), &error));
      g_assert_no_error (error);
    }
}

static void
test_refused (void)
{
  static const struct
  {
    const char *options;
    const char *says;
  } table[] = {
    { "{'colour': <'red'>}",
      "option 'colour' is not known; known are 'audience' (s), 'ttl' (u)" },
    { "{'': <'red'>}", "option '' is not known" },
    { "{'Audience': <'device'>}", "option 'Audience' is not known" },
    { "{'a\\nb': <'x'>}", "option 'a\\nb' is not known" },
    { "{'ttl': <5>}", "option 'ttl' is of the wrong type" },
    { "{'ttl': <'5'>}", "option 'ttl' is of the wrong type" },
    { "{'ttl': <uint64 5>}", "option 'ttl' is of the wrong type" },
    { "{'audience': <<'device'>>}", "option 'audience' is of the wrong type" },
    { "{'audience': <['device']>}", "option 'audience' is of the wrong type" },
    { "{'ttl': <uint32 5>, 'ttl': <uint32 6>}", "option 'ttl' is given twice" },
    { "{'ttl': <uint32 5>, 'colour': <'red'>}", "option 'colour' is not known" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GVariant) value = options (table[i].options);
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", table[i].options);
      g_assert_false (dps_options_check (value, known, G_N_ELEMENTS (known), &error));
      g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
      g_assert_true (g_str_has_prefix (error->message, table[i].says));
    }
}

static void
test_none_known (void)
{
  g_autoptr (GVariant) empty = options ("{}");
  g_autoptr (GVariant) one = options ("{'ttl': <uint32 5>}");
  g_autoptr (GError) error = NULL;

  g_assert_true (dps_options_check (empty, NULL, 0, NULL));
  g_assert_false (dps_options_check (one, NULL, 0, &error));
  g_assert_error (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT);
  g_assert_cmpstr (error->message, ==, "option 'ttl' is not known; there are none");
}

/* The name of an option is foreign text of any length. */
static void
test_long_name (void)
{
  g_autofree char *name = g_strnfill (4096, 'x');
  g_autofree char *text = g_strdup_printf ("{'%s': <1>}", name);
  g_autoptr (GVariant) value = options (text);
  g_autoptr (GError) error = NULL;

  g_assert_false (dps_options_check (value, known, G_N_ELEMENTS (known), &error));
  g_assert_cmpuint (strlen (error->message), <, 256);
}

static void
test_own_errors_pass (void)
{
  for (gint code = 0; code < DPS_N_ERRORS; code++)
    {
      g_autoptr (GError) error = g_error_new_literal (DPS_ERROR, code, "the text");
      g_autoptr (GError) out = dps_error_gate_convert (error);
      g_autofree char *name = g_dbus_error_encode_gerror (out);

      g_assert_error (out, DPS_ERROR, code);
      g_assert_cmpstr (out->message, ==, "the text");
      g_assert_cmpstr (name, ==, dps_error_name ((DpsError) code));
    }
}

static DpsError
wanted_of_io (gint code)
{
  static const struct
  {
    gint io;
    DpsError code;
  } table[] = {
    { G_IO_ERROR_TIMED_OUT, DPS_ERROR_TIMED_OUT },
    { G_IO_ERROR_BUSY, DPS_ERROR_BUSY },
    { G_IO_ERROR_WOULD_BLOCK, DPS_ERROR_BUSY },
    { G_IO_ERROR_PENDING, DPS_ERROR_BUSY },
    { G_IO_ERROR_INVALID_ARGUMENT, DPS_ERROR_INVALID_ARGUMENT },
    { G_IO_ERROR_INVALID_DATA, DPS_ERROR_INVALID_ARGUMENT },
    { G_IO_ERROR_INVALID_FILENAME, DPS_ERROR_INVALID_ARGUMENT },
    { G_IO_ERROR_NOT_SUPPORTED, DPS_ERROR_NOT_SUPPORTED },
    { G_IO_ERROR_NO_SPACE, DPS_ERROR_LIMITS_EXCEEDED },
    { G_IO_ERROR_TOO_MANY_OPEN_FILES, DPS_ERROR_LIMITS_EXCEEDED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    if (table[i].io == code)
      return table[i].code;
  return DPS_ERROR_FAILED;
}

/* Whatever GIO reports leaves under a name of ours. */
static void
test_io_errors (void)
{
  for (gint code = 0; code <= G_IO_ERROR_NO_SUCH_DEVICE; code++)
    {
      g_autoptr (GError) error = g_error_new_literal (G_IO_ERROR, code, "the text");
      g_autoptr (GError) out = dps_error_gate_convert (error);

      g_test_message ("GIO %d", code);
      g_assert_error (out, DPS_ERROR, (gint) wanted_of_io (code));
      g_assert_cmpstr (out->message, ==, "the text");
    }
}

static void
test_foreign_errors (void)
{
  const GQuark domains[] = { G_DBUS_ERROR, G_FILE_ERROR, G_MARKUP_ERROR, G_IO_ERROR };

  for (gsize i = 0; i < G_N_ELEMENTS (domains); i++)
    {
      g_autoptr (GError) error = g_error_new_literal (domains[i], 9999, "the text");
      g_autoptr (GError) out = dps_error_gate_convert (error);

      g_assert_error (out, DPS_ERROR, DPS_ERROR_FAILED);
      g_assert_cmpstr (out->message, ==, "the text");
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bus/options/accepts-what-is-known", test_accepted);
  g_test_add_func ("/bus/options/refuses-the-rest", test_refused);
  g_test_add_func ("/bus/options/none-known", test_none_known);
  g_test_add_func ("/bus/options/cuts-long-names", test_long_name);
  g_test_add_func ("/bus/error-gate/own-errors-pass", test_own_errors_pass);
  g_test_add_func ("/bus/error-gate/errors-of-gio", test_io_errors);
  g_test_add_func ("/bus/error-gate/other-domains", test_foreign_errors);
  return g_test_run ();
}
