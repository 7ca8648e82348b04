/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-keeper.h"
#include "common/dps-error.h"
#include "core/dps-group-file.h"

#include <string.h>

struct _DpsKeeper
{
  GObject parent;
  char *path;
  DpsSealing *sealing; /* a worker's, while there is one */
  DpsConfig *config;   /* or NULL */
  char *machine;
  DpsStore *store; /* NULL while it could not be opened */
  DpsVault *vault;
  const char *protection; /* of the vault, as the store said; static */
  gboolean read_only;
  gboolean loaded;     /* at least once, with whatever result */
  gboolean loading;    /* a worker reads the store */
  gboolean busy;       /* a worker writes it */
  DpsFailure *failure; /* the store holds something that could not be read */
  DpsFailure *obstacle;
  gboolean started_over;
  gboolean doubted;
};

G_DEFINE_FINAL_TYPE (DpsKeeper, dps_keeper, G_TYPE_OBJECT)

static void
dps_keeper_finalize (GObject *object)
{
  DpsKeeper *self = DPS_KEEPER (object);

  g_clear_object (&self->store);
  g_clear_object (&self->config);
  g_clear_pointer (&self->sealing, dps_sealing_free);
  g_free (self->path);
  g_free (self->machine);
  g_clear_pointer (&self->vault, dps_vault_free);
  g_clear_pointer (&self->failure, dps_failure_unref);
  g_clear_pointer (&self->obstacle, dps_failure_unref);
  G_OBJECT_CLASS (dps_keeper_parent_class)->finalize (object);
}

static void
dps_keeper_class_init (DpsKeeperClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dps_keeper_finalize;
}

static void
dps_keeper_init (DpsKeeper *self)
{
  self->vault = dps_vault_new ();
}

DpsKeeper *
dps_keeper_new (const char *path, DpsSealerMaker make, const char *machine)
{
  DpsKeeper *self = g_object_new (DPS_TYPE_KEEPER, NULL);

  self->path = g_strdup (path);
  self->sealing = dps_sealing_new (make);
  self->machine = g_strdup (machine);
  return self;
}

void
dps_keeper_set_config (DpsKeeper *self, DpsConfig *config)
{
  g_set_object (&self->config, config);
}

/* What a worker needs to read the store. */
typedef struct
{
  DpsConfig *config; /* or NULL */
  DpsStore *store;
  DpsVault *known; /* or NULL */
  gboolean doubted;
  DpsOpeningFlags flags;
} Load;

static void
load_free (Load *load)
{
  g_clear_object (&load->config);
  g_clear_object (&load->store);
  g_clear_pointer (&load->known, dps_vault_free);
  g_free (load);
}

static void
load_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  DpsKeeper *self = source;
  Load *load = data;
  DpsOpeningPlace place = {
    .path = self->path,
    .sealing = self->sealing,
    .machine = self->machine,
    .store = load->store,
    .known = load->known,
    .flags = load->flags,
  };

  if (load->doubted)
    dps_sealing_doubt (self->sealing);
  dps_sealing_follow (self->sealing, load->config);
  g_task_return_pointer (task,
                         dps_opening_run (&place),
                         (GDestroyNotify) dps_opening_free);
}

void
dps_keeper_load_async (DpsKeeper *self,
                       DpsOpeningFlags flags,
                       GAsyncReadyCallback callback,
                       gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, data);
  Load *load = g_new0 (Load, 1);

  g_return_if_fail (!self->loading && !self->busy);

  load->config = self->config ? g_object_ref (self->config) : NULL;
  load->store = self->store ? g_object_ref (self->store) : NULL;
  load->known = self->loaded && self->failure == NULL && !self->doubted
                    ? dps_vault_copy (self->vault)
                    : NULL;
  load->doubted = self->doubted;
  self->doubted = FALSE;
  load->flags = flags;
  g_task_set_task_data (task, load, (GDestroyNotify) load_free);
  self->loading = TRUE;
  g_task_run_in_thread (task, load_in_thread);
}

gboolean
dps_keeper_load_finish (DpsKeeper *self, GAsyncResult *result)
{
  g_autoptr (DpsOpening) opening = g_task_propagate_pointer (G_TASK (result), NULL);

  self->loading = FALSE;
  self->loaded = TRUE;
  g_set_object (&self->store, opening->store);
  self->protection = opening->protection;
  self->read_only = opening->is_read_only;
  dps_vault_free (self->vault);
  self->vault = dps_vault_copy (opening->vault);
  g_clear_pointer (&self->failure, dps_failure_unref);
  self->failure = g_steal_pointer (&opening->failure);
  g_clear_pointer (&self->obstacle, dps_failure_unref);
  self->obstacle = g_steal_pointer (&opening->obstacle);
  self->started_over |= opening->started_over;
  return self->failure == NULL;
}

gboolean
dps_keeper_is_loaded (DpsKeeper *self)
{
  return self->loaded;
}

gboolean
dps_keeper_is_loading (DpsKeeper *self)
{
  return self->loading;
}

DpsFailure *
dps_keeper_get_obstacle (DpsKeeper *self)
{
  return self->obstacle;
}

void
dps_keeper_doubt (DpsKeeper *self)
{
  self->doubted = TRUE;
}

gboolean
dps_keeper_take_started_over (DpsKeeper *self)
{
  gboolean started_over = self->started_over;

  self->started_over = FALSE;
  return started_over;
}

gboolean
dps_keeper_may_rise (DpsKeeper *self)
{
  return self->obstacle != NULL ||
         strcmp (dps_keeper_get_protection (self),
                 dps_protection_name (DPS_PROTECTION_HOST)) == 0;
}

DpsFailure *
dps_keeper_get_failure (DpsKeeper *self)
{
  return self->failure;
}

gboolean
dps_keeper_is_readable (DpsKeeper *self, GError **error)
{
  if (self->failure == NULL)
    return TRUE;
  g_propagate_error (error,
                     dps_failure_to_error (self->failure,
                                           self->failure->kind == DPS_FAILURE_STORE_NEWER
                                               ? DPS_ERROR_NOT_SUPPORTED
                                               : DPS_ERROR_FAILED));
  return FALSE;
}

DpsIdentity *
dps_keeper_get_identity (DpsKeeper *self)
{
  return self->vault->identity;
}

DpsImportedKey *
dps_keeper_get_imported_key (DpsKeeper *self)
{
  return self->vault->imported_key;
}

DpsSecret *
dps_keeper_get_refusal (DpsKeeper *self)
{
  return self->vault->refusal;
}

const char *
dps_keeper_get_used_file (DpsKeeper *self)
{
  return self->vault->used_file;
}

const char *
dps_keeper_get_overruled_file (DpsKeeper *self)
{
  return self->vault->overruled_file;
}

const char *
dps_keeper_get_protection (DpsKeeper *self)
{
  if (self->vault->identity == NULL && self->vault->imported_key == NULL)
    return "none";
  return self->protection;
}

gboolean
dps_keeper_is_sealed_by_tpm (DpsKeeper *self)
{
  return g_strcmp0 (self->protection, dps_protection_name (DPS_PROTECTION_TPM2_HOST)) ==
         0;
}

gboolean
dps_keeper_is_read_only (DpsKeeper *self)
{
  return self->read_only;
}

gboolean
dps_keeper_is_busy (DpsKeeper *self)
{
  return self->busy;
}

/* One change: what is to be stored, and the store as the worker leaves it. */
typedef struct
{
  DpsVault *vault;
  DpsSealing *sealing; /* borrowed */
  DpsConfig *config;   /* or NULL */
  DpsStore *store;
  const char *protection;
  gboolean read_only;
} Change;

static void
change_free (Change *change)
{
  dps_vault_free (change->vault);
  g_clear_object (&change->config);
  g_clear_object (&change->store);
  g_free (change);
}

typedef gboolean (*Work) (Change *change, GError **error);

static gboolean
choose_sealer (Change *change, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (DpsFailure) failure = NULL;

  if (dps_sealing_choose (change->sealing, change->store, &local))
    return TRUE;
  failure = dps_opening_explain_sealing (change->store, local);
  g_propagate_error (error, dps_failure_to_error (failure, DPS_ERROR_FAILED));
  return FALSE;
}

static gboolean
commit (Change *change, GError **error)
{
  g_autoptr (DpsSecret) bytes = dps_vault_pack (change->vault, error);

  return bytes != NULL && choose_sealer (change, error) &&
         dps_store_commit (change->store, bytes, error);
}

static gboolean
reset (Change *change, GError **error)
{
  return dps_store_reset (change->store, error);
}

static void
run_in_thread (GTask *task, DpsKeeper *self, Change *change, Work work)
{
  GError *error = NULL;
  gboolean done;

  dps_sealing_follow (change->sealing, change->config);
  if (change->store == NULL)
    change->store =
        dps_store_open (self->path, dps_sealing_get_tpm (change->sealing), &error);
  done = change->store != NULL && work (change, &error);
  if (change->store != NULL)
    {
      change->protection = dps_store_get_protection (change->store);
      change->read_only = dps_store_is_read_only (change->store);
    }
  if (done)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
commit_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  run_in_thread (task, source, data, commit);
}

static void
reset_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  run_in_thread (task, source, data, reset);
}

/* Takes vault, which is in force once work has succeeded. */
static void
begin_change (DpsKeeper *self,
              DpsVault *vault,
              GTaskThreadFunc work,
              GAsyncReadyCallback callback,
              gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, data);
  Change *change = g_new0 (Change, 1);

  if (self->machine != NULL)
    {
      g_free (vault->machine);
      vault->machine = g_strdup (self->machine);
    }
  change->vault = vault;
  change->sealing = self->sealing;
  change->config = self->config ? g_object_ref (self->config) : NULL;
  change->store = self->store ? g_object_ref (self->store) : NULL;
  g_task_set_task_data (task, change, (GDestroyNotify) change_free);
  if (self->busy || self->loading)
    {
      g_task_return_new_error (task,
                               DPS_ERROR,
                               DPS_ERROR_BUSY,
                               "the store is being %s; try again",
                               self->busy ? "written" : "opened");
      return;
    }
  /* What could not be read would be replaced by what is in memory, which is nothing. */
  if (work == commit_in_thread && self->failure != NULL)
    {
      g_task_return_new_error (task,
                               DPS_ERROR,
                               DPS_ERROR_FAILED,
                               "the store holds what cannot be read");
      return;
    }
  self->busy = TRUE;
  g_task_set_source_tag (task, begin_change);
  g_task_run_in_thread (task, work);
}

void
dps_keeper_put_identity_async (DpsKeeper *self,
                               DpsIdentity *identity,
                               GAsyncReadyCallback callback,
                               gpointer data)
{
  DpsVault *vault = dps_vault_copy (self->vault);

  g_clear_pointer (&vault->identity, dps_identity_unref);
  vault->identity = dps_identity_ref (identity);
  begin_change (self, vault, commit_in_thread, callback, data);
}

void
dps_keeper_put_imported_key_async (DpsKeeper *self,
                                   DpsImportedKey *key,
                                   const char *overruled,
                                   GAsyncReadyCallback callback,
                                   gpointer data)
{
  g_autoptr (DpsSecret) decoded = NULL;
  DpsVault *vault;
  GError *error = NULL;

  decoded = dps_secret_new_from_base64 ((const char *) dps_secret_data (key->text),
                                        dps_secret_size (key->text),
                                        DPS_DEVICE_KEY_MIN,
                                        DPS_DEVICE_KEY_MAX,
                                        &error);
  if (decoded == NULL)
    {
      g_prefix_error (&error, "the key is refused: ");
      g_task_report_error (self,
                           callback,
                           data,
                           dps_keeper_put_imported_key_async,
                           error);
      return;
    }
  vault = dps_vault_copy (self->vault);
  g_clear_pointer (&vault->imported_key, dps_imported_key_unref);
  vault->imported_key = dps_imported_key_ref (key);
  if (key->origin != NULL && !dps_group_file_is_credential (key->origin))
    {
      g_free (vault->used_file);
      vault->used_file = g_strdup (key->origin);
    }
  if (overruled != NULL)
    {
      g_free (vault->overruled_file);
      vault->overruled_file = g_strdup (overruled);
    }
  begin_change (self, vault, commit_in_thread, callback, data);
}

void
dps_keeper_put_refusal_async (DpsKeeper *self,
                              DpsSecret *refusal,
                              GAsyncReadyCallback callback,
                              gpointer data)
{
  DpsVault *vault = dps_vault_copy (self->vault);

  g_clear_pointer (&vault->refusal, dps_secret_unref);
  vault->refusal = dps_secret_ref (refusal);
  begin_change (self, vault, commit_in_thread, callback, data);
}

void
dps_keeper_reset_async (DpsKeeper *self, GAsyncReadyCallback callback, gpointer data)
{
  begin_change (self, dps_vault_new (), reset_in_thread, callback, data);
}

gboolean
dps_keeper_finish (DpsKeeper *self, GAsyncResult *result, GError **error)
{
  GTask *task = G_TASK (result);
  Change *change;

  /* Without the tag the change was refused and nothing began. */
  if (g_task_get_source_tag (task) != begin_change)
    return g_task_propagate_boolean (task, error);
  change = g_task_get_task_data (task);
  self->busy = FALSE;
  g_set_object (&self->store, change->store);
  self->read_only = change->read_only;
  if (!g_task_propagate_boolean (task, error))
    return FALSE;
  self->protection = change->protection;
  dps_vault_free (self->vault);
  self->vault = dps_vault_copy (change->vault);
  g_clear_pointer (&self->failure, dps_failure_unref);
  g_clear_pointer (&self->obstacle, dps_failure_unref);
  return TRUE;
}
