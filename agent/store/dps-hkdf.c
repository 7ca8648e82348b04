/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-hkdf.h"

#include "store/dps-openssl.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_KDF, EVP_KDF_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_KDF_CTX, EVP_KDF_CTX_free)

static EVP_KDF_CTX *
new_context (void)
{
  g_autoptr (EVP_KDF) kdf = EVP_KDF_fetch (NULL, OSSL_KDF_NAME_HKDF, NULL);

  return kdf != NULL ? EVP_KDF_CTX_new (kdf) : NULL;
}

DpsSecret *
dps_hkdf_sha256 (const DpsSecret *ikm,
                 const guint8 *salt,
                 gsize salt_size,
                 const guint8 *info,
                 gsize info_size,
                 gsize size,
                 GError **error)
{
  g_autoptr (EVP_KDF_CTX) context = NULL;
  g_autoptr (DpsSecret) out = NULL;
  OSSL_PARAM params[5];
  guint n = 0;

  g_return_val_if_fail (dps_secret_size (ikm) > 0, NULL);
  g_return_val_if_fail (size > 0 && size <= DPS_HKDF_SHA256_MAX, NULL);

  context = new_context ();
  if (context == NULL)
    return dps_openssl_fail (error, "setting up HKDF"), NULL;

  params[n++] =
      OSSL_PARAM_construct_utf8_string (OSSL_KDF_PARAM_DIGEST, (char *) "SHA256", 0);
  params[n++] = OSSL_PARAM_construct_octet_string (OSSL_KDF_PARAM_KEY,
                                                   (void *) dps_secret_data (ikm),
                                                   dps_secret_size (ikm));
  if (salt_size > 0)
    params[n++] =
        OSSL_PARAM_construct_octet_string (OSSL_KDF_PARAM_SALT, (void *) salt, salt_size);
  if (info_size > 0)
    params[n++] =
        OSSL_PARAM_construct_octet_string (OSSL_KDF_PARAM_INFO, (void *) info, info_size);
  params[n] = OSSL_PARAM_construct_end ();

  out = dps_secret_new_empty (size);
  if (EVP_KDF_derive (context, dps_secret_edit (out), size, params) != 1)
    return dps_openssl_fail (error, "deriving a key"), NULL;
  return g_steal_pointer (&out);
}
