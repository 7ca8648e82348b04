/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-challenge.h"
#include "common/dps-error.h"
#include "dps/dps-message.h"
#include "tpm/dps-tpm-error.h"

#include <string.h>

#define MECHANISM "HMAC-SHA256"
#define SIGNATURE_SIZE 32

/* The task keeps the setup while its runner works. */
static GTask *
new_task (DpsPluginSetup *setup,
          gpointer tag,
          GCancellable *cancellable,
          GAsyncReadyCallback callback,
          gpointer data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, data);

  g_task_set_source_tag (task, tag);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task,
                        dps_plugin_setup_ref (setup),
                        (GDestroyNotify) dps_plugin_setup_unref);
  return task;
}

static DpsSecret *
decode (const char *text, GError **error)
{
  gsize size = strlen (text);
  DpsSecret *challenge = NULL;
  g_autoptr (GError) wrong = NULL;

  if (size <= DPS_BLOB_TEXT_MAX)
    challenge =
        dps_secret_new_from_base64 (text, size, 1, DPS_PLUGIN_RUNNER_BLOB_MAX, &wrong);
  if (challenge == NULL)
    g_set_error (error,
                 DPS_TPM_ERROR,
                 DPS_TPM_ERROR_CHALLENGE_MALFORMED,
                 "the service's authenticationKey: %s",
                 wrong ? wrong->message : "too long");
  return challenge;
}

static void
on_answered (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  DpsSecret *blob =
      dps_plugin_runner_answer_finish (DPS_PLUGIN_RUNNER (source), result, &error);

  if (blob != NULL)
    g_task_return_pointer (task, blob, (GDestroyNotify) dps_secret_unref);
  else
    g_task_return_error (task, error);
}

void
dps_challenge_answer_async (DpsPluginSetup *setup,
                            const char *text,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer data)
{
  g_autoptr (GTask) task =
      new_task (setup, dps_challenge_answer_async, cancellable, callback, data);
  GError *error = NULL;
  g_autoptr (DpsSecret) challenge = decode (text, &error);

  if (challenge == NULL)
    g_task_return_error (task, error);
  else
    dps_plugin_runner_answer_async (setup->runner,
                                    setup->settings,
                                    setup->secrets,
                                    challenge,
                                    cancellable,
                                    on_answered,
                                    g_steal_pointer (&task));
}

DpsSecret *
dps_challenge_answer_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
on_signed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;
  g_autoptr (GBytes) signature =
      dps_plugin_runner_sign_finish (DPS_PLUGIN_RUNNER (source), result, &error);

  if (signature == NULL)
    g_task_return_error (task, error);
  else if (g_bytes_get_size (signature) != SIGNATURE_SIZE)
    g_task_return_new_error (task,
                             DPS_ERROR,
                             DPS_ERROR_REJECTED,
                             "plugin %s: a signature of %" G_GSIZE_FORMAT
                             " bytes, where HMAC-SHA-256 has %d",
                             dps_plugin_runner_get_name (DPS_PLUGIN_RUNNER (source)),
                             g_bytes_get_size (signature),
                             SIGNATURE_SIZE);
  else
    g_task_return_pointer (task,
                           g_steal_pointer (&signature),
                           (GDestroyNotify) g_bytes_unref);
}

void
dps_challenge_sign_async (DpsPluginSetup *setup,
                          const char *slot,
                          DpsSecret *blob,
                          GBytes *bytes,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer data)
{
  dps_plugin_runner_sign_async (setup->runner,
                                setup->settings,
                                setup->secrets,
                                slot,
                                MECHANISM,
                                blob,
                                bytes,
                                cancellable,
                                on_signed,
                                new_task (setup,
                                          dps_challenge_sign_async,
                                          cancellable,
                                          callback,
                                          data));
}

GBytes *
dps_challenge_sign_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
