/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-signature.h"
#include "x509-mechanism.h"
#include "x509-openssl.h"

#include <openssl/rsa.h>

static gboolean
prepare (EVP_PKEY_CTX *context, const X509Mechanism *mechanism)
{
  return EVP_PKEY_verify_init (context) > 0 &&
         (mechanism->padding == 0 ||
          EVP_PKEY_CTX_set_rsa_padding (context, mechanism->padding) > 0) &&
         EVP_PKEY_CTX_set_signature_md (context,
                                        EVP_get_digestbyname (mechanism->digest)) > 0 &&
         (mechanism->padding != RSA_PKCS1_PSS_PADDING ||
          EVP_PKEY_CTX_set_rsa_pss_saltlen (context, RSA_PSS_SALTLEN_DIGEST) > 0);
}

gboolean
x509_signature_check (EVP_PKEY *public,
                      const char *mechanism,
                      const guint8 *digest,
                      gsize size,
                      const guint8 *signature,
                      gsize signature_size,
                      X509Error *error)
{
  const X509Mechanism *by = x509_mechanism_find (mechanism);
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new (public, NULL);

  if (by != NULL && context != NULL && prepare (context, by) &&
      EVP_PKEY_verify (context, signature, signature_size, digest, size) > 0)
    return TRUE;
  return x509_error_set (error,
                         DPS_PLUGIN_FAILED,
                         X509_CAUSE_FAILED,
                         "what the device signs by %s is no signature of its key",
                         mechanism);
}
