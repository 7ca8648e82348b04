/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-log.h"

#define AGAIN_SECONDS 1

static gboolean
on_again (gpointer data)
{
  DpsProvisioner *self = data;

  self->refusal_timer = 0;
  dps_provisioner_store_refusal (self);
  return G_SOURCE_REMOVE;
}

static void
on_stored (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (DpsProvisioner) self = data;
  g_autoptr (GError) error = NULL;

  if (!dps_keeper_finish (DPS_KEEPER (source), result, &error))
    dps_warning ((TOPIC ("store")),
                 "that a PIN was refused is not on disk, and it is tried once more after "
                 "a "
                 "restart: %s",
                 error->message);
  if (self->keeper != NULL) /* not disposed of meanwhile */
    dps_provisioner_settle (self);
}

void
dps_provisioner_store_refusal (gpointer data)
{
  DpsProvisioner *self = data;
  DpsSecret *refusal = dps_refusal_get (dps_settings_get_refusal (self->settings));

  if (refusal == NULL || self->refusal_timer != 0)
    return;
  if (dps_keeper_is_busy (self->keeper) || dps_keeper_is_loading (self->keeper))
    {
      self->refusal_timer = g_timeout_add_seconds (AGAIN_SECONDS, on_again, self);
      return;
    }
  dps_keeper_put_refusal_async (self->keeper, refusal, on_stored, g_object_ref (self));
  dps_provisioner_update_busy (self);
}

void
dps_provisioner_read_refusal (DpsProvisioner *self)
{
  DpsSecret *stored = dps_keeper_get_refusal (self->keeper);

  if (stored != NULL)
    dps_refusal_set (dps_settings_get_refusal (self->settings), stored);
}
