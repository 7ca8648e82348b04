/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "target.h"

#include "common/dps-error.h"
#include "dps/dps-certificate.h"

#include <string.h>

/* First byte: p a chain as PEM, d one certificate as DER. What is taken is within its
 * bounds and, written and read again, the same. */

static void
check_again (DpsCertificateChain *chain)
{
  g_autofree char *pem = dps_certificate_chain_to_pem (chain);
  g_autofree char *pem_again = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsCertificateChain) again = NULL;

  g_assert_cmpuint (strlen (pem), <=, DPS_CHAIN_PEM_MAX);
  again = dps_certificate_chain_new_from_pem (pem, strlen (pem), &error);
  g_assert_no_error (error);
  pem_again = dps_certificate_chain_to_pem (again);
  g_assert_cmpstr (pem_again, ==, pem);
  g_assert_cmpstr (dps_certificate_chain_get_common_name (again),
                   ==,
                   dps_certificate_chain_get_common_name (chain));
}

static void
check (DpsCertificateChain *chain, const GError *error)
{
  const char *name;

  if (chain == NULL)
    {
      g_assert_nonnull (error);
      g_assert_true (error->domain == DPS_ERROR &&
                     (error->code == DPS_ERROR_INVALID_ARGUMENT ||
                      error->code == DPS_ERROR_LIMITS_EXCEEDED));
      return;
    }
  name = dps_certificate_chain_get_common_name (chain);
  g_assert_true (name == NULL || (name[0] != '\0' && g_utf8_validate (name, -1, NULL) &&
                                  g_utf8_strlen (name, -1) <= DPS_CHAIN_COMMON_NAME_MAX));
  g_assert_cmpint (sk_X509_num (dps_certificate_chain_get_certificates (chain)),
                   <=,
                   DPS_CHAIN_CERTIFICATES_MAX);
  g_assert_cmpint (dps_certificate_chain_get_not_before (chain),
                   <=,
                   dps_certificate_chain_get_not_after (chain));
  dps_certificate_chain_links (chain, NULL);
  check_again (chain);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (DpsCertificateChain) chain = NULL;
  g_autoptr (GPtrArray) list =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GError) error = NULL;

  if (size == 0)
    return 0;
  g_ptr_array_add (list, g_bytes_new (data + 1, size - 1));
  if (data[0] == 'p')
    chain =
        dps_certificate_chain_new_from_pem ((const char *) data + 1, size - 1, &error);
  else
    chain = dps_certificate_chain_new_from_der (list, &error);
  check (chain, error);
  return 0;
}
