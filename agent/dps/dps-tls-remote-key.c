/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-tls-remote-key.h"
#include "common/dps-error.h"
#include "dps/dps-tls-mechanism.h"

struct _DpsTlsRemoteKey
{
  gatomicrefcount refs;
  EVP_PKEY *public_key;
  DpsTlsSign sign;
  gpointer data;
  GDestroyNotify destroy;
};

/* By thread, as libcrypto's own errors: between the caller of libssl and the signature
 * nothing else leads the way back. */
static GPrivate last_error = G_PRIVATE_INIT ((GDestroyNotify) g_error_free);

DpsTlsRemoteKey *
dps_tls_remote_key_new (EVP_PKEY *public_key,
                        DpsTlsSign sign,
                        gpointer data,
                        GDestroyNotify destroy)
{
  DpsTlsRemoteKey *self = g_new0 (DpsTlsRemoteKey, 1);

  g_atomic_ref_count_init (&self->refs);
  if (public_key != NULL)
    EVP_PKEY_up_ref (public_key);
  self->public_key = public_key;
  self->sign = sign;
  self->data = data;
  self->destroy = destroy;
  return self;
}

DpsTlsRemoteKey *
dps_tls_remote_key_ref (DpsTlsRemoteKey *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_tls_remote_key_unref (DpsTlsRemoteKey *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->destroy != NULL)
    self->destroy (self->data);
  EVP_PKEY_free (self->public_key);
  g_free (self);
}

EVP_PKEY *
dps_tls_remote_key_get_public (DpsTlsRemoteKey *self)
{
  return self->public_key;
}

gboolean
dps_tls_remote_key_can_sign (DpsTlsRemoteKey *self)
{
  return self->sign != NULL;
}

gboolean
dps_tls_remote_key_is_rsa (DpsTlsRemoteKey *self)
{
  return EVP_PKEY_get_base_id (self->public_key) == EVP_PKEY_RSA;
}

static const char *
find_mechanism (DpsTlsRemoteKey *self, const EVP_MD *hash, gboolean pss)
{
  if (dps_tls_remote_key_is_rsa (self))
    return pss ? DPS_TLS_RSA_PSS_SHA256 : DPS_TLS_RSA_PKCS1_SHA256;
  return EVP_MD_get_type (hash) == NID_sha384 ? DPS_TLS_ECDSA_SHA384
                                              : DPS_TLS_ECDSA_SHA256;
}

static GBytes *
sign (DpsTlsRemoteKey *self,
      const EVP_MD *hash,
      gboolean pss,
      const guint8 *digest,
      gsize size,
      GError **error)
{
  const char *mechanism = find_mechanism (self, hash, pss);
  g_autoptr (GBytes) signature = NULL;

  signature = self->sign (self->data, mechanism, digest, size, error);
  if (signature == NULL ||
      dps_tls_mechanism_verifies (mechanism, self->public_key, signature, digest, size))
    return g_steal_pointer (&signature);
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "the certificate's key was asked for a signature (%s) and gave one of %zu "
               "bytes that the certificate does not verify: the key is that of another "
               "certificate, or whoever signs is broken",
               mechanism,
               g_bytes_get_size (signature));
  return NULL;
}

GBytes *
dps_tls_remote_key_sign (DpsTlsRemoteKey *self,
                         const EVP_MD *hash,
                         gboolean pss,
                         const guint8 *digest,
                         gsize size)
{
  GError *error = NULL;
  GBytes *signature;

  g_return_val_if_fail (self->sign != NULL, NULL);

  signature = sign (self, hash, pss, digest, size, &error);
  if (signature == NULL && error == NULL)
    g_set_error (&error, DPS_ERROR, DPS_ERROR_FAILED, "nothing was signed");
  if (error != NULL)
    g_private_replace (&last_error, error);
  return signature;
}

GError *
dps_tls_remote_key_take_error (void)
{
  GError *error = g_private_get (&last_error);

  g_private_set (&last_error, NULL);
  return error;
}
