/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-attestation.h"
#include "test-pki.h"

#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509, X509_free)

static DpsCertificateChain *
make_chain (const char *common_name)
{
  g_autoptr (EVP_PKEY) key = test_pki_key ("P-256");
  TestPkiRequest request = { .name = common_name, .key = key };
  g_autoptr (X509) certificate = test_pki_certificate (&request);
  g_autofree char *pem = test_pki_pem (certificate);
  g_autoptr (GError) error = NULL;
  DpsCertificateChain *chain =
      dps_certificate_chain_new_from_pem (pem, strlen (pem), &error);

  g_assert_no_error (error);
  return chain;
}

static void
test_certificate_id (void)
{
  static const struct
  {
    const char *common_name;
    const char *configured;
    const char *id; /* NULL = refused, with: */
    DpsFailureKind kind;
  } rows[] = {
    { "edge-01", NULL, "edge-01", DPS_FAILURE_NONE },
    { "edge-01", "edge-01", "edge-01", DPS_FAILURE_NONE },
    /* dps-protocol §1.3; what is configured goes on the wire. */
    { "Edge-01", "eDGE-01", "eDGE-01", DPS_FAILURE_NONE },
    { "edge-01", "edge-02", NULL, DPS_FAILURE_X509_OTHER_ID },
    { "edge-01", "edge-011", NULL, DPS_FAILURE_X509_OTHER_ID },
    { "edge-011", "edge-01", NULL, DPS_FAILURE_X509_OTHER_ID },
    { NULL, NULL, NULL, DPS_FAILURE_X509_COMMON_NAME },
    { NULL, "edge-01", NULL, DPS_FAILURE_X509_COMMON_NAME },
    { "edge 01", NULL, NULL, DPS_FAILURE_X509_COMMON_NAME },
    { "edge/01", "edge/01", NULL, DPS_FAILURE_X509_COMMON_NAME },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (DpsCertificateChain) chain = make_chain (rows[i].common_name);
      g_autoptr (DpsFailure) failure = NULL;

      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_cmpstr (dps_attestation_choose_certificate_id (rows[i].configured,
                                                              chain,
                                                              &failure),
                       ==,
                       rows[i].id);
      g_assert_cmpint (failure != NULL ? failure->kind : DPS_FAILURE_NONE,
                       ==,
                       rows[i].kind);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/attestation/registration-id-of-a-certificate", test_certificate_id);
  return g_test_run ();
}
