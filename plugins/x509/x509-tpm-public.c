/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-tpm-public.h"
#include "x509-mechanism.h"
#include "x509-openssl.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>

#define RSA_DEFAULT_EXPONENT 65537
#define POINT_MAX (1 + 2 * TPM2_MAX_ECC_KEY_BYTES)

G_DEFINE_AUTOPTR_CLEANUP_FUNC (OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (OSSL_PARAM, OSSL_PARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIGNUM, BN_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ECDSA_SIG, ECDSA_SIG_free)

static gboolean
refuse (X509Error *error, const char *where, const char *text)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_TPM_KEY,
                         "the key of %s %s",
                         where,
                         text);
}

static EVP_PKEY *
from_params (const char *kind, OSSL_PARAM_BLD *builder)
{
  g_autoptr (OSSL_PARAM) params = OSSL_PARAM_BLD_to_param (builder);
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_name (NULL, kind, NULL);
  EVP_PKEY *key = NULL;

  if (params != NULL && context != NULL && EVP_PKEY_fromdata_init (context) > 0)
    EVP_PKEY_fromdata (context, &key, EVP_PKEY_PUBLIC_KEY, params);
  return key;
}

static EVP_PKEY *
convert_rsa (const TPMT_PUBLIC *area)
{
  const TPM2B_PUBLIC_KEY_RSA *modulus = &area->unique.rsa;
  guint32 exponent = area->parameters.rsaDetail.exponent;
  g_autoptr (BIGNUM) n = BN_bin2bn (modulus->buffer, modulus->size, NULL);
  g_autoptr (OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new ();

  if (n == NULL || builder == NULL ||
      !OSSL_PARAM_BLD_push_BN (builder, OSSL_PKEY_PARAM_RSA_N, n) ||
      !OSSL_PARAM_BLD_push_uint32 (builder,
                                   OSSL_PKEY_PARAM_RSA_E,
                                   exponent != 0 ? exponent : RSA_DEFAULT_EXPONENT))
    return NULL;
  return from_params ("RSA", builder);
}

/* Uncompressed; a TPM may leave leading zeros out. */
static gsize
put_point (const TPMS_ECC_POINT *from, gsize size, guint8 point[POINT_MAX])
{
  if (from->x.size > size || from->y.size > size)
    return 0;
  memset (point, 0, POINT_MAX);
  point[0] = POINT_CONVERSION_UNCOMPRESSED;
  memcpy (point + 1 + size - from->x.size, from->x.buffer, from->x.size);
  memcpy (point + 1 + 2 * size - from->y.size, from->y.buffer, from->y.size);
  return 1 + 2 * size;
}

static EVP_PKEY *
convert_ec (const TPMT_PUBLIC *area)
{
  TPM2_ECC_CURVE curve = area->parameters.eccDetail.curveID;
  g_autoptr (OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new ();
  const char *group = curve == TPM2_ECC_NIST_P256   ? "prime256v1"
                      : curve == TPM2_ECC_NIST_P384 ? "secp384r1"
                                                    : NULL;
  guint8 point[POINT_MAX];
  gsize size =
      put_point (&area->unique.ecc, curve == TPM2_ECC_NIST_P256 ? 32 : 48, point);

  if (builder == NULL || group == NULL || size == 0 ||
      !OSSL_PARAM_BLD_push_utf8_string (builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) ||
      !OSSL_PARAM_BLD_push_octet_string (builder, OSSL_PKEY_PARAM_PUB_KEY, point, size))
    return NULL;
  return from_params ("EC", builder);
}

static gboolean
check_attributes (TPMA_OBJECT attributes, const char *where, X509Error *error)
{
  if ((attributes & TPMA_OBJECT_SIGN_ENCRYPT) == 0)
    return refuse (error, where, "does not sign; make one with the attribute sign");
  if ((attributes & TPMA_OBJECT_RESTRICTED) != 0)
    return refuse (error,
                   where,
                   "is restricted to what the TPM itself has hashed, and signs no TLS "
                   "handshake; make one without the attribute restricted");
  if ((attributes & TPMA_OBJECT_USERWITHAUTH) == 0)
    return refuse (error,
                   where,
                   "asks for a policy, which is not supported; make one with the "
                   "attribute userwithauth");
  return TRUE;
}

EVP_PKEY *
x509_tpm_public_convert (const TPM2B_PUBLIC *public, const char *where, X509Error *error)
{
  const TPMT_PUBLIC *area = &public->publicArea;
  g_autoptr (EVP_PKEY) key = NULL;

  if (!check_attributes (area->objectAttributes, where, error))
    return NULL;
  if (area->type == TPM2_ALG_RSA)
    key = convert_rsa (area);
  else if (area->type == TPM2_ALG_ECC)
    key = convert_ec (area);
  if (key == NULL)
    return refuse (error,
                   where,
                   "is neither RSA nor EC on P-256 or P-384, or is damaged; make one of "
                   "these"),
           NULL;
  return x509_mechanism_check_key (key, where, error) ? g_steal_pointer (&key) : NULL;
}

static GBytes *
convert_ecdsa (const TPMS_SIGNATURE_ECC *from)
{
  g_autoptr (ECDSA_SIG) signature = ECDSA_SIG_new ();
  BIGNUM *r = BN_bin2bn (from->signatureR.buffer, from->signatureR.size, NULL);
  BIGNUM *s = BN_bin2bn (from->signatureS.buffer, from->signatureS.size, NULL);
  guint8 der[DPS_PLUGIN_SIGNATURE_MAX], *p = der;
  int size;

  if (signature == NULL || r == NULL || s == NULL || !ECDSA_SIG_set0 (signature, r, s))
    {
      BN_free (r);
      BN_free (s);
      return NULL;
    }
  size = i2d_ECDSA_SIG (signature, NULL);
  if (size <= 0 || (gsize) size > sizeof der || i2d_ECDSA_SIG (signature, &p) != size)
    return NULL;
  return g_bytes_new (der, (gsize) size);
}

GBytes *
x509_tpm_signature_convert (const TPMT_SIGNATURE *signature)
{
  switch (signature->sigAlg)
    {
    case TPM2_ALG_ECDSA:
      return convert_ecdsa (&signature->signature.ecdsa);
    case TPM2_ALG_RSASSA:
    case TPM2_ALG_RSAPSS:
      return g_bytes_new (signature->signature.rsassa.sig.buffer,
                          signature->signature.rsassa.sig.size);
    default:
      return NULL;
    }
}
