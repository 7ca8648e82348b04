/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-certificate-request.h"

#include "common/dps-error.h"
#include "dps/dps-certificate.h"
#include "store/dps-openssl.h"

#include <openssl/x509.h>
#include <string.h>

#define DIGEST_SIZE 48u

G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_REQ, X509_REQ_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_ALGOR, X509_ALGOR_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ASN1_BIT_STRING, ASN1_BIT_STRING_free)

static gboolean
check_name (const char *registration_id, GError **error)
{
  gsize length = strlen (registration_id);

  if (length <= DPS_CHAIN_COMMON_NAME_MAX)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "the registration id has %" G_GSIZE_FORMAT
               " characters, and the name in a certificate at most %u; shorten "
               "registration-id=, or set certificate-issuance=no",
               length,
               DPS_CHAIN_COMMON_NAME_MAX);
  return FALSE;
}

static gboolean
fill (X509_REQ *request, EVP_PKEY *public, const char *name, GError **error)
{
  if (X509_REQ_set_version (request, X509_REQ_VERSION_1) != 1 ||
      X509_NAME_add_entry_by_NID (X509_REQ_get_subject_name (request),
                                  NID_commonName,
                                  MBSTRING_UTF8,
                                  (const guint8 *) name,
                                  -1,
                                  -1,
                                  0) != 1 ||
      X509_REQ_set_pubkey (request, public) != 1)
    return dps_openssl_fail (error, "making a certificate request");
  return TRUE;
}

static gboolean
hash (X509_REQ *request, guint8 digest[DIGEST_SIZE], GError **error)
{
  guint8 *bytes = NULL;
  int size = i2d_re_X509_REQ_tbs (request, &bytes);
  int done = size > 0 ? EVP_Digest (bytes, size, digest, NULL, EVP_sha384 (), NULL) : 0;

  OPENSSL_free (bytes);
  return done == 1 || dps_openssl_fail (error, "hashing a certificate request");
}

static gboolean
set_signature (X509_REQ *request, GBytes *signature, GError **error)
{
  g_autoptr (ASN1_BIT_STRING) bits = ASN1_BIT_STRING_new ();

  if (bits == NULL || ASN1_BIT_STRING_set (bits,
                                           (guint8 *) g_bytes_get_data (signature, NULL),
                                           (int) g_bytes_get_size (signature)) != 1)
    return dps_openssl_fail (error, "signing a certificate request");
  /* Else trailing zero bits would be cut off. */
  bits->flags &= ~(ASN1_STRING_FLAG_BITS_LEFT | 0x07);
  bits->flags |= ASN1_STRING_FLAG_BITS_LEFT;
  X509_REQ_set0_signature (request, g_steal_pointer (&bits));
  return TRUE;
}

/* By hand, and not by X509_REQ_sign(), as the private half may be out of OpenSSL's reach.
 */
static gboolean
sign (X509_REQ *request, DpsIssuedKey *key, GError **error)
{
  g_autoptr (X509_ALGOR) algorithm = X509_ALGOR_new ();
  g_autoptr (GBytes) signature = NULL;
  guint8 digest[DIGEST_SIZE];

  if (algorithm == NULL ||
      X509_ALGOR_set0 (algorithm,
                       OBJ_nid2obj (NID_ecdsa_with_SHA384),
                       V_ASN1_UNDEF,
                       NULL) != 1 ||
      X509_REQ_set1_signature_algo (request, algorithm) != 1)
    return dps_openssl_fail (error, "signing a certificate request");
  if (!hash (request, digest, error))
    return FALSE;
  signature = dps_issued_key_sign (key, "ECDSA-SHA384", digest, sizeof digest, error);
  return signature != NULL && set_signature (request, signature, error);
}

GBytes *
dps_certificate_request_new (DpsIssuedKey *key,
                             const char *registration_id,
                             GError **error)
{
  g_autoptr (X509_REQ) request = X509_REQ_new ();
  guint8 *bytes = NULL;
  GBytes *packed;
  int size;

  if (!check_name (registration_id, error) ||
      !fill (request, dps_issued_key_get_public (key), registration_id, error) ||
      !sign (request, key, error))
    return NULL;
  size = i2d_X509_REQ (request, &bytes);
  if (size <= 0)
    return dps_openssl_fail (error, "packing a certificate request"), NULL;
  packed = g_bytes_new (bytes, (gsize) size);
  OPENSSL_free (bytes);
  return packed;
}
