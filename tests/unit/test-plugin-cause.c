/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-error.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-plugin-reply.h"
#include "core/dps-tpm-failure.h"
#include "x509-error.h"

#include <gio/gio.h>

#define P "plugin tpm: "

static void
test_word (void)
{
  static const struct
  {
    const char *message;
    const char *word; /* NULL = none */
    const char *rest;
  } rows[] = {
    { P "[tpm-lockout] sign: wait", "tpm-lockout", P "sign: wait" },
    { P "[0-9-az] sign: wait", "0-9-az", P "sign: wait" },
    { P "[a] [b] sign", "a", P "[b] sign" },
    { P "[abcdefghijklmnopqrstuvwxyz012345] x",
      "abcdefghijklmnopqrstuvwxyz012345",
      P "x" },
    { P "[abcdefghijklmnopqrstuvwxyz0123456] x",
      NULL,
      P "[abcdefghijklmnopqrstuvwxyz0123456] x" },
    { P "sign: [tpm-lockout] of its own", NULL, P "sign: [tpm-lockout] of its own" },
    { P "[Tpm] sign", NULL, P "[Tpm] sign" },
    { P "[tpm_x] sign", NULL, P "[tpm_x] sign" },
    { P "[] sign", NULL, P "[] sign" },
    { P "[tpm-lockout]sign", NULL, P "[tpm-lockout]sign" },
    { P "[tpm-lockout", NULL, P "[tpm-lockout" },
    { P "[tpm-lockout] ", "tpm-lockout", P },
    { P, NULL, P },
    { "[tpm-lockout] sign", NULL, "[tpm-lockout] sign" },
    { "cancelled", NULL, "cancelled" },
    { "", NULL, "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error =
          g_error_new_literal (DPS_ERROR, DPS_ERROR_FAILED, rows[i].message);
      g_autofree char *word = dps_plugin_reply_take_cause (error);

      g_assert_cmpstr (word, ==, rows[i].word);
      g_assert_cmpstr (error->message, ==, rows[i].rest);
    }
}

static void
test_every_word_of_the_tpm (void)
{
  for (int code = 0; code < DPS_TPM_N_ERRORS; code++)
    {
      g_autoptr (GError) said = g_error_new (DPS_ERROR,
                                             DPS_ERROR_REJECTED,
                                             P "[%s] sign: x",
                                             dps_tpm_error_word (code));
      g_autoptr (GError) own = g_error_new (DPS_TPM_ERROR, code, P "x");

      g_assert_cmpint (dps_plugin_cause_kind (said), ==, dps_tpm_failure_kind (code));
      g_assert_cmpstr (said->message, ==, P "sign: x");
      g_assert_cmpint (dps_plugin_cause_kind (own), ==, dps_tpm_failure_kind (code));
    }
}

/* Every word of plugins/x509 has a row of its own, which it gives for what it is. */
static void
test_every_word_of_x509 (void)
{
  static const struct
  {
    const char *word;
    const char *code;
  } rows[] = {
    { X509_CAUSE_CERTIFICATE, "DPS-E231" },  { X509_CAUSE_KEY, "DPS-E232" },
    { X509_CAUSE_EXPIRED, "DPS-E234" },      { X509_CAUSE_NOT_YET_VALID, "DPS-E235" },
    { X509_CAUSE_KEY_MISMATCH, "DPS-E236" }, { X509_CAUSE_CHAIN, "DPS-E237" },
    { X509_CAUSE_COMMON_NAME, "DPS-E238" },  { X509_CAUSE_USAGE, "DPS-E239" },
    { X509_CAUSE_PASSPHRASE, "DPS-E241" },   { X509_CAUSE_PIN, "DPS-E242" },
    { X509_CAUSE_PIN_LOCKED, "DPS-E243" },   { X509_CAUSE_NO_TOKEN, "DPS-E244" },
    { X509_CAUSE_NO_KEY, "DPS-E245" },       { X509_CAUSE_MODULE, "DPS-E246" },
    { X509_CAUSE_TPM_KEY, "DPS-E247" },      { X509_CAUSE_FAILED, "DPS-E249" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = g_error_new (DPS_ERROR,
                                              DPS_ERROR_INVALID_ARGUMENT,
                                              "plugin x509: [%s] describe: x",
                                              rows[i].word);
      const DpsFailureRow *row = dps_failure_row (dps_plugin_cause_kind (error));

      g_assert_cmpstr (row->code, ==, rows[i].code);
      g_assert_cmpstr (error->message, ==, "plugin x509: describe: x");
    }
}

static void
test_without (void)
{
  static const struct
  {
    DpsError code;
    DpsFailureKind kind;
  } rows[] = {
    { DPS_ERROR_FAILED, DPS_FAILURE_PLUGIN_CRASHED },
    { DPS_ERROR_TIMED_OUT, DPS_FAILURE_PLUGIN_TIMED_OUT },
    { DPS_ERROR_BUSY, DPS_FAILURE_PLUGIN_LATER },
    { DPS_ERROR_NOT_CONFIGURED, DPS_FAILURE_PLUGIN_REFUSED },
    { DPS_ERROR_INVALID_ARGUMENT, DPS_FAILURE_PLUGIN_REFUSED },
    { DPS_ERROR_REJECTED, DPS_FAILURE_PLUGIN_UNUSABLE },
    { DPS_ERROR_NOT_SUPPORTED, DPS_FAILURE_PLUGIN_UNUSABLE },
  };
  g_autoptr (GError) cancelled =
      g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED, P "cancelled in sign");

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) plain = g_error_new (DPS_ERROR, rows[i].code, P "sign: x");
      g_autoptr (GError) unknown =
          g_error_new (DPS_ERROR, rows[i].code, P "[vendor-word] sign: x");

      g_assert_cmpint (dps_plugin_cause_kind (plain), ==, rows[i].kind);
      g_assert_cmpint (dps_plugin_cause_kind (unknown), ==, rows[i].kind);
      g_assert_cmpstr (unknown->message, ==, P "sign: x");
    }
  g_assert_cmpint (dps_plugin_cause_kind (cancelled), ==, DPS_FAILURE_CANCELLED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/cause/word", test_word);
  g_test_add_func ("/plugin/cause/tpm", test_every_word_of_the_tpm);
  g_test_add_func ("/plugin/cause/x509", test_every_word_of_x509);
  g_test_add_func ("/plugin/cause/none", test_without);
  return g_test_run ();
}
