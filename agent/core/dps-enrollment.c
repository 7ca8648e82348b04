/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-enrollment.h"
#include "common/dps-error.h"
#include "core/dps-attestation.h"
#include "core/dps-group-key.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-plugin-setup.h"

/* Asks the plugin tpm for more than an attempt needs, which is dear on a slow TPM. */
#define DESCRIBE_ENROLLMENT "describe-enrollment"

/* One run, the data of its task. */
typedef struct
{
  DpsSettings *settings;
  DpsConfig *config;
  DpsSecret *key; /* imported, as text; or NULL */
  DpsPluginSetup *setup;
  DpsFailure *failure;
} Run;

static void
run_free (Run *run)
{
  g_object_unref (run->settings);
  g_object_unref (run->config);
  g_clear_pointer (&run->key, dps_secret_unref);
  g_clear_pointer (&run->setup, dps_plugin_setup_unref);
  g_clear_pointer (&run->failure, dps_failure_unref);
  g_free (run);
}

/* Consumes task and enrollment; NULL = run->failure says why. */
static void
finish (GTask *task, GVariant *enrollment)
{
  if (enrollment != NULL)
    g_variant_ref_sink (enrollment);
  g_task_return_pointer (task, enrollment, (GDestroyNotify) g_variant_unref);
  g_object_unref (task);
}

static void
fail (GTask *task, DpsFailureKind kind, GError *error)
{
  Run *run = g_task_get_task_data (task);

  run->failure = dps_failure_new_from_error (kind, error);
  finish (task, NULL);
}

static GVariant *
build (DpsConfig *config,
       const char *kind,
       const char *id,
       const char *derived, /* registration id; or NULL */
       gboolean group,
       GHashTable *material,
       const char *text)
{
  g_auto (GVariantBuilder) pairs = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{ss}"));
  const char *attestation = dps_config_get_string (config, DPS_CONFIG_ATTESTATION);
  const char *endpoint = dps_config_get_string (config, DPS_CONFIG_ENDPOINT);
  gpointer name, value;
  GHashTableIter iter;
  GVariantDict dict;

  if (material != NULL)
    {
      g_hash_table_iter_init (&iter, material);
      while (g_hash_table_iter_next (&iter, &name, &value))
        g_variant_builder_add (&pairs, "{ss}", name, value);
    }
  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert (&dict, "attestation", "s", attestation);
  g_variant_dict_insert (&dict, "kind", "s", kind);
  g_variant_dict_insert (&dict, "registration-id", "s", id);
  g_variant_dict_insert (&dict,
                         "derived-registration-id",
                         "s",
                         derived != NULL ? derived : "");
  g_variant_dict_insert (&dict, "endpoint", "s", endpoint);
  g_variant_dict_insert (&dict, "group", "b", group);
  g_variant_dict_insert_value (&dict, "material", g_variant_builder_end (&pairs));
  g_variant_dict_insert (&dict, "text", "s", text != NULL ? text : "");
  return g_variant_dict_end (&dict);
}

static void
on_described (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Run *run = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginDescription) description =
      dps_plugin_runner_describe_finish (DPS_PLUGIN_RUNNER (source), result, &error);
  const char *id;

  if (description == NULL)
    {
      fail (task, dps_plugin_cause_kind (error), error);
      return;
    }
  id =
      dps_attestation_choose_id (run->config, NULL, description->registration_id, &error);
  if (id == NULL)
    fail (task, DPS_FAILURE_NO_REGISTRATION_ID, error);
  else
    finish (task,
            build (run->config,
                   description->kind,
                   id,
                   description->registration_id,
                   FALSE,
                   description->material,
                   description->enrollment));
}

static void
read_in_thread (GTask *worker, gpointer source, gpointer data, GCancellable *cancellable)
{
  Run *run = data;

  run->setup =
      dps_plugin_setup_read (run->settings,
                             run->config,
                             dps_config_get_string (run->config, DPS_CONFIG_ATTESTATION),
                             run->key,
                             &run->failure);
  g_task_return_boolean (worker, TRUE);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  Run *run = g_task_get_task_data (data);
  g_autoptr (GHashTable) settings = NULL;
  gpointer name, value;
  GHashTableIter iter;

  if (run->setup == NULL)
    {
      finish (data, NULL);
      return;
    }
  settings = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_iter_init (&iter, run->setup->settings);
  while (g_hash_table_iter_next (&iter, &name, &value))
    g_hash_table_insert (settings, g_strdup (name), g_strdup (value));
  if (g_str_equal (dps_plugin_runner_get_name (run->setup->runner), "tpm"))
    g_hash_table_insert (settings, g_strdup (DESCRIBE_ENROLLMENT), g_strdup ("yes"));
  dps_plugin_runner_describe_async (run->setup->runner,
                                    settings,
                                    run->setup->secrets,
                                    NULL,
                                    on_described,
                                    data);
}

/* The enrolment comes before the key, and the plugin could say nothing but the key. */
static void
describe_symmetric (GTask *task, gboolean group)
{
  Run *run = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  const char *id = dps_attestation_choose_id (run->config, NULL, NULL, &error);

  if (id == NULL)
    fail (task, DPS_FAILURE_NO_REGISTRATION_ID, error);
  else
    finish (task, build (run->config, "symmetric-key", id, NULL, group, NULL, NULL));
}

void
dps_enrollment_run_async (DpsSettings *settings,
                          DpsKeeper *keeper,
                          GAsyncReadyCallback callback,
                          gpointer data)
{
  GTask *task = g_task_new (NULL, NULL, callback, data);
  g_autoptr (GTask) worker = NULL;
  Run *run = g_new0 (Run, 1);
  DpsKeyFacts facts;

  run->settings = g_object_ref (settings);
  run->config = g_object_ref (dps_settings_get_config (settings));
  g_task_set_task_data (task, run, (GDestroyNotify) run_free);
  facts = dps_group_key_facts (run->config, keeper);
  if (facts.is_symmetric)
    {
      describe_symmetric (task,
                          facts.has_group_key_file ||
                              (facts.stored != NULL &&
                               facts.stored->registration_id != NULL));
      return;
    }
  if (facts.stored != NULL)
    run->key = dps_secret_ref (facts.stored->text);
  worker = g_task_new (NULL, NULL, on_read, task);
  g_task_set_task_data (worker, run, NULL);
  g_task_run_in_thread (worker, read_in_thread);
}

GVariant *
dps_enrollment_run_finish (GAsyncResult *result, DpsFailure **failure)
{
  Run *run = g_task_get_task_data (G_TASK (result));
  GVariant *enrollment = g_task_propagate_pointer (G_TASK (result), NULL);

  if (enrollment == NULL)
    *failure = g_steal_pointer (&run->failure);
  return enrollment;
}

GError *
dps_enrollment_error (const DpsFailure *failure)
{
  const DpsFailureRow *row = dps_failure_row (failure->kind);
  g_autofree char *what = dps_failure_describe (failure);

  return g_error_new (DPS_ERROR,
                      failure->kind == DPS_FAILURE_NO_REGISTRATION_ID
                          ? DPS_ERROR_NOT_CONFIGURED
                          : DPS_ERROR_FAILED,
                      "%s %s; %s",
                      row->code,
                      what,
                      row->remedy);
}
