/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-mechanism.h"
#include "x509-openssl.h"

#include <openssl/rsa.h>
#include <string.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define USABLE "use RSA of 2048 to 4096 bits, or EC on P-256 or P-384"

static const X509Mechanism mechanisms[] = {
  { "ECDSA-SHA256", EVP_PKEY_EC, 32, "SHA256", 0 },
  { "ECDSA-SHA384", EVP_PKEY_EC, 48, "SHA384", 0 },
  { "RSA-PSS-SHA256", EVP_PKEY_RSA, 32, "SHA256", RSA_PKCS1_PSS_PADDING },
  { "RSA-PKCS1-SHA256", EVP_PKEY_RSA, 32, "SHA256", RSA_PKCS1_PADDING },
};

const X509Mechanism *
x509_mechanism_find (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (mechanisms); i++)
    if (strcmp (mechanisms[i].name, name) == 0)
      return &mechanisms[i];
  return NULL;
}

gboolean
x509_mechanism_check (EVP_PKEY *public, const char *name, gsize size, X509Error *error)
{
  const X509Mechanism *mechanism = x509_mechanism_find (name);

  if (mechanism == NULL)
    return x509_error_set (error,
                           DPS_PLUGIN_NOT_SUPPORTED,
                           NULL,
                           "a certificate's key signs by ECDSA-SHA256, ECDSA-SHA384, "
                           "RSA-PSS-SHA256 and RSA-PKCS1-SHA256 alone");
  if (size != mechanism->size)
    return x509_error_set (error,
                           DPS_PLUGIN_INVALID_ARGUMENT,
                           NULL,
                           "%s signs a digest of %" G_GSIZE_FORMAT
                           " bytes, and %" G_GSIZE_FORMAT " were passed",
                           mechanism->name,
                           mechanism->size,
                           size);
  if (EVP_PKEY_get_base_id (public) != mechanism->kind)
    return x509_error_set (error,
                           DPS_PLUGIN_NOT_SUPPORTED,
                           NULL,
                           "the key of the certificate is of %s and does not sign by %s",
                           mechanism->kind == EVP_PKEY_EC ? "RSA" : "EC",
                           mechanism->name);
  return TRUE;
}

static gboolean
check_curve (EVP_PKEY *public, const char *where, X509Error *error)
{
  char curve[64] = "parameters of its own";

  EVP_PKEY_get_group_name (public, curve, sizeof curve, NULL);
  if (strcmp (curve, "prime256v1") == 0 || strcmp (curve, "secp384r1") == 0)
    return TRUE;
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_KEY,
                         "the key of %s is EC on %s; " USABLE,
                         where,
                         curve);
}

gboolean
x509_mechanism_check_key (EVP_PKEY *public, const char *where, X509Error *error)
{
  int bits = public != NULL ? EVP_PKEY_get_bits (public) : 0;
  const char *kind = public != NULL ? EVP_PKEY_get0_type_name (public) : NULL;

  switch (public != NULL ? EVP_PKEY_get_base_id (public) : EVP_PKEY_NONE)
    {
    case EVP_PKEY_EC:
      return check_curve (public, where, error);
    case EVP_PKEY_RSA:
      if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
        return TRUE;
      return x509_error_set (error,
                             DPS_PLUGIN_INVALID_ARGUMENT,
                             X509_CAUSE_KEY,
                             "the key of %s is RSA of %d bits; " USABLE,
                             where,
                             bits);
    default:
      return x509_error_set (error,
                             DPS_PLUGIN_INVALID_ARGUMENT,
                             X509_CAUSE_KEY,
                             "the key of %s is of a kind that is not supported "
                             "(%s); " USABLE,
                             where,
                             kind != NULL ? kind : "unknown");
    }
}

static gboolean
prepare (EVP_PKEY_CTX *context, const X509Mechanism *mechanism)
{
  return EVP_PKEY_sign_init (context) > 0 &&
         (mechanism->padding == 0 ||
          EVP_PKEY_CTX_set_rsa_padding (context, mechanism->padding) > 0) &&
         EVP_PKEY_CTX_set_signature_md (context,
                                        EVP_get_digestbyname (mechanism->digest)) > 0 &&
         (mechanism->padding != RSA_PKCS1_PSS_PADDING ||
          EVP_PKEY_CTX_set_rsa_pss_saltlen (context, RSA_PSS_SALTLEN_DIGEST) > 0);
}

GBytes *
x509_mechanism_sign (EVP_PKEY *key,
                     const char *name,
                     const guint8 *digest,
                     gsize size,
                     X509Error *error)
{
  const X509Mechanism *mechanism = x509_mechanism_find (name);
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new (key, NULL);
  guint8 signature[DPS_PLUGIN_SIGNATURE_MAX];
  size_t used = sizeof signature;

  if (mechanism != NULL && context != NULL && prepare (context, mechanism) &&
      EVP_PKEY_sign (context, signature, &used, digest, size) > 0)
    return g_bytes_new (signature, used);
  x509_error_set (error,
                  DPS_PLUGIN_FAILED,
                  X509_CAUSE_FAILED,
                  "the private key that key= in [plugin x509] names does not sign by %s",
                  name);
  return NULL;
}
