/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-signer.h"
#include "common/dps-error.h"
#include "core/dps-plugin-cause.h"
#include "core/dps-plugin-sign.h"

struct _DpsSigner
{
  GObject parent;
  DpsSettings *settings;
  DpsPluginSetup *setup; /* of the last signature; or NULL */
  guint drops;           /* so that what is read meanwhile is not kept */
};

G_DEFINE_FINAL_TYPE (DpsSigner, dps_signer, G_TYPE_OBJECT)

static guint identity_lost;

/* One signature, the data of its task. */
typedef struct
{
  DpsIdentity *identity;
  char *mechanism;
  GBytes *bytes;
  DpsSettings *settings; /* the signer's */
  DpsConfig *config;
  DpsPluginSetup *setup;
  guint drops; /* of the signer, when the reading of setup began */
} Signing;

static void
signing_free (Signing *signing)
{
  dps_identity_unref (signing->identity);
  g_free (signing->mechanism);
  g_bytes_unref (signing->bytes);
  g_clear_object (&signing->config);
  g_clear_pointer (&signing->setup, dps_plugin_setup_unref);
  g_free (signing);
}

static void
dps_signer_finalize (GObject *object)
{
  DpsSigner *self = DPS_SIGNER (object);

  dps_signer_drop (self);
  g_object_unref (self->settings);
  G_OBJECT_CLASS (dps_signer_parent_class)->finalize (object);
}

static void
dps_signer_class_init (DpsSignerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_signer_finalize;
  identity_lost = g_signal_new ("identity-lost",
                                DPS_TYPE_SIGNER,
                                G_SIGNAL_RUN_LAST,
                                0,
                                NULL,
                                NULL,
                                NULL,
                                G_TYPE_NONE,
                                2,
                                G_TYPE_POINTER,
                                G_TYPE_POINTER);
}

static void
dps_signer_init (DpsSigner *self)
{
}

DpsSigner *
dps_signer_new (DpsSettings *settings)
{
  DpsSigner *self = g_object_new (DPS_TYPE_SIGNER, NULL);

  self->settings = g_object_ref (settings);
  return self;
}

void
dps_signer_drop (DpsSigner *self)
{
  g_clear_pointer (&self->setup, dps_plugin_setup_unref);
  self->drops++;
}

DpsConfig *
dps_signer_get_config (DpsSigner *self)
{
  return dps_settings_get_config (self->settings);
}

void
dps_signer_adopt (DpsSigner *self, DpsPluginSetup *setup)
{
  dps_plugin_setup_ref (setup);
  dps_signer_drop (self);
  self->setup = setup;
}

/* Consumes task. */
static void
fail (GTask *task, DpsError code, const DpsFailure *failure)
{
  g_task_return_error (task, dps_failure_to_error (failure, code));
  g_object_unref (task);
}

static gboolean
is_loss (const DpsFailure *failure)
{
  return failure->kind == DPS_FAILURE_TPM_CLEARED ||
         failure->kind == DPS_FAILURE_TPM_REPLACED;
}

static void
on_signed (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  DpsSigner *self = g_task_get_source_object (task);
  Signing *signing = g_task_get_task_data (task);
  g_autoptr (DpsFailure) failure = NULL;
  GError *error = NULL;
  GBytes *signature = dps_plugin_sign_finish (result, &error);

  if (signature != NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      if (signature != NULL)
        g_task_return_pointer (task, signature, (GDestroyNotify) g_bytes_unref);
      else
        g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  /* What is wrong may be in a file that is mended before the next signature. */
  if (self->setup == signing->setup)
    dps_signer_drop (self);
  failure = dps_failure_new_from_error (dps_plugin_cause_kind (error), error);
  if (is_loss (failure))
    g_signal_emit (self, identity_lost, 0, signing->identity, failure);
  fail (task,
        error->domain == DPS_ERROR ? (DpsError) error->code : DPS_ERROR_FAILED,
        failure);
  g_error_free (error);
}

static void
sign (GTask *task)
{
  Signing *signing = g_task_get_task_data (task);

  dps_plugin_sign_async (signing->setup,
                         DPS_PLUGIN_SLOT_HUB,
                         signing->mechanism,
                         signing->identity->blob,
                         signing->bytes,
                         g_task_get_cancellable (task),
                         on_signed,
                         task);
}

/* The setup that is kept, where it is for this identity's plugin. */
static gboolean
take_kept (DpsSigner *self, Signing *signing)
{
  if (self->setup == NULL ||
      !dps_plugin_setup_is_for (self->setup, signing->identity->attestation))
    return FALSE;
  g_clear_pointer (&signing->setup, dps_plugin_setup_unref);
  signing->setup = dps_plugin_setup_ref (self->setup);
  return TRUE;
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  DpsSigner *self = g_task_get_source_object (task);
  Signing *signing = g_task_get_task_data (task);
  g_autoptr (DpsFailure) failure = g_task_propagate_pointer (G_TASK (result), NULL);

  if (failure != NULL)
    {
      fail (task, DPS_ERROR_FAILED, failure);
      return;
    }
  /* Another signature may have been faster, and a plugin needs one process. */
  if (!take_kept (self, signing) && self->drops == signing->drops)
    {
      g_clear_pointer (&self->setup, dps_plugin_setup_unref);
      self->setup = dps_plugin_setup_ref (signing->setup);
    }
  sign (task);
}

static void
read_in_thread (GTask *worker, gpointer source, gpointer data, GCancellable *cancellable)
{
  Signing *signing = data;
  DpsFailure *failure = NULL;

  signing->setup = dps_plugin_setup_read (signing->settings,
                                          signing->config,
                                          signing->identity->attestation,
                                          NULL,
                                          &failure);
  g_task_return_pointer (worker, failure, (GDestroyNotify) dps_failure_unref);
}

static void
read_setup (DpsSigner *self, GTask *task)
{
  Signing *signing = g_task_get_task_data (task);
  DpsConfig *config = dps_settings_get_config (self->settings);
  const GError *error = dps_settings_get_error (self->settings);
  g_autoptr (GTask) worker = NULL;
  g_autoptr (DpsFailure) failure = NULL;

  if (config == NULL)
    {
      failure = dps_failure_new_from_error (dps_settings_failure_kind (error), error);
      fail (task, DPS_ERROR_NOT_CONFIGURED, failure);
      return;
    }
  signing->settings = self->settings;
  signing->config = g_object_ref (config);
  signing->drops = self->drops;
  worker = g_task_new (NULL, NULL, on_read, task);
  g_task_set_task_data (worker, signing, NULL);
  g_task_run_in_thread (worker, read_in_thread);
}

void
dps_signer_sign_async (DpsSigner *self,
                       DpsIdentity *identity,
                       const char *mechanism,
                       GBytes *bytes,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer data)
{
  GTask *task = g_task_new (self, cancellable, callback, data);
  Signing *signing = g_new0 (Signing, 1);

  signing->identity = dps_identity_ref (identity);
  signing->mechanism = g_strdup (mechanism);
  signing->bytes = g_bytes_ref (bytes);
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, signing, (GDestroyNotify) signing_free);
  if (take_kept (self, signing))
    sign (task);
  else
    read_setup (self, task);
}

GBytes *
dps_signer_sign_finish (DpsSigner *self, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
