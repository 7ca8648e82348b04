/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-sign.h"
#include "common/dps-error.h"

#define HMAC_SIZE 32

/* One signature, the data of its task. */
typedef struct
{
  DpsPluginSetup *setup; /* kept while its runner works */
  gsize size;            /* of the signature; 0 = any */
} Signing;

static void
signing_free (Signing *signing)
{
  dps_plugin_setup_unref (signing->setup);
  g_free (signing);
}

static void
on_signed (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Signing *signing = g_task_get_task_data (task);
  GError *error = NULL;
  g_autoptr (GBytes) signature =
      dps_plugin_runner_sign_finish (DPS_PLUGIN_RUNNER (source), result, &error);

  if (signature == NULL)
    g_task_return_error (task, error);
  else if (signing->size != 0 && g_bytes_get_size (signature) != signing->size)
    g_task_return_new_error (task,
                             DPS_ERROR,
                             DPS_ERROR_REJECTED,
                             "plugin %s: a signature of %" G_GSIZE_FORMAT
                             " bytes, where HMAC-SHA-256 has %" G_GSIZE_FORMAT,
                             dps_plugin_runner_get_name (DPS_PLUGIN_RUNNER (source)),
                             g_bytes_get_size (signature),
                             signing->size);
  else
    g_task_return_pointer (task,
                           g_steal_pointer (&signature),
                           (GDestroyNotify) g_bytes_unref);
}

void
dps_plugin_sign_async (DpsPluginSetup *setup,
                       const char *slot,
                       const char *mechanism,
                       DpsSecret *blob,
                       GBytes *bytes,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, data);
  Signing *signing = g_new0 (Signing, 1);

  signing->setup = dps_plugin_setup_ref (setup);
  signing->size = g_str_equal (mechanism, DPS_PLUGIN_HMAC_SHA256) ? HMAC_SIZE : 0;
  g_task_set_source_tag (task, dps_plugin_sign_async);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, signing, (GDestroyNotify) signing_free);
  dps_plugin_runner_sign_async (setup->runner,
                                setup->settings,
                                setup->secrets,
                                slot,
                                mechanism,
                                blob,
                                bytes,
                                cancellable,
                                on_signed,
                                task);
}

GBytes *
dps_plugin_sign_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
