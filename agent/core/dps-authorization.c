/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-authorization.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-plugin-sign.h"
#include "dps/dps-sas.h"

#include <string.h>

typedef struct
{
  char *resource;
  char *key_name;
  guint64 expiry;
  DpsFailure *failure;
} Token;

static void
token_free (Token *token)
{
  g_free (token->resource);
  g_free (token->key_name);
  g_clear_pointer (&token->failure, dps_failure_unref);
  g_free (token);
}

/* Consumes task; signature NULL = failure, which is taken. */
static void
finish (GTask *task, GBytes *signature, DpsFailure *failure)
{
  Token *token = g_task_get_task_data (task);
  DpsSecret *secret = NULL;
  char *text;

  token->failure = failure;
  if (signature != NULL)
    {
      text = dps_sas_token (token->resource, signature, token->expiry, token->key_name);
      secret = dps_secret_new (text, strlen (text));
      explicit_bzero (text, strlen (text));
      g_free (text);
    }
  g_task_return_pointer (task, secret, (GDestroyNotify) dps_secret_unref);
  g_object_unref (task);
}

static void
on_signed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) signature = dps_plugin_sign_finish (result, &error);

  finish (data,
          signature,
          signature ? NULL
                    : dps_failure_new_from_error (dps_plugin_cause_kind (error), error));
}

static void
sign_here (GTask *task, const DpsSecret *key, GBytes *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) signature = dps_sas_sign (key, text, &error);

  finish (task,
          signature,
          signature ? NULL : dps_failure_new_from_error (DPS_FAILURE_INTERNAL, error));
}

void
dps_authorization_sign_async (const DpsAttestation *attestation,
                              DpsSecret *answer,
                              const char *key_name,
                              const char *scope,
                              guint64 expiry,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, data);
  Token *token = g_new0 (Token, 1);
  g_autoptr (GBytes) text = NULL;

  token->resource =
      dps_sas_resource_for_registration (scope, attestation->registration_id);
  token->key_name = g_strdup (key_name);
  token->expiry = expiry;
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, token, (GDestroyNotify) token_free);
  text = dps_sas_string_to_sign (token->resource, expiry);
  if (attestation->key != NULL)
    sign_here (task, attestation->key, text);
  else
    dps_plugin_sign_async (attestation->setup,
                           DPS_PLUGIN_SLOT_SERVICE,
                           DPS_PLUGIN_HMAC_SHA256,
                           answer,
                           text,
                           cancellable,
                           on_signed,
                           task);
}

DpsSecret *
dps_authorization_sign_finish (GAsyncResult *result, DpsFailure **failure)
{
  Token *token = g_task_get_task_data (G_TASK (result));
  DpsSecret *secret = g_task_propagate_pointer (G_TASK (result), NULL);

  if (secret == NULL)
    *failure = g_steal_pointer (&token->failure);
  return secret;
}
