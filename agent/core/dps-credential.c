/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-credential.h"
#include "common/dps-error.h"
#include "common/dps-name.h"
#include "core/dps-issued-sign.h"
#include "core/dps-plugin-sign.h"
#include "dps/dps-certificate.h"
#include "dps/dps-sas.h"
#include "dps/dps-tls-mechanism.h"
#include "net/dps-failure.h"

#include <string.h>

#define MODULE_PREFIX "module:"

static void
on_signed_by_plugin (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  GBytes *signature = dps_signer_sign_finish (DPS_SIGNER (source), result, &error);

  if (signature != NULL)
    g_task_return_pointer (task, signature, (GDestroyNotify) g_bytes_unref);
  else
    g_task_return_error (task, error);
}

static void
on_signed_by_issued_key (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  GBytes *signature = dps_issued_sign_finish (result, &error);

  if (signature != NULL)
    g_task_return_pointer (task, signature, (GDestroyNotify) g_bytes_unref);
  else
    g_task_return_error (task, error);
}

static void
sign_here (GTask *task, const DpsSecret *key, GBytes *bytes)
{
  GError *error = NULL;
  GBytes *signature = dps_sas_sign (key, bytes, &error);

  if (signature != NULL)
    g_task_return_pointer (task, signature, (GDestroyNotify) g_bytes_unref);
  else
    g_task_return_error (task, error);
}

static void
sign_by_plugin (GTask *task,
                DpsSigner *signer,
                DpsIdentity *identity,
                const char *mechanism,
                GBytes *bytes)
{
  dps_signer_sign_async (signer,
                         identity,
                         mechanism,
                         bytes,
                         g_task_get_cancellable (task),
                         on_signed_by_plugin,
                         g_object_ref (task));
}

void
dps_credential_sign_async (DpsSigner *signer,
                           DpsIdentity *identity,
                           const char *mechanism,
                           GBytes *bytes,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  gboolean hmac = g_str_equal (mechanism, DPS_PLUGIN_HMAC_SHA256);
  gboolean is_issued = identity->key != NULL || identity->blob != NULL;

  g_task_set_source_tag (task, dps_credential_sign_async);
  if (identity->shape == DPS_SHAPE_KEY && hmac)
    sign_here (task, identity->key, bytes);
  else if (identity->shape == DPS_SHAPE_PLUGIN && hmac)
    sign_by_plugin (task, signer, identity, mechanism, bytes);
  else if (identity->shape == DPS_SHAPE_CERTIFICATE && !hmac && is_issued)
    dps_issued_sign_async (signer != NULL ? dps_signer_get_config (signer) : NULL,
                           identity,
                           mechanism,
                           bytes,
                           cancellable,
                           on_signed_by_issued_key,
                           g_steal_pointer (&task));
  else if (identity->shape == DPS_SHAPE_CERTIFICATE && !hmac)
    sign_by_plugin (task, signer, identity, mechanism, bytes);
  else
    g_task_return_new_error (task,
                             DPS_ERROR,
                             DPS_ERROR_NOT_SUPPORTED,
                             "the credential of this host does not sign with %s",
                             mechanism);
}

GBytes *
dps_credential_sign_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

const char *
dps_credential_get_chain (const DpsIdentity *identity, GError **error)
{
  if (identity->shape == DPS_SHAPE_CERTIFICATE)
    return identity->chain;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_SUPPORTED,
               "the credential of this host is a symmetric key, not a certificate; hub "
               "%s "
               "wants a token, see CreateSasToken",
               identity->hub);
  return NULL;
}

DpsSecret *
dps_credential_get_key (const DpsIdentity *identity, GError **error)
{
  if (dps_credential_get_chain (identity, error) == NULL)
    return NULL;
  if (identity->key != NULL)
    return identity->key;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_SUPPORTED,
               identity->blob != NULL
                   ? "the private key never leaves the TPM of this host; use Sign"
                   : "the private key is kept by the attestation plugin and never "
                     "comes to the agent; use Sign");
  return NULL;
}

/* A signature of a digest in the making, the data of its task. */
typedef struct
{
  EVP_PKEY *key; /* the leaf's */
  char *mechanism;
  GBytes *digest;
} DigestSigning;

static void
digest_signing_free (DigestSigning *signing)
{
  EVP_PKEY_free (signing->key);
  g_free (signing->mechanism);
  g_bytes_unref (signing->digest);
  g_free (signing);
}

/* The public key of the stored leaf, the caller's. */
static EVP_PKEY *
get_leaf_key (const DpsIdentity *identity, GError **error)
{
  const char *pem = dps_credential_get_chain (identity, error);
  g_autoptr (DpsCertificateChain) chain = NULL;
  EVP_PKEY *key;

  if (pem == NULL)
    return NULL;
  chain = dps_certificate_chain_new_from_pem (pem, strlen (pem), error);
  if (chain == NULL)
    return NULL;
  key =
      X509_get_pubkey (sk_X509_value (dps_certificate_chain_get_certificates (chain), 0));
  if (key == NULL)
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_FAILED,
                 "the key of the stored certificate cannot be read");
  return key;
}

static void
on_digest_signed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  DigestSigning *signing = g_task_get_task_data (task);
  g_autoptr (DpsFailure) failure = NULL;
  GError *error = NULL;
  GBytes *signature = dps_credential_sign_finish (result, &error);
  gsize size;
  const guint8 *digest = g_bytes_get_data (signing->digest, &size);

  if (signature == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  if (dps_tls_mechanism_verifies (signing->mechanism,
                                  signing->key,
                                  signature,
                                  digest,
                                  size))
    {
      g_task_return_pointer (task, signature, (GDestroyNotify) g_bytes_unref);
      return;
    }
  g_bytes_unref (signature);
  failure = dps_failure_new (DPS_FAILURE_X509_KEY_MISMATCH,
                             "the certificate in force does not verify its signature "
                             "(%s)",
                             signing->mechanism);
  g_task_return_error (task, dps_failure_to_error (failure, DPS_ERROR_FAILED));
}

void
dps_credential_sign_digest_async (DpsSigner *signer,
                                  DpsIdentity *identity,
                                  const char *mechanism,
                                  GBytes *digest,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  DigestSigning *signing = g_new0 (DigestSigning, 1);
  GError *error = NULL;

  signing->key = get_leaf_key (identity, &error);
  signing->mechanism = g_strdup (mechanism);
  signing->digest = g_bytes_ref (digest);
  g_task_set_task_data (task, signing, (GDestroyNotify) digest_signing_free);
  if (signing->key == NULL || !dps_tls_mechanism_check (mechanism,
                                                        signing->key,
                                                        g_bytes_get_size (digest),
                                                        &error))
    {
      g_task_return_error (task, error);
      return;
    }
  dps_credential_sign_async (signer,
                             identity,
                             mechanism,
                             digest,
                             cancellable,
                             on_digest_signed,
                             g_steal_pointer (&task));
}

GBytes *
dps_credential_sign_digest_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

/* A token in the making, the data of its task. */
typedef struct
{
  char *resource;
  guint64 expiry;
} Token;

static void
token_free (Token *token)
{
  g_free (token->resource);
  g_free (token);
}

void
dps_credential_free_token (char *token)
{
  explicit_bzero (token, strlen (token));
  g_free (token);
}

static gboolean
parse_audience (const char *audience, const char **module, GError **error)
{
  *module = NULL;
  if (strcmp (audience, "device") == 0)
    return TRUE;
  if (!g_str_has_prefix (audience, MODULE_PREFIX))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "the audience is 'device' or 'module:ID'");
      return FALSE;
    }
  *module = audience + strlen (MODULE_PREFIX);
  return dps_name_check_device_id (*module, error);
}

static char *
make_resource (const DpsIdentity *identity,
               const char *audience,
               guint32 ttl,
               GError **error)
{
  const char *module;

  if (!parse_audience (audience, &module, error))
    return NULL;
  if (identity->shape == DPS_SHAPE_CERTIFICATE)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_SUPPORTED,
                   "the credential of this host is a certificate, and hub %s wants it in "
                   "TLS instead of a token",
                   identity->hub);
      return NULL;
    }
  if (ttl < 1 || ttl > DPS_TOKEN_TTL_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "a token lives 1 to %u seconds, not %u",
                   DPS_TOKEN_TTL_MAX,
                   ttl);
      return NULL;
    }
  return dps_sas_resource_for_device (identity->hub, identity->device_id, module);
}

static void
on_signed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Token *token = g_task_get_task_data (task);
  GError *error = NULL;
  g_autoptr (GBytes) signature = dps_credential_sign_finish (result, &error);

  if (signature != NULL)
    g_task_return_pointer (task,
                           dps_sas_token (token->resource,
                                          signature,
                                          token->expiry,
                                          NULL),
                           (GDestroyNotify) dps_credential_free_token);
  else
    g_task_return_error (task, error);
}

void
dps_credential_create_token_async (DpsSigner *signer,
                                   DpsIdentity *identity,
                                   const char *audience,
                                   guint32 ttl,
                                   guint64 now,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  g_autoptr (GBytes) text = NULL;
  Token *token = g_new0 (Token, 1);
  GError *error = NULL;

  token->resource = make_resource (identity, audience, ttl, &error);
  token->expiry = now + ttl;
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, token, (GDestroyNotify) token_free);
  if (token->resource == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  text = dps_sas_string_to_sign (token->resource, token->expiry);
  dps_credential_sign_async (signer,
                             identity,
                             DPS_PLUGIN_HMAC_SHA256,
                             text,
                             cancellable,
                             on_signed,
                             g_steal_pointer (&task));
}

char *
dps_credential_create_token_finish (GAsyncResult *result, guint64 *expiry, GError **error)
{
  Token *token = g_task_get_task_data (G_TASK (result));
  char *text = g_task_propagate_pointer (G_TASK (result), error);

  if (text != NULL)
    *expiry = token->expiry;
  return text;
}
