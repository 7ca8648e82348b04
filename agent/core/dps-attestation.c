/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-attestation.h"
#include "common/dps-error.h"
#include "common/dps-name.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-plugin-confinement.h"

/* The name under which a plugin gets key-file= or an imported key. */
#define KEY_SECRET "key"

/* One run, the data of its task. */
typedef struct
{
  DpsSettings *settings;
  DpsConfig *config;
  DpsSecret *key_text; /* as in the file, for the plugin */
  char *derived_for;   /* the registration id that key_text goes with, or NULL */
  GHashTable *secrets; /* what the group of a plugin from elsewhere names */
  DpsPluginRunner *runner;
  DpsAttestation *attestation; /* in the making */
  DpsFailure *failure;
} Run;

void
dps_attestation_free (DpsAttestation *self)
{
  g_clear_pointer (&self->key, dps_secret_unref);
  g_free (self->registration_id);
  g_free (self->payload);
  g_free (self);
}

static void
run_free (Run *run)
{
  g_object_unref (run->settings);
  g_object_unref (run->config);
  g_clear_pointer (&run->key_text, dps_secret_unref);
  g_free (run->derived_for);
  g_clear_pointer (&run->secrets, g_hash_table_unref);
  g_clear_object (&run->runner);
  g_clear_pointer (&run->attestation, dps_attestation_free);
  g_clear_pointer (&run->failure, dps_failure_unref);
  g_free (run);
}

/* Consumes task; failure NULL = success. */
static void
finish (GTask *task, DpsFailure *failure)
{
  Run *run = g_task_get_task_data (task);

  run->failure = failure;
  g_task_return_boolean (task, failure == NULL);
  g_object_unref (task);
}

static gboolean
choose_registration_id (Run *run, const DpsPluginDescription *description, GError **error)
{
  const char *id = run->derived_for;

  if (id == NULL)
    id = dps_config_get_string (run->config, DPS_CONFIG_REGISTRATION_ID);
  if (id == NULL)
    id = description->registration_id;
  if (id == NULL)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_CONFIGURED,
                   "neither registration-id= nor the plugin names one");
      return FALSE;
    }
  if (!dps_name_check_registration_id (id, error))
    return FALSE;
  run->attestation->registration_id = g_strdup (id);
  return TRUE;
}

static void
on_described (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Run *run = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginDescription) description =
      dps_plugin_runner_describe_finish (DPS_PLUGIN_RUNNER (source), result, &error);

  if (description == NULL)
    finish (task, dps_failure_new_from_error (dps_plugin_cause_kind (error), error));
  else if (description->key == NULL)
    finish (task, dps_failure_new (DPS_FAILURE_PLUGIN_REFUSED, "the plugin gave no key"));
  else if (!choose_registration_id (run, description, &error))
    finish (task, dps_failure_new_from_error (DPS_FAILURE_NO_REGISTRATION_ID, error));
  else
    {
      run->attestation->key = dps_secret_ref (description->key);
      run->attestation->confinement = description->confinement;
      finish (task, NULL);
    }
}

static void
describe (GTask *task)
{
  Run *run = g_task_get_task_data (task);
  const char *plugin = dps_config_get_string (run->config, DPS_CONFIG_ATTESTATION);
  g_autoptr (GHashTable) settings = dps_config_dup_settings_of (run->config, plugin);

  if (run->key_text != NULL)
    g_hash_table_replace (run->secrets,
                          g_strdup (KEY_SECRET),
                          dps_secret_ref (run->key_text));
  run->runner = dps_plugin_runner_new (dps_settings_get_plugin_host (run->settings),
                                       dps_settings_get_plugin_dir (run->settings),
                                       plugin);
  dps_plugin_runner_set_allow_unix (
      run->runner,
      dps_plugin_confinement_grants_unix (plugin,
                                          dps_config_get_string (run->config,
                                                                 DPS_CONFIG_X509_KEY)));
  dps_plugin_runner_describe_async (run->runner,
                                    settings,
                                    run->secrets,
                                    g_task_get_cancellable (task),
                                    on_described,
                                    task);
}

static DpsFailure *
read_key (Run *run)
{
  g_autoptr (GError) error = NULL;

  /* One plugin's key is no business of another. */
  if (run->key_text != NULL ||
      dps_config_get_string (run->config, DPS_CONFIG_KEY_FILE) == NULL ||
      !g_str_equal (dps_config_get_string (run->config, DPS_CONFIG_ATTESTATION),
                    "symmetric-key"))
    return NULL;
  run->key_text = dps_config_read_secret (run->config, DPS_CONFIG_KEY_FILE, &error);
  return error ? dps_failure_new_from_error (DPS_FAILURE_SECRET_FILE, error) : NULL;
}

static DpsFailure *
read_secrets (Run *run)
{
  g_autoptr (GError) error = NULL;

  run->secrets =
      dps_config_read_secrets_of (run->config,
                                  dps_config_get_string (run->config,
                                                         DPS_CONFIG_ATTESTATION),
                                  run->key_text != NULL ? KEY_SECRET : NULL,
                                  &error);
  return error ? dps_failure_new_from_error (DPS_FAILURE_SECRET_FILE, error) : NULL;
}

static DpsFailure *
read_payload (Run *run)
{
  g_autoptr (GBytes) payload = NULL;
  g_autoptr (GError) error = NULL;

  if (dps_config_get_string (run->config, DPS_CONFIG_PAYLOAD_FILE) == NULL)
    return NULL;
  payload = dps_config_read_file (run->config, DPS_CONFIG_PAYLOAD_FILE, &error);
  if (payload == NULL)
    return dps_failure_new_from_error (DPS_FAILURE_PAYLOAD_FILE, error);
  run->attestation->payload =
      g_strndup (g_bytes_get_data (payload, NULL), g_bytes_get_size (payload));
  return NULL;
}

static void
read_in_thread (GTask *worker, gpointer source, gpointer data, GCancellable *cancellable)
{
  DpsFailure *failure = read_key (data);

  if (failure == NULL)
    failure = read_secrets (data);
  if (failure == NULL)
    failure = read_payload (data);
  g_task_return_pointer (worker, failure, (GDestroyNotify) dps_failure_unref);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  DpsFailure *failure = g_task_propagate_pointer (G_TASK (result), NULL);

  if (failure == NULL && g_cancellable_is_cancelled (g_task_get_cancellable (task)))
    failure = dps_failure_new (DPS_FAILURE_CANCELLED, NULL);
  if (failure != NULL)
    finish (task, failure);
  else
    describe (task);
}

void
dps_attestation_run_async (DpsSettings *settings,
                           DpsImportedKey *imported_key,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, data);
  g_autoptr (GTask) worker = g_task_new (NULL, NULL, on_read, task);
  Run *run = g_new0 (Run, 1);

  run->settings = g_object_ref (settings);
  run->config = g_object_ref (dps_settings_get_config (settings));
  if (imported_key != NULL)
    {
      run->key_text = dps_secret_ref (imported_key->text);
      run->derived_for = g_strdup (imported_key->registration_id);
    }
  run->attestation = g_new0 (DpsAttestation, 1);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, run, (GDestroyNotify) run_free);
  g_task_set_task_data (worker, run, NULL);
  g_task_run_in_thread (worker, read_in_thread);
}

DpsAttestation *
dps_attestation_finish (GAsyncResult *result, DpsFailure **failure)
{
  Run *run = g_task_get_task_data (G_TASK (result));

  if (g_task_propagate_boolean (G_TASK (result), NULL))
    return g_steal_pointer (&run->attestation);
  *failure = g_steal_pointer (&run->failure);
  return NULL;
}
