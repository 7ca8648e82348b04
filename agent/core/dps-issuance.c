/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-issuance.h"

#include "common/dps-error.h"
#include "core/dps-certificate-request.h"
#include "core/dps-issued-chain.h"
#include "core/dps-tpm-failure.h"
#include "core/dps-tpm-setup.h"

struct _DpsIssuance
{
  char *registration_id;
  DpsIssuedKey *key;
  GBytes *request;
};

/* A beginning, the data of its task. */
typedef struct
{
  DpsConfig *config;
  gboolean in_tpm;
  DpsIssuance *issuance;
  DpsFailure *failure;
} Begin;

void
dps_issuance_free (DpsIssuance *self)
{
  g_free (self->registration_id);
  g_clear_pointer (&self->key, dps_issued_key_unref);
  g_clear_pointer (&self->request, g_bytes_unref);
  g_free (self);
}

static void
begin_free (Begin *begin)
{
  g_object_unref (begin->config);
  g_clear_pointer (&begin->issuance, dps_issuance_free);
  g_clear_pointer (&begin->failure, dps_failure_unref);
  g_free (begin);
}

static gboolean
make (Begin *begin, GError **error)
{
  DpsIssuance *issuance = begin->issuance;
  g_autoptr (DpsTpmAccess) access =
      begin->in_tpm ? dps_tpm_setup_access (begin->config) : NULL;

  issuance->key = dps_issued_key_make (access, error);
  if (issuance->key == NULL)
    return FALSE;
  issuance->request =
      dps_certificate_request_new (issuance->key, issuance->registration_id, error);
  return issuance->request != NULL;
}

static DpsFailureKind
kind_of (const GError *error)
{
  if (error->domain == DPS_TPM_ERROR)
    return dps_tpm_failure_kind ((DpsTpmError) error->code);
  return g_error_matches (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT)
             ? DPS_FAILURE_CONFIG_INVALID
             : DPS_FAILURE_CERTIFICATE_KEY;
}

static void
begin_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Begin *begin = data;
  g_autoptr (GError) error = NULL;

  if (!make (begin, &error))
    begin->failure = dps_failure_new_from_error (kind_of (error), error);
  g_task_return_boolean (task, begin->failure == NULL);
}

void
dps_issuance_begin_async (DpsConfig *config,
                          gboolean in_tpm,
                          const char *registration_id,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  Begin *begin = g_new0 (Begin, 1);

  begin->config = g_object_ref (config);
  begin->in_tpm = in_tpm;
  begin->issuance = g_new0 (DpsIssuance, 1);
  begin->issuance->registration_id = g_strdup (registration_id);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, begin, (GDestroyNotify) begin_free);
  g_task_run_in_thread (task, begin_in_thread);
}

DpsIssuance *
dps_issuance_begin_finish (GAsyncResult *result, DpsFailure **failure)
{
  Begin *begin = g_task_get_task_data (G_TASK (result));

  if (g_task_propagate_boolean (G_TASK (result), NULL))
    return g_steal_pointer (&begin->issuance);
  *failure = g_steal_pointer (&begin->failure);
  return NULL;
}

GBytes *
dps_issuance_get_request (DpsIssuance *self)
{
  return self->request;
}

static DpsSecret *
share (DpsSecret *secret)
{
  return secret != NULL ? dps_secret_ref (secret) : NULL;
}

gboolean
dps_issuance_take (DpsIssuance *self,
                   GPtrArray *issued,
                   gint64 now,
                   DpsIdentity *identity,
                   DpsFailure **failure)
{
  g_autoptr (DpsCertificateChain) chain = NULL;
  g_autoptr (GError) error = NULL;

  if (issued == NULL || issued->len == 0)
    {
      *failure = dps_failure_new (DPS_FAILURE_NO_ISSUED_CHAIN, NULL);
      return FALSE;
    }
  chain = dps_certificate_chain_new_from_der (issued, &error);
  if (chain == NULL || !dps_issued_chain_check (chain,
                                                dps_issued_key_get_public (self->key),
                                                self->registration_id,
                                                now,
                                                &error))
    {
      *failure = dps_failure_new_from_error (DPS_FAILURE_ISSUED_CHAIN, error);
      return FALSE;
    }
  identity->shape = DPS_SHAPE_CERTIFICATE;
  identity->chain = dps_certificate_chain_to_pem (chain);
  identity->key = share (dps_issued_key_get_key (self->key));
  identity->blob = share (dps_issued_key_get_blob (self->key));
  return TRUE;
}
