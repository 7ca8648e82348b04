/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-enrollment.h"

#include <openssl/evp.h>

char *
x509_enrollment_text (const X509Chain *chain)
{
  const char *id = x509_chain_get_common_name (chain);
  g_autofree char *subject = x509_chain_dup_subject (chain);
  g_autofree char *issuer = x509_chain_dup_issuer (chain);
  g_autofree char *sha1 = x509_chain_dup_thumbprint (chain, EVP_sha1 ());
  g_autofree char *sha256 = x509_chain_dup_thumbprint (chain, EVP_sha256 ());
  g_autofree char *validity = x509_chain_dup_validity (chain);

  return g_strdup_printf (
      "individual enrollment or enrollment group, X.509\n"
      "registration id: %s\n"
      "subject: %s\n"
      "issuer: %s\n"
      "thumbprint, SHA-1: %s\n"
      "thumbprint, SHA-256: %s\n"
      "valid: %s\n"
      "for itself: az iot dps enrollment create --enrollment-id %s --attestation-type "
      "x509 --certificate-path CERTIFICATE.pem, which has this certificate alone\n"
      "in a group: az iot dps enrollment-group create --enrollment-id GROUP "
      "--certificate-path AUTHORITY.pem, which has one that issued this certificate",
      id,
      subject,
      issuer,
      sha1,
      sha256,
      validity,
      id);
}
