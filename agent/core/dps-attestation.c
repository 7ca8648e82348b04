/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-attestation.h"
#include "common/dps-error.h"
#include "common/dps-name.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-tls-signer.h"

#include <string.h>

/* A marshalled TPM2B_PUBLIC: two bytes of size, and that many (dps-protocol §5.2). */
#define PUBLIC_MIN 3
#define PUBLIC_MAX 2048

/* One run, the data of its task. */
typedef struct
{
  DpsSettings *settings;
  DpsConfig *config;
  DpsImportedKey *imported_key; /* or NULL */
  DpsPluginSetup *setup;
  DpsAttestation *attestation; /* in the making */
  DpsFailure *failure;
} Run;

void
dps_attestation_free (DpsAttestation *self)
{
  g_clear_pointer (&self->key, dps_secret_unref);
  g_clear_pointer (&self->setup, dps_plugin_setup_unref);
  g_clear_pointer (&self->tls, dps_tls_identity_unref);
  g_clear_pointer (&self->endorsement_key, g_bytes_unref);
  g_clear_pointer (&self->storage_root_key, g_bytes_unref);
  g_free (self->registration_id);
  g_free (self->payload);
  g_free (self);
}

static void
run_free (Run *run)
{
  g_object_unref (run->settings);
  g_object_unref (run->config);
  g_clear_pointer (&run->imported_key, dps_imported_key_unref);
  g_clear_pointer (&run->setup, dps_plugin_setup_unref);
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

const char *
dps_attestation_choose_id (DpsConfig *config,
                           const char *derived_for,
                           const char *described,
                           GError **error)
{
  const char *id = derived_for;

  if (id == NULL)
    id = dps_config_get_string (config, DPS_CONFIG_REGISTRATION_ID);
  if (id == NULL)
    id = described;
  if (id != NULL)
    return dps_name_check_registration_id (id, error) ? id : NULL;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_CONFIGURED,
               "neither registration-id= nor the plugin names one");
  return NULL;
}

const char *
dps_attestation_choose_certificate_id (const char *configured,
                                       DpsCertificateChain *chain,
                                       DpsFailure **failure)
{
  const char *name = dps_certificate_chain_get_common_name (chain);
  g_autoptr (GError) error = NULL;

  if (name == NULL)
    *failure =
        dps_failure_new (DPS_FAILURE_X509_COMMON_NAME, "it has no common name at all");
  else if (!dps_name_check_registration_id (name, &error))
    *failure = dps_failure_new_from_error (DPS_FAILURE_X509_COMMON_NAME, error);
  else if (configured != NULL && g_ascii_strcasecmp (configured, name) != 0)
    *failure = dps_failure_new (DPS_FAILURE_X509_OTHER_ID,
                                "registration-id= is %s, the common name is %s",
                                configured,
                                name);
  else
    return configured != NULL ? configured : name;
  return NULL;
}

static DpsFailure *
choose_registration_id (Run *run, const DpsPluginDescription *description)
{
  const DpsImportedKey *key = run->imported_key;
  DpsFailure *failure = NULL;
  g_autoptr (GError) error = NULL;
  const char *id;

  if (run->attestation->tls != NULL)
    id = dps_attestation_choose_certificate_id (
        dps_config_get_string (run->config, DPS_CONFIG_REGISTRATION_ID),
        dps_tls_identity_get_chain (run->attestation->tls),
        &failure);
  else
    id = dps_attestation_choose_id (run->config,
                                    key != NULL ? key->registration_id : NULL,
                                    description->registration_id,
                                    &error);
  if (error != NULL)
    failure = dps_failure_new_from_error (DPS_FAILURE_NO_REGISTRATION_ID, error);
  run->attestation->registration_id = g_strdup (id);
  return failure;
}

static GBytes *
take_public (GHashTable *material, const char *name, GError **error)
{
  const char *text = g_hash_table_lookup (material, name);
  g_autoptr (DpsSecret) bytes = NULL;
  const guint8 *data;

  if (text == NULL)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_REJECTED, "the plugin gave no %s", name);
      return NULL;
    }
  bytes = dps_secret_new_from_base64 (text, strlen (text), PUBLIC_MIN, PUBLIC_MAX, error);
  if (bytes == NULL)
    return g_prefix_error (error, "the plugin's %s: ", name), NULL;
  data = dps_secret_data (bytes);
  if (((gsize) data[0] << 8 | data[1]) + 2 == dps_secret_size (bytes))
    return g_bytes_new (data, dps_secret_size (bytes));
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "the plugin's %s is no marshalled TPM2B_PUBLIC",
               name);
  return NULL;
}

static DpsFailure *
take_tpm (Run *run, GHashTable *material)
{
  DpsAttestation *self = run->attestation;
  g_autoptr (GError) error = NULL;

  self->setup = dps_plugin_setup_ref (run->setup);
  self->endorsement_key = take_public (material, "endorsement-key", &error);
  if (self->endorsement_key != NULL)
    self->storage_root_key = take_public (material, "storage-root-key", &error);
  return error != NULL ? dps_failure_new_from_error (DPS_FAILURE_PLUGIN_REFUSED, error)
                       : NULL;
}

static DpsFailure *
take_certificate (Run *run, GHashTable *material, GCancellable *cancellable)
{
  const char *pem = g_hash_table_lookup (material, "certificate");
  g_autoptr (DpsCertificateChain) chain = NULL;
  g_autoptr (GError) error = NULL;

  if (pem == NULL)
    return dps_failure_new (DPS_FAILURE_PLUGIN_REFUSED, "the plugin gave no certificate");
  chain = dps_certificate_chain_new_from_pem (pem, strlen (pem), &error);
  if (chain == NULL)
    return dps_failure_new_from_error (DPS_FAILURE_X509_CERTIFICATE, error);
  run->attestation->setup = dps_plugin_setup_ref (run->setup);
  run->attestation->tls = dps_tls_signer_new (run->setup, chain, cancellable, &error);
  return error != NULL ? dps_failure_new_from_error (DPS_FAILURE_X509_KEY, error) : NULL;
}

/* What the host shows to DPS. A key the agent signs with itself, so that its plugin has
 * done all it can; with a TPM or a certificate it goes on. */
static DpsFailure *
take_description (Run *run,
                  const DpsPluginDescription *description,
                  GCancellable *cancellable)
{
  DpsAttestation *self = run->attestation;

  self->confinement = description->confinement;
  if (description->key != NULL)
    {
      self->key = dps_secret_ref (description->key);
      return NULL;
    }
  return g_str_equal (description->kind, "x509")
             ? take_certificate (run, description->material, cancellable)
             : take_tpm (run, description->material);
}

static void
on_described (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Run *run = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsPluginDescription) description =
      dps_plugin_runner_describe_finish (DPS_PLUGIN_RUNNER (source), result, &error);
  DpsFailure *failure;

  if (description == NULL)
    failure = dps_failure_new_from_error (dps_plugin_cause_kind (error), error);
  else
    failure = take_description (run, description, g_task_get_cancellable (task));
  if (failure == NULL)
    failure = choose_registration_id (run, description);
  finish (task, failure);
}

static DpsFailure *
read_setup (Run *run)
{
  DpsFailure *failure = NULL;

  run->setup =
      dps_plugin_setup_read (run->settings,
                             run->config,
                             dps_config_get_string (run->config, DPS_CONFIG_ATTESTATION),
                             run->imported_key ? run->imported_key->text : NULL,
                             &failure);
  return failure;
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
  DpsFailure *failure = read_setup (data);

  if (failure == NULL)
    failure = read_payload (data);
  g_task_return_pointer (worker, failure, (GDestroyNotify) dps_failure_unref);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Run *run = g_task_get_task_data (task);
  DpsFailure *failure = g_task_propagate_pointer (G_TASK (result), NULL);

  if (failure == NULL && g_cancellable_is_cancelled (g_task_get_cancellable (task)))
    failure = dps_failure_new (DPS_FAILURE_CANCELLED, NULL);
  if (failure != NULL)
    finish (task, failure);
  else
    dps_plugin_runner_describe_async (run->setup->runner,
                                      run->setup->settings,
                                      run->setup->secrets,
                                      g_task_get_cancellable (task),
                                      on_described,
                                      task);
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
  run->imported_key = imported_key ? dps_imported_key_ref (imported_key) : NULL;
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
