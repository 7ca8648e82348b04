/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-keeper.h"
#include "common/dps-error.h"
#include "core/dps-group-file.h"

struct _DpsKeeper
{
  GObject parent;
  char *path;
  DpsSealer *sealer;
  DpsStore *store; /* NULL while it could not be opened */
  DpsVault *vault;
  gboolean busy;
  DpsFailure *failure; /* the store holds something that could not be read */
};

G_DEFINE_FINAL_TYPE (DpsKeeper, dps_keeper, G_TYPE_OBJECT)

static void
dps_keeper_finalize (GObject *object)
{
  DpsKeeper *self = DPS_KEEPER (object);

  g_clear_object (&self->store);
  g_clear_object (&self->sealer);
  g_free (self->path);
  g_clear_pointer (&self->vault, dps_vault_free);
  g_clear_pointer (&self->failure, dps_failure_unref);
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
dps_keeper_new (const char *path, DpsSealer *sealer)
{
  DpsKeeper *self = g_object_new (DPS_TYPE_KEEPER, NULL);

  self->path = g_strdup (path);
  self->sealer = g_object_ref (sealer);
  return self;
}

gboolean
dps_keeper_open (DpsKeeper *self, GError **error)
{
  if (self->store == NULL)
    self->store = dps_store_open (self->path, self->sealer, error);
  return self->store != NULL;
}

static DpsVault *
read_vault (DpsKeeper *self, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (DpsSecret) bytes = NULL;

  if (!dps_keeper_open (self, error))
    return NULL;
  bytes = dps_store_load (self->store, NULL, NULL, &local_error);
  if (bytes != NULL)
    return dps_vault_unpack (bytes, error);
  if (g_error_matches (local_error, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED))
    return dps_vault_new ();
  g_propagate_error (error, g_steal_pointer (&local_error));
  return NULL;
}

static DpsFailureKind
failure_kind (DpsKeeper *self, const GError *error)
{
  if (self->store == NULL)
    return DPS_FAILURE_STORE_OPEN;
  return g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED)
             ? DPS_FAILURE_STORE_NEWER
             : DPS_FAILURE_STORE_READ;
}

void
dps_keeper_load (DpsKeeper *self)
{
  g_autoptr (GError) error = NULL;
  DpsVault *vault = read_vault (self, &error);

  g_clear_pointer (&self->failure, dps_failure_unref);
  if (vault == NULL)
    {
      self->failure = dps_failure_new_from_error (failure_kind (self, error), error);
      return;
    }
  dps_vault_free (self->vault);
  self->vault = vault;
}

DpsFailure *
dps_keeper_get_failure (DpsKeeper *self)
{
  return self->failure;
}

gboolean
dps_keeper_is_readable (DpsKeeper *self, GError **error)
{
  const DpsFailureRow *row;
  g_autofree char *text = NULL;

  if (self->failure != NULL)
    dps_keeper_load (self);
  if (self->failure == NULL)
    return TRUE;
  row = dps_failure_row (self->failure->kind);
  text = dps_failure_describe (self->failure);
  g_set_error (error,
               DPS_ERROR,
               self->failure->kind == DPS_FAILURE_STORE_NEWER ? DPS_ERROR_NOT_SUPPORTED
                                                              : DPS_ERROR_FAILED,
               "%s %s; %s",
               row->code,
               text,
               row->remedy);
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
  return dps_store_get_protection (self->store);
}

gboolean
dps_keeper_is_read_only (DpsKeeper *self)
{
  return self->store != NULL && dps_store_is_read_only (self->store);
}

gboolean
dps_keeper_is_busy (DpsKeeper *self)
{
  return self->busy;
}

static void
commit_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  DpsKeeper *self = source;
  g_autoptr (DpsSecret) bytes = NULL;
  GError *error = NULL;

  bytes = dps_vault_pack (data, &error);
  if (bytes != NULL && dps_store_commit (self->store, bytes, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
reset_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  DpsKeeper *self = source;
  GError *error = NULL;

  if (dps_store_reset (self->store, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* Takes vault, which is in force once work has succeeded. */
static void
change (DpsKeeper *self,
        DpsVault *vault,
        GTaskThreadFunc work,
        GAsyncReadyCallback callback,
        gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, data);
  GError *error = NULL;

  g_task_set_task_data (task, vault, (GDestroyNotify) dps_vault_free);
  if (self->busy)
    {
      g_task_return_new_error (task,
                               DPS_ERROR,
                               DPS_ERROR_BUSY,
                               "the store is being written; try again");
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
  if (!dps_keeper_open (self, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  self->busy = TRUE;
  g_task_set_source_tag (task, change);
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
  change (self, vault, commit_in_thread, callback, data);
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
  change (self, vault, commit_in_thread, callback, data);
}

void
dps_keeper_reset_async (DpsKeeper *self, GAsyncReadyCallback callback, gpointer data)
{
  change (self, dps_vault_new (), reset_in_thread, callback, data);
}

gboolean
dps_keeper_finish (DpsKeeper *self, GAsyncResult *result, GError **error)
{
  GTask *task = G_TASK (result);

  /* Without the tag the change was refused and nothing began. */
  if (g_task_get_source_tag (task) == change)
    self->busy = FALSE;
  if (!g_task_propagate_boolean (task, error))
    return FALSE;
  dps_vault_free (self->vault);
  self->vault = dps_vault_copy (g_task_get_task_data (task));
  g_clear_pointer (&self->failure, dps_failure_unref);
  return TRUE;
}
