/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-tls-identity.h"
#include "dps/dps-tls-provider.h"
#include "dps/dps-tls-remote-key.h"
#include "common/dps-error.h"

#include <openssl/err.h>

#define RSA_BITS_MIN 2048
#define GROUP_NAME_MAX 64

struct _DpsTlsIdentity
{
  gatomicrefcount refs;
  DpsCertificateChain *chain;
  EVP_PKEY *key;
  const char *algorithms;
};

/* What a key can do in TLS: a curve goes with its hash (RFC 8446 §4.2.3). NULL with error
 * for a key that is not to be used. */
static const char *
find_algorithms (EVP_PKEY *key, GError **error)
{
  char group[GROUP_NAME_MAX] = "";

  if (key != NULL && EVP_PKEY_get_base_id (key) == EVP_PKEY_RSA &&
      EVP_PKEY_get_bits (key) >= RSA_BITS_MIN)
    return "rsa_pss_rsae_sha256:RSA+SHA256";
  if (key != NULL && EVP_PKEY_get_base_id (key) == EVP_PKEY_EC)
    EVP_PKEY_get_group_name (key, group, sizeof group, NULL);
  if (g_str_equal (group, "prime256v1"))
    return "ECDSA+SHA256";
  if (g_str_equal (group, "secp384r1"))
    return "ECDSA+SHA384";
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_SUPPORTED,
               "the certificate's key is neither RSA of at least %d bits nor EC on P-256 "
               "or P-384; use a certificate with such a key",
               RSA_BITS_MIN);
  return NULL;
}

/* Nothing but the public half, whatever key has. NULL: there is none. */
static EVP_PKEY *
copy_public (EVP_PKEY *key)
{
  guchar *der = NULL;
  int size = key != NULL ? i2d_PUBKEY (key, &der) : 0;
  const guchar *at = der;
  EVP_PKEY *copy = size > 0 ? d2i_PUBKEY (NULL, &at, size) : NULL;

  OPENSSL_free (der);
  ERR_clear_error ();
  return copy;
}

EVP_PKEY *
dps_tls_key_new (EVP_PKEY *public_key,
                 DpsTlsSign sign,
                 gpointer data,
                 GDestroyNotify destroy,
                 GError **error)
{
  g_autoptr (DpsTlsRemoteKey) remote = NULL;
  EVP_PKEY *copy;

  g_return_val_if_fail (sign != NULL, NULL);

  copy = copy_public (public_key);
  remote = dps_tls_remote_key_new (copy, sign, data, destroy);
  EVP_PKEY_free (copy);
  if (find_algorithms (dps_tls_remote_key_get_public (remote), error) == NULL)
    return NULL;
  return dps_tls_provider_wrap (remote, error);
}

GError *
dps_tls_key_take_error (void)
{
  return dps_tls_remote_key_take_error ();
}

DpsTlsIdentity *
dps_tls_identity_new (DpsCertificateChain *chain,
                      DpsTlsSign sign,
                      gpointer data,
                      GDestroyNotify destroy,
                      GError **error)
{
  X509 *leaf = sk_X509_value (dps_certificate_chain_get_certificates (chain), 0);
  EVP_PKEY *public_key = X509_get0_pubkey (leaf);
  EVP_PKEY *key = dps_tls_key_new (public_key, sign, data, destroy, error);
  DpsTlsIdentity *self;

  if (key == NULL)
    return NULL;
  self = g_new0 (DpsTlsIdentity, 1);
  g_atomic_ref_count_init (&self->refs);
  self->chain = dps_certificate_chain_ref (chain);
  self->key = key;
  self->algorithms = find_algorithms (public_key, NULL);
  return self;
}

DpsTlsIdentity *
dps_tls_identity_ref (DpsTlsIdentity *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_tls_identity_unref (DpsTlsIdentity *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  EVP_PKEY_free (self->key);
  dps_certificate_chain_unref (self->chain);
  g_free (self);
}

DpsCertificateChain *
dps_tls_identity_get_chain (DpsTlsIdentity *self)
{
  return self->chain;
}

EVP_PKEY *
dps_tls_identity_get_key (DpsTlsIdentity *self)
{
  return self->key;
}

const char *
dps_tls_identity_get_algorithms (DpsTlsIdentity *self)
{
  return self->algorithms;
}
