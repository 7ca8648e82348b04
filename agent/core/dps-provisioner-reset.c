/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-plugin-setup.h"
#include "core/dps-standing.h"
#include "core/dps-summary.h"

/* One reset, the data of its task. */
typedef struct
{
  char *plugin; /* that may have left something outside the store, or NULL */
  DpsSettings *settings;
  DpsConfig *config; /* NULL = there is none */
  DpsPluginSetup *setup;
} Reset;

static void
reset_free (Reset *reset)
{
  g_free (reset->plugin);
  g_object_unref (reset->settings);
  g_clear_object (&reset->config);
  g_clear_pointer (&reset->setup, dps_plugin_setup_unref);
  g_free (reset);
}

/* Consumes task; takes error, NULL = the store is empty. */
static void
end_reset (GTask *task, GError *error)
{
  g_autoptr (GTask) owned = task;
  g_autoptr (DpsFailure) reason = NULL;
  DpsProvisioner *self = g_task_get_source_object (task);

  self->resetting = FALSE;
  if (error != NULL)
    reason = dps_failure_new_from_error (DPS_FAILURE_STORE_WRITE, error);
  dps_provisioner_rest (self, reason);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_boolean (task, TRUE);
  dps_provisioner_settle (self);
}

/* The identity is gone all the same. */
static void
warn (const Reset *reset, const char *text)
{
  dps_warning ((TOPIC ("plugin"), OBJECT (reset->plugin)),
               "what it left outside the store may still be there: %s",
               text);
}

static void
on_forgotten (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;

  if (!dps_plugin_runner_forget_finish (DPS_PLUGIN_RUNNER (source), result, &error) &&
      !g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED))
    {
      g_autoptr (DpsFailure) failure =
          dps_failure_new_from_error (dps_plugin_cause_kind (error), error);
      g_autofree char *text = dps_failure_describe (failure);

      warn (g_task_get_task_data (data), text);
    }
  end_reset (data, NULL);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Reset *reset = g_task_get_task_data (data);
  g_autoptr (DpsFailure) failure = g_task_propagate_pointer (G_TASK (result), NULL);

  if (failure != NULL)
    {
      g_autofree char *text = dps_failure_describe (failure);

      warn (reset, text);
      end_reset (data, NULL);
      return;
    }
  dps_plugin_runner_forget_async (reset->setup->runner,
                                  reset->setup->settings,
                                  reset->setup->secrets,
                                  NULL,
                                  on_forgotten,
                                  data);
}

static void
read_in_thread (GTask *worker, gpointer source, gpointer data, GCancellable *cancellable)
{
  Reset *reset = data;
  DpsFailure *failure = NULL;

  reset->setup = dps_plugin_setup_read (reset->settings,
                                        reset->config,
                                        reset->plugin,
                                        NULL,
                                        &failure);
  g_task_return_pointer (worker, failure, (GDestroyNotify) dps_failure_unref);
}

/* Takes the task. */
static void
forget (GTask *task)
{
  Reset *reset = g_task_get_task_data (task);
  g_autoptr (GTask) worker = NULL;

  if (reset->config == NULL)
    {
      warn (reset, "the agent is not configured");
      end_reset (task, NULL);
      return;
    }
  worker = g_task_new (NULL, NULL, on_read, task);
  g_task_set_task_data (worker, reset, NULL);
  g_task_run_in_thread (worker, read_in_thread);
}

static void
on_emptied (GObject *source, GAsyncResult *result, gpointer data)
{
  Reset *reset = g_task_get_task_data (data);
  DpsProvisioner *self = g_task_get_source_object (data);
  GError *error = NULL;

  if (dps_keeper_finish (DPS_KEEPER (source), result, &error))
    {
      self->failures = 0;
      dps_refusal_set (dps_settings_get_refusal (self->settings), NULL);
      g_signal_emit_by_name (self, "assignment-changed", "", "");
    }
  dps_summary_show_identity (self->report, self->keeper);
  dps_summary_show_config (self->report, self->settings, self->keeper);
  if (error == NULL && reset->plugin != NULL)
    forget (data);
  else
    end_reset (data, error);
}

/* Of an identity that a plugin signs for. */
static char *
find_plugin (DpsProvisioner *self)
{
  DpsIdentity *identity = dps_keeper_get_identity (self->keeper);

  return identity != NULL && identity->shape == DPS_SHAPE_PLUGIN
             ? g_strdup (identity->attestation)
             : NULL;
}

void
dps_provisioner_begin_reset (DpsProvisioner *self)
{
  Reset *reset = g_new0 (Reset, 1);
  DpsConfig *config = dps_settings_get_config (self->settings);

  reset->plugin = find_plugin (self);
  reset->settings = g_object_ref (self->settings);
  reset->config = config != NULL ? g_object_ref (config) : NULL;
  g_task_set_task_data (self->reset, reset, (GDestroyNotify) reset_free);
  dps_provisioner_end_waits (self);
  dps_http_sessions_clear (dps_settings_get_sessions (self->settings));
  dps_signer_drop (self->signer);
  self->resetting = TRUE;
  dps_keeper_reset_async (self->keeper, on_emptied, g_steal_pointer (&self->reset));
}
