/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-issued-key.h"

#include "common/dps-error.h"
#include "common/dps-log.h"
#include "core/dps-issued-blob.h"
#include "store/dps-openssl.h"
#include "tpm/dps-tpm-error.h"
#include "tpm/dps-tpm-sign.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/x509.h>
#include <string.h>

#define CURVE "P-384"
#define POINT_SIZE (1u + 2u * DPS_TPM_P384_SIZE)
#define SIGNATURE_MAX 128u
#define KEY_MAX 512u

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ECDSA_SIG, ECDSA_SIG_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

struct _DpsIssuedKey
{
  gatomicrefcount refs;
  EVP_PKEY *public;
  EVP_PKEY *private; /* of key; NULL with a blob */
  DpsSecret *key;
  DpsSecret *blob;
  DpsTpmAccess *access;
};

static DpsIssuedKey *
issued_key_new (void)
{
  DpsIssuedKey *self = g_new0 (DpsIssuedKey, 1);

  g_atomic_ref_count_init (&self->refs);
  return self;
}

DpsIssuedKey *
dps_issued_key_ref (DpsIssuedKey *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_issued_key_unref (DpsIssuedKey *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  EVP_PKEY_free (self->public);
  EVP_PKEY_free (self->private);
  g_clear_pointer (&self->key, dps_secret_unref);
  g_clear_pointer (&self->blob, dps_secret_unref);
  g_clear_pointer (&self->access, dps_tpm_access_unref);
  g_free (self);
}

EVP_PKEY *
dps_issued_key_get_public (DpsIssuedKey *self)
{
  return self->public;
}

DpsSecret *
dps_issued_key_get_key (DpsIssuedKey *self)
{
  return self->key;
}

DpsSecret *
dps_issued_key_get_blob (DpsIssuedKey *self)
{
  return self->blob;
}

/* --- the public half -------------------------------------------------------------------
 */

static EVP_PKEY *
public_from_point (const guint8 *point, gsize size, GError **error)
{
  g_autoptr (EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_name (NULL, "EC", NULL);
  EVP_PKEY *public = NULL;
  OSSL_PARAM parameters[] = {
    OSSL_PARAM_construct_utf8_string (OSSL_PKEY_PARAM_GROUP_NAME, (char *) CURVE, 0),
    OSSL_PARAM_construct_octet_string (OSSL_PKEY_PARAM_PUB_KEY, (void *) point, size),
    OSSL_PARAM_construct_end (),
  };

  if (context == NULL || EVP_PKEY_fromdata_init (context) != 1 ||
      EVP_PKEY_fromdata (context, &public, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
    return dps_openssl_fail (error, "taking the public half of the certificate's key"),
           NULL;
  return public;
}

/* A TPM may leave out leading zeros. */
static EVP_PKEY *
public_from_tpm (const TPM2B_PUBLIC *public, GError **error)
{
  const TPMS_ECC_POINT *at = &public->publicArea.unique.ecc;
  guint8 point[POINT_SIZE] = { POINT_CONVERSION_UNCOMPRESSED };

  memcpy (point + 1 + DPS_TPM_P384_SIZE - at->x.size, at->x.buffer, at->x.size);
  memcpy (point + POINT_SIZE - at->y.size, at->y.buffer, at->y.size);
  return public_from_point (point, sizeof point, error);
}

static EVP_PKEY *
public_of (EVP_PKEY *private, GError **error)
{
  guint8 point[POINT_SIZE];
  gsize size;

  if (EVP_PKEY_get_octet_string_param (private,
                                       OSSL_PKEY_PARAM_PUB_KEY,
                                       point,
                                       sizeof point,
                                       &size) != 1)
    return dps_openssl_fail (error, "reading the public half of a key"), NULL;
  return public_from_point (point, size, error);
}

/* --- in memory -------------------------------------------------------------------------
 */

static DpsSecret *
pack_private (EVP_PKEY *private, GError **error)
{
  g_autoptr (PKCS8_PRIV_KEY_INFO) info = EVP_PKEY2PKCS8 (private);
  DpsSecret *packed;
  guint8 *end;
  int size = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO (info, NULL) : -1;

  if (size <= 0)
    return dps_openssl_fail (error, "packing a key"), NULL;
  packed = dps_secret_new_empty ((gsize) size);
  end = dps_secret_edit (packed);
  i2d_PKCS8_PRIV_KEY_INFO (info, &end);
  return packed;
}

static gboolean
make_in_memory (DpsIssuedKey *self, GError **error)
{
  self->private = EVP_PKEY_Q_keygen (NULL, NULL, "EC", CURVE);
  if (self->private == NULL)
    return dps_openssl_fail (error, "making a P-384 key");
  self->key = pack_private (self->private, error);
  if (self->key == NULL)
    return FALSE;
  self->public = public_of (self->private, error);
  return self->public != NULL;
}

static gboolean
fail_stored (GError **error)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "the stored key of the certificate is no P-384 key");
  return FALSE;
}

static gboolean
is_p384 (EVP_PKEY *key)
{
  char group[32];

  return EVP_PKEY_is_a (key, "EC") == 1 &&
         EVP_PKEY_get_group_name (key, group, sizeof group, NULL) == 1 &&
         strcmp (group, "secp384r1") == 0;
}

static gboolean
open_key (DpsIssuedKey *self, DpsSecret *key, GError **error)
{
  const guint8 *at = dps_secret_data (key);
  const guint8 *end = at + dps_secret_size (key);
  g_autoptr (PKCS8_PRIV_KEY_INFO) info = NULL;

  if (dps_secret_size (key) > KEY_MAX)
    return fail_stored (error);
  info = d2i_PKCS8_PRIV_KEY_INFO (NULL, &at, end - at);
  if (info == NULL || at != end)
    return fail_stored (error);
  self->private = EVP_PKCS82PKEY (info);
  if (self->private == NULL || !is_p384 (self->private))
    return fail_stored (error);
  self->key = dps_secret_ref (key);
  self->public = public_of (self->private, error);
  return self->public != NULL;
}

static GBytes *
sign_in_memory (DpsIssuedKey *self, const guint8 *digest, gsize size, GError **error)
{
  g_autoptr (EVP_PKEY_CTX) context =
      EVP_PKEY_CTX_new_from_pkey (NULL, self->private, NULL);
  guint8 signature[SIGNATURE_MAX];
  gsize made = sizeof signature;

  if (context == NULL || EVP_PKEY_sign_init (context) != 1 ||
      EVP_PKEY_sign (context, signature, &made, digest, size) != 1)
    return dps_openssl_fail (error, "signing with the certificate's key"), NULL;
  return g_bytes_new (signature, made);
}

/* --- in the TPM ------------------------------------------------------------------------
 */

/* *made is FALSE where this TPM has no such keys. */
static gboolean
make_in_tpm (DpsIssuedKey *self, DpsTpmAccess *access, gboolean *made, GError **error)
{
  g_auto (DpsTpmVisit) visit = DPS_TPM_VISIT_INIT;
  DpsIssuedBlob blob = { 0 };

  if (!dps_tpm_visit_begin (&visit, access, error) ||
      !dps_tpm_has_p384 (visit.tpm, made, error))
    return FALSE;
  if (!*made)
    return TRUE;
  if (!dps_tpm_visit_choose_primary (&visit, &blob.persistent, error) ||
      !dps_tpm_create_p384 (visit.tpm,
                            &visit.primary,
                            &blob.public,
                            &blob.private,
                            error))
    return FALSE;
  blob.primary_name = visit.primary.name;
  self->blob = dps_issued_blob_pack (&blob, error);
  if (self->blob == NULL)
    return FALSE;
  self->access = dps_tpm_access_ref (access);
  self->public = public_from_tpm (&blob.public, error);
  return self->public != NULL;
}

static gboolean
open_blob (DpsIssuedKey *self, DpsSecret *bytes, DpsTpmAccess *access, GError **error)
{
  DpsIssuedBlob blob;

  if (!dps_issued_blob_unpack (&blob, bytes, error))
    return FALSE;
  self->blob = dps_secret_ref (bytes);
  self->access = dps_tpm_access_ref (access);
  self->public = public_from_tpm (&blob.public, error);
  return self->public != NULL;
}

static GBytes *
pack_signature (const TPMS_SIGNATURE_ECC *from, GError **error)
{
  g_autoptr (ECDSA_SIG) signature = ECDSA_SIG_new ();
  BIGNUM *r = BN_bin2bn (from->signatureR.buffer, from->signatureR.size, NULL);
  BIGNUM *s = BN_bin2bn (from->signatureS.buffer, from->signatureS.size, NULL);
  guint8 bytes[SIGNATURE_MAX];
  guint8 *end = bytes;
  int size;

  if (signature == NULL || ECDSA_SIG_set0 (signature, r, s) != 1)
    {
      BN_free (r);
      BN_free (s);
      return dps_openssl_fail (error, "taking the TPM's signature"), NULL;
    }
  size = i2d_ECDSA_SIG (signature, NULL);
  if (size <= 0 || (gsize) size > sizeof bytes)
    return dps_openssl_fail (error, "packing the TPM's signature"), NULL;
  i2d_ECDSA_SIG (signature, &end);
  return g_bytes_new (bytes, (gsize) size);
}

static GBytes *
sign_in_tpm (DpsIssuedKey *self, const guint8 *digest, gsize size, GError **error)
{
  g_auto (DpsTpmVisit) visit = DPS_TPM_VISIT_INIT;
  TPMS_SIGNATURE_ECC signature;
  DpsIssuedBlob blob;
  gboolean same;

  if (!dps_issued_blob_unpack (&blob, self->blob, error) ||
      !dps_tpm_visit_begin (&visit, self->access, error) ||
      !dps_tpm_visit_find_primary (&visit,
                                   blob.persistent,
                                   &blob.primary_name,
                                   &same,
                                   error))
    return NULL;
  if (!same)
    {
      g_set_error (error,
                   DPS_TPM_ERROR,
                   DPS_TPM_ERROR_REPLACED,
                   "the key of the certificate was made by another TPM than the one "
                   "that is here, or this one was cleared since");
      return NULL;
    }
  if (!dps_tpm_sign_p384 (visit.tpm,
                          &visit.primary,
                          &blob.public,
                          &blob.private,
                          digest,
                          size,
                          &signature,
                          error))
    return NULL;
  return pack_signature (&signature, error);
}

/* --- either ----------------------------------------------------------------------------
 */

DpsIssuedKey *
dps_issued_key_make (DpsTpmAccess *access, GError **error)
{
  g_autoptr (DpsIssuedKey) self = issued_key_new ();
  gboolean made = FALSE;

  if (access != NULL && !make_in_tpm (self, access, &made, error))
    return NULL;
  if (made)
    return g_steal_pointer (&self);
  if (access != NULL)
    dps_info ((TOPIC ("certificate")),
              "the TPM makes no P-384 keys: the certificate's is kept in the store");
  return make_in_memory (self, error) ? g_steal_pointer (&self) : NULL;
}

DpsIssuedKey *
dps_issued_key_open (DpsSecret *key,
                     DpsSecret *blob,
                     DpsTpmAccess *access,
                     GError **error)
{
  g_autoptr (DpsIssuedKey) self = issued_key_new ();

  g_return_val_if_fail ((key != NULL) != (blob != NULL), NULL);
  g_return_val_if_fail (blob == NULL || access != NULL, NULL);

  if (key != NULL ? open_key (self, key, error) : open_blob (self, blob, access, error))
    return g_steal_pointer (&self);
  return NULL;
}

static const struct
{
  const char *mechanism;
  gsize size;
} mechanisms[] = {
  { "ECDSA-SHA256", 32 },
  { "ECDSA-SHA384", 48 },
};

static gboolean
check_mechanism (const char *mechanism, gsize size, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (mechanisms); i++)
    if (strcmp (mechanisms[i].mechanism, mechanism) == 0)
      {
        if (mechanisms[i].size == size)
          return TRUE;
        g_set_error (error,
                     DPS_ERROR,
                     DPS_ERROR_INVALID_ARGUMENT,
                     "%s takes a digest of %" G_GSIZE_FORMAT
                     " bytes, not of %" G_GSIZE_FORMAT,
                     mechanism,
                     mechanisms[i].size,
                     size);
        return FALSE;
      }
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_SUPPORTED,
               "the certificate's P-384 key signs by ECDSA-SHA256 and ECDSA-SHA384 "
               "alone");
  return FALSE;
}

GBytes *
dps_issued_key_sign (DpsIssuedKey *self,
                     const char *mechanism,
                     const guint8 *digest,
                     gsize size,
                     GError **error)
{
  if (!check_mechanism (mechanism, size, error))
    return NULL;
  return self->blob != NULL ? sign_in_tpm (self, digest, size, error)
                            : sign_in_memory (self, digest, size, error);
}
