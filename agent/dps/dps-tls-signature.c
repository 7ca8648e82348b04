/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-tls-signature.h"

#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/proverr.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

typedef struct
{
  DpsTlsRemoteKey *key;
  const EVP_MD *hash;
  gboolean pss;
  EVP_MD_CTX *digest; /* of digest_sign_* alone */
} Signature;

static void *
signature_new (void *provider, const char *properties)
{
  return g_new0 (Signature, 1);
}

static void
signature_free (void *context)
{
  Signature *self = context;

  if (self == NULL)
    return;
  dps_tls_remote_key_unref (self->key);
  EVP_MD_CTX_free (self->digest);
  g_free (self);
}

static void *
signature_dup (void *context)
{
  Signature *self = context;
  Signature *copy = g_new0 (Signature, 1);

  copy->key = self->key != NULL ? dps_tls_remote_key_ref (self->key) : NULL;
  copy->hash = self->hash;
  copy->pss = self->pss;
  if (self->digest == NULL)
    return copy;
  copy->digest = EVP_MD_CTX_new ();
  if (copy->digest != NULL && EVP_MD_CTX_copy_ex (copy->digest, self->digest) == 1)
    return copy;
  signature_free (copy);
  return NULL;
}

/* ---- parameters ---- */

static int
refuse (int reason)
{
  ERR_raise (ERR_LIB_PROV, reason);
  return 0;
}

/* RSA signs SHA-256 alone: there is no mechanism for more. */
static int
set_hash (Signature *self, const char *name)
{
  if (g_ascii_strcasecmp (name, "SHA256") == 0 ||
      g_ascii_strcasecmp (name, "SHA2-256") == 0)
    self->hash = EVP_sha256 ();
  else if (!dps_tls_remote_key_is_rsa (self->key) &&
           (g_ascii_strcasecmp (name, "SHA384") == 0 ||
            g_ascii_strcasecmp (name, "SHA2-384") == 0))
    self->hash = EVP_sha384 ();
  else
    return refuse (PROV_R_INVALID_DIGEST);
  return 1;
}

/* Numbers come as numbers, or as text, or by name. */
static gboolean
param_is (const OSSL_PARAM *param, int number, const char *name)
{
  g_autofree char *digits = g_strdup_printf ("%d", number);
  const char *text = NULL;
  int value;

  if (param->data_type == OSSL_PARAM_INTEGER)
    return OSSL_PARAM_get_int (param, &value) == 1 && value == number;
  return OSSL_PARAM_get_utf8_string_ptr (param, &text) == 1 &&
         (strcmp (text, name) == 0 || strcmp (text, digits) == 0);
}

static int
set_padding (Signature *self, const OSSL_PARAM *param)
{
  self->pss = param_is (param, RSA_PKCS1_PSS_PADDING, OSSL_PKEY_RSA_PAD_MODE_PSS);
  if (self->pss || param_is (param, RSA_PKCS1_PADDING, OSSL_PKEY_RSA_PAD_MODE_PKCSV15))
    return 1;
  return refuse (PROV_R_ILLEGAL_OR_UNSUPPORTED_PADDING_MODE);
}

static int
set_rsa_params (Signature *self, const OSSL_PARAM params[])
{
  const OSSL_PARAM *param =
      OSSL_PARAM_locate_const (params, OSSL_SIGNATURE_PARAM_PAD_MODE);

  if (param != NULL && !set_padding (self, param))
    return 0;
  param = OSSL_PARAM_locate_const (params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
  if (param != NULL &&
      !param_is (param, RSA_PSS_SALTLEN_DIGEST, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) &&
      !param_is (param, 32, "32"))
    return refuse (PROV_R_INVALID_SALT_LENGTH);
  param = OSSL_PARAM_locate_const (params, OSSL_SIGNATURE_PARAM_MGF1_DIGEST);
  if (param != NULL && !param_is (param, 0, "SHA256") && !param_is (param, 0, "SHA2-256"))
    return refuse (PROV_R_INVALID_MGF1_MD);
  return 1;
}

static int
signature_set_params (void *context, const OSSL_PARAM params[])
{
  Signature *self = context;
  const OSSL_PARAM *param;
  const char *name = NULL;

  if (params == NULL)
    return 1;
  if (self->key == NULL)
    return 0;
  param = OSSL_PARAM_locate_const (params, OSSL_SIGNATURE_PARAM_DIGEST);
  if (param != NULL &&
      (OSSL_PARAM_get_utf8_string_ptr (param, &name) != 1 || !set_hash (self, name)))
    return 0;
  return !dps_tls_remote_key_is_rsa (self->key) || set_rsa_params (self, params);
}

static const OSSL_PARAM *
signature_settable (void *context, void *provider)
{
  static const OSSL_PARAM types[] = {
    OSSL_PARAM_utf8_string (OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string (OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
    OSSL_PARAM_utf8_string (OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
    OSSL_PARAM_utf8_string (OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0),
    OSSL_PARAM_END,
  };

  return types;
}

/* What X509_REQ_sign() writes beside the signature. Not for PSS, which nobody asks for
 * there. */
static int
set_algorithm (Signature *self, OSSL_PARAM *param)
{
  gboolean rsa = dps_tls_remote_key_is_rsa (self->key);
  X509_ALGOR *algorithm;
  guchar *der = NULL;
  int nid, size, done;

  if (self->hash == NULL || self->pss)
    return 0;
  if (rsa)
    nid = NID_sha256WithRSAEncryption;
  else
    nid = EVP_MD_get_type (self->hash) == NID_sha384 ? NID_ecdsa_with_SHA384
                                                     : NID_ecdsa_with_SHA256;
  algorithm = X509_ALGOR_new ();
  X509_ALGOR_set0 (algorithm, OBJ_nid2obj (nid), rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL);
  size = i2d_X509_ALGOR (algorithm, &der);
  done = size > 0 && OSSL_PARAM_set_octet_string (param, der, (size_t) size);
  OPENSSL_free (der);
  X509_ALGOR_free (algorithm);
  return done;
}

static int
signature_get_params (void *context, OSSL_PARAM params[])
{
  Signature *self = context;
  OSSL_PARAM *param = OSSL_PARAM_locate (params, OSSL_SIGNATURE_PARAM_ALGORITHM_ID);

  if (self->key == NULL || (param != NULL && !set_algorithm (self, param)))
    return 0;
  param = OSSL_PARAM_locate (params, OSSL_SIGNATURE_PARAM_DIGEST);
  return param == NULL ||
         OSSL_PARAM_set_utf8_string (param,
                                     self->hash != NULL ? EVP_MD_get0_name (self->hash)
                                                        : "");
}

static const OSSL_PARAM *
signature_gettable (void *context, void *provider)
{
  static const OSSL_PARAM types[] = {
    OSSL_PARAM_octet_string (OSSL_SIGNATURE_PARAM_ALGORITHM_ID, NULL, 0),
    OSSL_PARAM_utf8_string (OSSL_SIGNATURE_PARAM_DIGEST, NULL, 0),
    OSSL_PARAM_END,
  };

  return types;
}

/* ---- signing ---- */

static int
sign_init (void *context, void *key_data, const OSSL_PARAM params[])
{
  Signature *self = context;
  DpsTlsRemoteKey *key = key_data != NULL ? dps_tls_provider_get_remote (key_data) : NULL;

  if (key != NULL)
    {
      dps_tls_remote_key_ref (key);
      dps_tls_remote_key_unref (self->key);
      self->key = key;
    }
  if (self->key == NULL || !dps_tls_remote_key_can_sign (self->key))
    return refuse (PROV_R_NOT_A_PRIVATE_KEY);
  return signature_set_params (self, params);
}

static int
sign (void *context,
      unsigned char *out,
      size_t *length,
      size_t size,
      const unsigned char *digest,
      size_t digest_size)
{
  Signature *self = context;
  size_t most = (size_t) EVP_PKEY_get_size (dps_tls_remote_key_get_public (self->key));
  g_autoptr (GBytes) signature = NULL;
  gsize n;

  if (out == NULL)
    return *length = most, 1;
  if (self->hash == NULL || digest_size != (size_t) EVP_MD_get_size (self->hash))
    return refuse (PROV_R_INVALID_DIGEST_LENGTH);
  signature =
      dps_tls_remote_key_sign (self->key, self->hash, self->pss, digest, digest_size);
  if (signature == NULL)
    return refuse (PROV_R_FAILED_TO_SIGN);
  n = g_bytes_get_size (signature);
  if (n > size)
    return refuse (PROV_R_OUTPUT_BUFFER_TOO_SMALL);
  memcpy (out, g_bytes_get_data (signature, NULL), n);
  *length = n;
  return 1;
}

static int
digest_sign_init (void *context,
                  const char *hash,
                  void *key_data,
                  const OSSL_PARAM params[])
{
  Signature *self = context;

  if (!sign_init (self, key_data, params) || (hash != NULL && !set_hash (self, hash)))
    return 0;
  if (self->hash == NULL)
    return refuse (PROV_R_INVALID_DIGEST);
  if (self->digest == NULL)
    self->digest = EVP_MD_CTX_new ();
  return self->digest != NULL && EVP_DigestInit_ex2 (self->digest, self->hash, NULL) == 1;
}

static int
digest_sign_update (void *context, const unsigned char *data, size_t size)
{
  Signature *self = context;

  return self->digest != NULL && EVP_DigestUpdate (self->digest, data, size) == 1;
}

static int
digest_sign_final (void *context, unsigned char *out, size_t *length, size_t size)
{
  Signature *self = context;
  guchar digest[EVP_MAX_MD_SIZE];
  unsigned int digest_size = 0;

  if (out == NULL)
    return sign (self, NULL, length, 0, NULL, 0);
  return self->digest != NULL &&
         EVP_DigestFinal_ex (self->digest, digest, &digest_size) == 1 &&
         sign (self, out, length, size, digest, digest_size);
}

#define FUNCTION(id, function)                                                           \
  {                                                                                      \
    OSSL_FUNC_SIGNATURE_##id, (void (*) (void)) function                                 \
  }

const OSSL_DISPATCH dps_tls_signature_functions[] = {
  FUNCTION (NEWCTX, signature_new),
  FUNCTION (FREECTX, signature_free),
  FUNCTION (DUPCTX, signature_dup),
  FUNCTION (SIGN_INIT, sign_init),
  FUNCTION (SIGN, sign),
  FUNCTION (DIGEST_SIGN_INIT, digest_sign_init),
  FUNCTION (DIGEST_SIGN_UPDATE, digest_sign_update),
  FUNCTION (DIGEST_SIGN_FINAL, digest_sign_final),
  FUNCTION (SET_CTX_PARAMS, signature_set_params),
  FUNCTION (SETTABLE_CTX_PARAMS, signature_settable),
  FUNCTION (GET_CTX_PARAMS, signature_get_params),
  FUNCTION (GETTABLE_CTX_PARAMS, signature_gettable),
  { 0, NULL },
};
