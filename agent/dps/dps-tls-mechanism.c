/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-tls-mechanism.h"
#include "common/dps-error.h"
#include "dps/dps-tls-identity.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY_CTX, EVP_PKEY_CTX_free)

typedef struct
{
  const char *name;
  int type;         /* of the key */
  const char *hash; /* as OpenSSL names it */
  gsize size;       /* of its digests */
  int padding;      /* 0 = none */
} Mechanism;

static const Mechanism mechanisms[] = {
  { DPS_TLS_RSA_PKCS1_SHA256, EVP_PKEY_RSA, "SHA256", 32, RSA_PKCS1_PADDING },
  { DPS_TLS_RSA_PSS_SHA256, EVP_PKEY_RSA, "SHA256", 32, RSA_PKCS1_PSS_PADDING },
  { DPS_TLS_ECDSA_SHA256, EVP_PKEY_EC, "SHA256", 32, 0 },
  { DPS_TLS_ECDSA_SHA384, EVP_PKEY_EC, "SHA384", 48, 0 },
};

static const Mechanism *
find (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (mechanisms); i++)
    if (g_str_equal (mechanisms[i].name, name))
      return &mechanisms[i];
  return NULL;
}

gboolean
dps_tls_mechanism_check (const char *mechanism, EVP_PKEY *key, gsize size, GError **error)
{
  const Mechanism *found = find (mechanism);
  gboolean rsa = EVP_PKEY_get_base_id (key) == EVP_PKEY_RSA;

  if (found == NULL || found->type != EVP_PKEY_get_base_id (key))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "%s: the mechanisms of this certificate's key (%s) are %s and %s",
                   found == NULL ? "there is no such mechanism"
                                 : "the mechanism is for another kind of key",
                   rsa ? "RSA" : "EC",
                   rsa ? DPS_TLS_RSA_PKCS1_SHA256 : DPS_TLS_ECDSA_SHA256,
                   rsa ? DPS_TLS_RSA_PSS_SHA256 : DPS_TLS_ECDSA_SHA384);
      return FALSE;
    }
  if (size != found->size)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "%s takes a digest of %" G_GSIZE_FORMAT
                   " bytes, not of %" G_GSIZE_FORMAT,
                   found->name,
                   found->size,
                   size);
      return FALSE;
    }
  return TRUE;
}

static gboolean
set_up (EVP_PKEY_CTX *context, const Mechanism *mechanism, const EVP_MD *hash)
{
  return EVP_PKEY_verify_init (context) == 1 &&
         EVP_PKEY_CTX_set_signature_md (context, hash) == 1 &&
         (mechanism->padding == 0 ||
          EVP_PKEY_CTX_set_rsa_padding (context, mechanism->padding) == 1) &&
         (mechanism->padding != RSA_PKCS1_PSS_PADDING ||
          EVP_PKEY_CTX_set_rsa_pss_saltlen (context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

gboolean
dps_tls_mechanism_verifies (const char *mechanism,
                            EVP_PKEY *key,
                            GBytes *signature,
                            const guint8 *digest,
                            gsize size)
{
  const Mechanism *found = find (mechanism);
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_pkey (NULL, key, NULL);
  gsize length;
  const guint8 *bytes = g_bytes_get_data (signature, &length);
  gboolean good;

  g_return_val_if_fail (found != NULL, FALSE);

  ERR_set_mark ();
  good = context != NULL && length > 0 && length <= (gsize) EVP_PKEY_get_size (key) &&
         set_up (context, found, EVP_get_digestbyname (found->hash)) &&
         EVP_PKEY_verify (context, bytes, length, digest, size) == 1;
  ERR_pop_to_mark ();
  return good;
}
