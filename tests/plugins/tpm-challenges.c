/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm-challenges.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

void
place_key (TpmFixture *f,
           ESYS_TR hierarchy,
           const TPM2B_PUBLIC *template,
           TPM2_HANDLE handle,
           const char *password,
           TPM2B_NAME *name)
{
  TPM2B_SENSITIVE_CREATE sensitive = { 0 };
  const TPM2B_DATA outside = { 0 };
  const TPML_PCR_SELECTION pcrs = { 0 };
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { .transient = TRUE };
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);
  TPM2B_PUBLIC *public = NULL;

  if (password != NULL)
    {
      sensitive.sensitive.userAuth.size = (UINT16) strlen (password);
      memcpy (sensitive.sensitive.userAuth.buffer, password, strlen (password));
    }
  g_assert_cmphex (Esys_CreatePrimary (dps_tpm_get_esys (tpm),
                                       hierarchy,
                                       ESYS_TR_PASSWORD,
                                       ESYS_TR_NONE,
                                       ESYS_TR_NONE,
                                       &sensitive,
                                       template,
                                       &outside,
                                       &pcrs,
                                       &key.tr,
                                       &public,
                                       NULL,
                                       NULL,
                                       NULL),
                   ==,
                   TSS2_RC_SUCCESS);
  Esys_Free (public);
  g_assert_true (dps_tpm_persist (tpm, &key, handle, &error));
  g_assert_no_error (error);
  dps_tpm_flush (tpm, &key.tr);
  tpm_fixture_close (tpm, &fd);
  if (name != NULL)
    g_assert_true (read_name (f, handle, name));
}

void
place_keys (TpmFixture *f)
{
  place_key (f,
             ESYS_TR_RH_ENDORSEMENT,
             dps_tpm_template_ek (FALSE),
             DPS_TPM_HANDLE_EK,
             NULL,
             NULL);
  place_key (f,
             ESYS_TR_RH_OWNER,
             dps_tpm_template_rsa_srk (),
             DPS_TPM_HANDLE_SRK,
             NULL,
             NULL);
}

gboolean
read_name (TpmFixture *f, TPM2_HANDLE handle, TPM2B_NAME *name)
{
  g_autoptr (GError) error = NULL;
  DpsTpmKey key = { 0 };
  gboolean found;
  int fd;
  DpsTpm *tpm = tpm_fixture_open (f, &fd);

  g_assert_true (dps_tpm_read_key (tpm, handle, &key, &found, &error));
  g_assert_no_error (error);
  *name = key.name;
  dps_tpm_drop_key (tpm, &key);
  tpm_fixture_close (tpm, &fd);
  return found;
}

static void
read_public (const TPM2B_PUBLIC *public, EmTpmPublic *out)
{
  guint8 data[sizeof (TPM2B_PUBLIC)];
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  size_t size = 0;

  g_assert_cmphex (Tss2_MU_TPM2B_PUBLIC_Marshal (public, data, sizeof data, &size),
                   ==,
                   TSS2_RC_SUCCESS);
  bytes = g_bytes_new (data, size);
  g_assert_true (em_tpm_public_parse (bytes, out, &error));
  g_assert_no_error (error);
}

static EmTpmBlob *
make_with (const TPM2B_PUBLIC *ek, const TPM2B_PUBLIC *srk, const EmTpmSecrets *secrets)
{
  EmTpmPublic em_ek, em_srk;
  g_autoptr (GError) error = NULL;
  EmTpmBlob *blob;

  read_public (ek, &em_ek);
  read_public (srk, &em_srk);
  blob = em_tpm_blob_new (&em_ek, &em_srk, secrets, "contoso", &error);
  g_assert_no_error (error);
  return blob;
}

EmTpmBlob *
make_challenge (const TPM2B_PUBLIC *ek,
                const TPM2B_PUBLIC *srk,
                guint8 key[EM_TPM_DIGEST_LEN])
{
  g_auto (EmTpmSecrets) secrets = { 0 };

  em_tpm_secrets_make (&secrets, EM_TPM_DIGEST_LEN);
  memcpy (key, secrets.key, EM_TPM_DIGEST_LEN);
  return make_with (ek, srk, &secrets);
}

static void
write_all (int fd, const void *data, gsize size)
{
  g_assert_cmpint (write (fd, data, size), ==, (gssize) size);
}

static void
make_in_child (int fd, const TPM2B_PUBLIC *ek, const TPM2B_PUBLIC *srk)
{
  EmTpmSecrets secrets = { 0 };
  g_autoptr (EmTpmBlob) blob = NULL;
  g_autoptr (GBytes) bytes = NULL;

  em_tpm_secrets_make (&secrets, EM_TPM_DIGEST_LEN);
  blob = make_with (ek, srk, &secrets);
  bytes = em_tpm_blob_join (blob);
  masked_apply (secrets.inner_key, sizeof secrets.inner_key);
  write_all (fd, secrets.inner_key, sizeof secrets.inner_key);
  write_all (fd, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

GBytes *
make_challenge_apart (const TPM2B_PUBLIC *ek, const TPM2B_PUBLIC *srk, Masked *inner_key)
{
  guint8 answer[4096];
  gsize size = 0;
  gssize got;
  int ends[2], status;
  pid_t child;

  g_assert_no_errno (pipe2 (ends, O_CLOEXEC));
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      make_in_child (ends[1], ek, srk);
      _exit (0);
    }
  close (ends[1]);
  while ((got = read (ends[0], answer + size, sizeof answer - size)) > 0)
    size += (gsize) got;
  close (ends[0]);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  inner_key->size = EM_TPM_CIPHER_KEY_LEN;
  g_assert_cmpuint (size, >, inner_key->size);
  memcpy (inner_key->bytes, answer, inner_key->size);
  return g_bytes_new (answer + inner_key->size, size - inner_key->size);
}

void
assert_hmac (const guint8 key[EM_TPM_DIGEST_LEN],
             const void *data,
             gsize size,
             const void *hmac,
             gsize hmac_size)
{
  g_autoptr (GHmac) wanted = g_hmac_new (G_CHECKSUM_SHA256, key, EM_TPM_DIGEST_LEN);
  guint8 digest[EM_TPM_DIGEST_LEN];
  gsize length = sizeof digest;

  g_hmac_update (wanted, data, (gssize) size);
  g_hmac_get_digest (wanted, digest, &length);
  g_assert_cmpmem (hmac, hmac_size, digest, length);
}
