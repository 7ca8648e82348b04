/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-tcti.h"
#include "tpm/dps-tpm.h"

#include <string.h>
#include <sys/socket.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

static void
test_base (void)
{
  static const struct
  {
    TSS2_RC rc;
    TPM2_RC base;
  } rows[] = {
    { 0x1df, 0x09f },   /* integrity, parameter 1 */
    { 0x09f, 0x09f },   /* of nothing in particular */
    { 0x98e, 0x08e },   /* auth fail, session 1 */
    { 0x9a2, 0x0a2 },   /* bad auth, session 1 */
    { 0x18b, 0x08b },   /* handle, handle 1 */
    { 0x3d5, 0x095 },   /* size, parameter 3 */
    { 0xa9d, 0x09d },   /* policy fail, session 2 */
    { 0x921, 0x921 },   /* lockout */
    { 0x14b, 0x14b },   /* nv space */
    { 0x101, 0x101 },   /* failure */
    { 0xb0143, 0x143 }, /* the kernel's resource manager */
    { 0xb018b, 0x08b },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmphex (dps_tpm_rc_base (rows[i].rc), ==, rows[i].base);
}

static void
test_check (void)
{
  static const struct
  {
    TSS2_RC rc;
    DpsTpmAuth auth;
    DpsTpmError code;
  } rows[] = {
    { 0x98e, DPS_TPM_AUTH_OWNER, DPS_TPM_ERROR_OWNER_AUTH },
    { 0x9a2, DPS_TPM_AUTH_OWNER, DPS_TPM_ERROR_OWNER_AUTH },
    { 0x9a2, DPS_TPM_AUTH_ENDORSEMENT, DPS_TPM_ERROR_ENDORSEMENT_AUTH },
    { 0x98e, DPS_TPM_AUTH_SRK, DPS_TPM_ERROR_SRK_AUTH },
    { 0x98e, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_FAILED },
    { 0x921, DPS_TPM_AUTH_SRK, DPS_TPM_ERROR_LOCKOUT },
    { 0x922, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_BUSY },
    { 0x920, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_BUSY },
    { 0x923, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_BUSY },
    { 0x90a, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_BUSY },
    { 0x908, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_BUSY },
    { 0x902, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_MEMORY },
    { 0x903, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_MEMORY },
    { 0x904, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_MEMORY },
    { 0x905, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_MEMORY },
    { 0x906, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_MEMORY },
    { 0x901, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_MEMORY },
    { 0x14b, DPS_TPM_AUTH_OWNER, DPS_TPM_ERROR_NV_FULL },
    { 0x14c, DPS_TPM_AUTH_OWNER, DPS_TPM_ERROR_FAILED }, /* handle in use */
    { 0x143, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_NOT_SUPPORTED },
    { 0xb0143, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_NOT_SUPPORTED },
    { 0x2e6, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_NOT_SUPPORTED }, /* curve */
    { 0x2c1, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_NOT_SUPPORTED }, /* asymmetric */
    { 0x1df, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_FAILED },
    { 0x101, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_FAILED },
    { 0x18b, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_FAILED },
    { DPS_TPM_TCTI_RC_TIMED_OUT, DPS_TPM_AUTH_OWNER, DPS_TPM_ERROR_TIMED_OUT },
    { TSS2_TCTI_RC_IO_ERROR, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_LOST },
    { TSS2_TCTI_RC_MALFORMED_RESPONSE, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_LOST },
    { TSS2_TCTI_RC_INSUFFICIENT_BUFFER, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_LOST },
    { TSS2_SYS_RC_MALFORMED_RESPONSE, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_LOST },
    { TSS2_ESYS_RC_RSP_AUTH_FAILED, DPS_TPM_AUTH_OWNER, DPS_TPM_ERROR_LOST },
    { TSS2_ESYS_RC_NOT_IMPLEMENTED, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_NOT_SUPPORTED },
    { TSS2_ESYS_RC_BAD_SEQUENCE, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_FAILED },
    { TSS2_ESYS_RC_MEMORY, DPS_TPM_AUTH_NONE, DPS_TPM_ERROR_FAILED },
  };

  g_assert_true (dps_tpm_check (TSS2_RC_SUCCESS, DPS_TPM_AUTH_OWNER, "x", NULL));
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *code = g_strdup_printf ("0x%03x", rows[i].rc);

      g_assert_false (dps_tpm_check (rows[i].rc, rows[i].auth, "digging", &error));
      if (!g_error_matches (error, DPS_TPM_ERROR, (int) rows[i].code))
        g_error ("row %u: %s", i, error->message);
      g_assert_true (g_str_has_prefix (error->message, "digging: "));
      g_assert_nonnull (strstr (error->message, code));
    }
}

static void
test_words (void)
{
  for (guint i = 0; i < DPS_TPM_N_ERRORS; i++)
    {
      DpsTpmError code = DPS_TPM_N_ERRORS;

      g_assert_true (
          dps_tpm_error_from_word (dps_tpm_error_word ((DpsTpmError) i), &code));
      g_assert_cmpuint (code, ==, i);
    }
  g_assert_false (dps_tpm_error_from_word ("tpm-", &(DpsTpmError){ 0 }));
  g_assert_false (dps_tpm_error_from_word ("", &(DpsTpmError){ 0 }));
}

/* The marshalled templates; what a key is made from must never change. */
static void
test_templates (void)
{
  static const struct
  {
    const TPM2B_PUBLIC *(*get) (void);
    int legacy; /* -1: no endorsement key */
    const char *begin;
    gsize zeros;
    const char *end;
  } rows[] = {
#define EK_BEGIN                                                                         \
  "0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa" \
  "00060080004300100800000000000"
    { NULL, FALSE, EK_BEGIN "100", 256, "" },
    { NULL, TRUE, EK_BEGIN "000", 0, "" },
    { dps_tpm_template_rsa_srk,
      -1,
      "0001000b00030472000000060080004300100800000000000100",
      256,
      "" },
    { dps_tpm_template_ecc_srk,
      -1,
      "0023000b00030472000000060080004300100003"
      "00100020",
      32,
      "00200000000000000000000000000000000000000000000000000000000000000000" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const TPM2B_PUBLIC *public =
          rows[i].legacy >= 0 ? dps_tpm_template_ek (rows[i].legacy) : rows[i].get ();
      g_autoptr (GString) hex = g_string_new (NULL);
      g_autoptr (GString) wanted = g_string_new (rows[i].begin);
      guint8 data[sizeof (TPMT_PUBLIC)];
      gsize size = 0;

      g_assert_cmphex (Tss2_MU_TPMT_PUBLIC_Marshal (&public->publicArea,
                                                    data,
                                                    sizeof data,
                                                    &size),
                       ==,
                       TSS2_RC_SUCCESS);
      for (gsize j = 0; j < size; j++)
        g_string_append_printf (hex, "%02x", data[j]);
      for (gsize j = 0; j < rows[i].zeros; j++)
        g_string_append (wanted, "00");
      g_string_append (wanted, rows[i].end);
      g_assert_cmpstr (hex->str, ==, wanted->str);
    }
}

static void
test_parents (void)
{
  TPM2B_PUBLIC key = *dps_tpm_template_rsa_srk ();
  TPMT_PUBLIC *area = &key.publicArea;

  g_assert_true (dps_tpm_is_dps_parent (&key));
  area->objectAttributes &= ~(TPMA_OBJECT_NODA | TPMA_OBJECT_FIXEDPARENT);
  area->parameters.rsaDetail.exponent = 65537;
  g_assert_true (dps_tpm_is_dps_parent (&key));
  g_assert_false (dps_tpm_is_unguarded (&key));

#define BREAK(statement, storage)                                                        \
  key = *dps_tpm_template_rsa_srk ();                                                    \
  statement;                                                                             \
  g_assert_false (dps_tpm_is_dps_parent (&key));                                         \
  g_assert_cmpint (dps_tpm_is_storage_parent (&key), ==, storage)

  BREAK (area->nameAlg = TPM2_ALG_SHA384, TRUE);
  BREAK (area->parameters.rsaDetail.keyBits = 3072, TRUE);
  BREAK (area->parameters.rsaDetail.symmetric.keyBits.aes = 256, TRUE);
  BREAK (area->parameters.rsaDetail.symmetric.mode.aes = TPM2_ALG_OFB, TRUE);
  BREAK (area->parameters.rsaDetail.symmetric.algorithm = TPM2_ALG_NULL, FALSE);
  BREAK (area->objectAttributes &= ~TPMA_OBJECT_RESTRICTED, FALSE);
  BREAK (area->objectAttributes &= ~TPMA_OBJECT_DECRYPT, FALSE);
  BREAK (area->objectAttributes |= TPMA_OBJECT_SIGN_ENCRYPT, FALSE);
  BREAK (key = *dps_tpm_template_ecc_srk (), TRUE);
  BREAK (area->type = TPM2_ALG_KEYEDHASH, FALSE);
#undef BREAK
  g_assert_true (dps_tpm_is_unguarded (dps_tpm_template_ecc_srk ()));
}

static gpointer
answer_read_public (gpointer data)
{
  int peer = *(int *) data;
  guint8 command[14];
  guint8 response[1024] = { 0x80, 0x01 };
  gsize size = 10;
  TPM2B_NAME name = { .size = 34, .name = { 0, TPM2_ALG_SHA256, 1 } };

  g_assert_cmpint (recv (peer, command, sizeof command, MSG_WAITALL),
                   ==,
                   (gssize) sizeof command);
  Tss2_MU_TPM2B_PUBLIC_Marshal (dps_tpm_template_rsa_srk (),
                                response,
                                sizeof response,
                                &size);
  Tss2_MU_TPM2B_NAME_Marshal (&name, response, sizeof response, &size);
  Tss2_MU_TPM2B_NAME_Marshal (&name, response, sizeof response, &size);
  response[4] = (guint8) (size >> 8);
  response[5] = (guint8) size;
  g_assert_cmpint (send (peer, response, size, MSG_NOSIGNAL), ==, (gssize) size);
  return NULL;
}

/* A Name is what a key is pinned by: one that is not the public area's is no answer. */
static void
test_lying_name (void)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };
  GThread *thread;
  gboolean found;
  DpsTpm *tpm;
  int fds[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  tpm = dps_tpm_new (fds[0], &error);
  g_assert_no_error (error);
  thread = g_thread_new ("peer", answer_read_public, &fds[1]);
  g_assert_false (dps_tpm_read_key (tpm, DPS_TPM_HANDLE_SRK, &key, &found, &error));
  g_assert_error (error, DPS_TPM_ERROR, DPS_TPM_ERROR_LOST);
  g_thread_join (thread);
  dps_tpm_free (tpm);
  close (fds[0]);
  close (fds[1]);
}

int
main (int argc, char **argv)
{
  g_setenv ("TSS2_LOG", "all+none", FALSE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tpm/check/base", test_base);
  g_test_add_func ("/tpm/check/codes", test_check);
  g_test_add_func ("/tpm/error/words", test_words);
  g_test_add_func ("/tpm/key/templates", test_templates);
  g_test_add_func ("/tpm/key/parents", test_parents);
  g_test_add_func ("/tpm/key/name-must-fit", test_lying_name);
  return g_test_run ();
}
