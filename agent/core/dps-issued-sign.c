/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-issued-sign.h"

#include "common/dps-error.h"
#include "core/dps-issued-key.h"
#include "core/dps-tpm-failure.h"
#include "core/dps-tpm-setup.h"

/* One signature, the data of its task. */
typedef struct
{
  DpsConfig *config; /* or NULL */
  DpsIdentity *identity;
  char *mechanism;
  GBytes *digest;
} Signing;

static void
signing_free (Signing *signing)
{
  g_clear_object (&signing->config);
  dps_identity_unref (signing->identity);
  g_free (signing->mechanism);
  g_bytes_unref (signing->digest);
  g_free (signing);
}

static GBytes *
sign (const Signing *signing, GError **error)
{
  const DpsIdentity *identity = signing->identity;
  g_autoptr (DpsTpmAccess) access = NULL;
  g_autoptr (DpsIssuedKey) key = NULL;
  gsize size;
  const guint8 *digest = g_bytes_get_data (signing->digest, &size);

  if (identity->blob != NULL && signing->config == NULL)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_CONFIGURED,
                   "the key of the certificate lies in a TPM, and without a "
                   "configuration this agent knows of none");
      return NULL;
    }
  if (identity->blob != NULL)
    access = dps_tpm_setup_access (signing->config);
  key = dps_issued_key_open (identity->key, identity->blob, access, error);
  return key != NULL ? dps_issued_key_sign (key, signing->mechanism, digest, size, error)
                     : NULL;
}

/* As whoever asked for the signature is told. */
static GError *
explain (GError *error)
{
  g_autoptr (DpsFailure) failure = NULL;

  if (error->domain != DPS_TPM_ERROR)
    return error;
  failure = dps_failure_new_from_error (dps_tpm_failure_kind ((DpsTpmError) error->code),
                                        error);
  g_error_free (error);
  return dps_failure_to_error (failure, DPS_ERROR_FAILED);
}

static void
sign_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  GBytes *signature = sign (data, &error);

  if (signature != NULL)
    g_task_return_pointer (task, signature, (GDestroyNotify) g_bytes_unref);
  else
    g_task_return_error (task, explain (error));
}

void
dps_issued_sign_async (DpsConfig *config,
                       DpsIdentity *identity,
                       const char *mechanism,
                       GBytes *digest,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  Signing *signing = g_new0 (Signing, 1);

  signing->config = config != NULL ? g_object_ref (config) : NULL;
  signing->identity = dps_identity_ref (identity);
  signing->mechanism = g_strdup (mechanism);
  signing->digest = g_bytes_ref (digest);
  g_task_set_task_data (task, signing, (GDestroyNotify) signing_free);
  g_task_run_in_thread (task, sign_in_thread);
}

GBytes *
dps_issued_sign_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
