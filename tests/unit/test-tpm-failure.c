/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-tpm-failure.h"

/* What scripts and the catalogue know, against what the plugin says. */
static const struct
{
  const char *word;
  const char *code;
} rows[] = {
  { "tpm-no-device", "DPS-E211" },
  { "tpm-permission", "DPS-E212" },
  { "tpm-raw-only", "DPS-E213" },
  { "tpm-timed-out", "DPS-E214" },
  { "tpm-lost", "DPS-E215" },
  { "tpm-cleared", "DPS-E216" },
  { "tpm-replaced", "DPS-E217" },
  { "tpm-owner-auth", "DPS-E218" },
  { "tpm-endorsement-auth", "DPS-E219" },
  { "tpm-srk-auth", "DPS-E220" },
  { "tpm-lockout", "DPS-E221" },
  { "tpm-other-ek", "DPS-E222" },
  { "tpm-other-srk", "DPS-E223" },
  { "tpm-challenge-malformed", "DPS-E224" },
  { "tpm-challenge-damaged", "DPS-E225" },
  { "tpm-busy", "DPS-E226" },
  { "tpm-memory", "DPS-E227" },
  { "tpm-nv-full", "DPS-E228" },
  { "tpm-not-supported", "DPS-E229" },
  { "tpm-failed", "DPS-E230" },
};
G_STATIC_ASSERT (G_N_ELEMENTS (rows) == DPS_TPM_N_ERRORS);

static void
test_every_word_has_a_row (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const DpsFailureRow *row;
      DpsTpmError code;

      g_test_message ("%s", rows[i].word);
      g_assert_true (dps_tpm_error_from_word (rows[i].word, &code));
      row = dps_failure_row (dps_tpm_failure_kind (code));
      g_assert_cmpstr (row->code, ==, rows[i].code);
      g_assert_cmpstr (row->phase, ==, "attestation");
    }
}

static void
test_no_code (void)
{
  g_assert_cmpint (dps_tpm_failure_kind (DPS_TPM_N_ERRORS), ==, DPS_FAILURE_TPM_FAILED);
  g_assert_cmpint (dps_tpm_failure_kind ((DpsTpmError) -1), ==, DPS_FAILURE_TPM_FAILED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tpm-failure/every-word-has-a-row", test_every_word_has_a_row);
  g_test_add_func ("/tpm-failure/a-number-that-is-no-code", test_no_code);
  return g_test_run ();
}
