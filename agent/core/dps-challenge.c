/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-challenge.h"
#include "dps/dps-message.h"
#include "tpm/dps-tpm-error.h"

#include <string.h>

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
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);
  GError *error = NULL;
  g_autoptr (DpsSecret) challenge = decode (text, &error);

  g_task_set_source_tag (task, dps_challenge_answer_async);
  g_task_set_check_cancellable (task, FALSE);
  /* The task keeps the setup while its runner works. */
  g_task_set_task_data (task,
                        dps_plugin_setup_ref (setup),
                        (GDestroyNotify) dps_plugin_setup_unref);
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
