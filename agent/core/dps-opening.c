/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-opening.h"
#include "common/dps-error.h"

#include <string.h>

#define LOCK_WAIT (10 * G_USEC_PER_SEC)
#define LOCK_RETRY (20 * 1000)

void
dps_opening_free (DpsOpening *self)
{
  g_clear_object (&self->store);
  dps_vault_free (self->vault);
  g_clear_pointer (&self->failure, dps_failure_unref);
  g_clear_pointer (&self->obstacle, dps_failure_unref);
  g_free (self);
}

static DpsStore *
open_store (const char *path, DpsSealer *sealer, GError **error)
{
  gint64 deadline = g_get_monotonic_time () + LOCK_WAIT;

  for (;;)
    {
      g_autoptr (GError) local = NULL;
      DpsStore *store = dps_store_open (path, sealer, &local);

      if (store != NULL)
        return store;
      if (!g_error_matches (local, DPS_ERROR, DPS_ERROR_BUSY) ||
          g_get_monotonic_time () > deadline)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
      g_usleep (LOCK_RETRY);
    }
}

static DpsVault *
read_vault (DpsOpening *self, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (DpsSecret) bytes = dps_store_load (self->store, NULL, NULL, &local);

  if (bytes != NULL)
    return dps_vault_unpack (bytes, error);
  if (g_error_matches (local, DPS_ERROR, DPS_ERROR_NOT_PROVISIONED))
    return dps_vault_new ();
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

static DpsFailureKind
failure_kind (DpsOpening *self, const GError *error)
{
  if (self->store == NULL)
    return DPS_FAILURE_STORE_OPEN;
  return g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED)
             ? DPS_FAILURE_STORE_NEWER
             : DPS_FAILURE_STORE_READ;
}

/* Without a TPM only the machine's id tells a copy of the disk. */
static DpsFailure *
find_clone (DpsOpening *self, const char *machine)
{
  const char *owner = self->vault->machine;

  if (owner == NULL || machine == NULL || strcmp (owner, machine) == 0 ||
      strcmp (self->protection, dps_protection_name (DPS_PROTECTION_HOST)) != 0)
    return NULL;
  return dps_failure_new (DPS_FAILURE_STORE_CLONE,
                          "it was stored where /etc/machine-id was another");
}

static void
give_up (DpsOpening *self, DpsFailure *failure)
{
  g_clear_pointer (&self->vault, dps_vault_free);
  self->vault = dps_vault_new ();
  self->failure = failure;
}

DpsOpening *
dps_opening_run (const DpsOpeningPlace *place)
{
  DpsOpening *self = g_new0 (DpsOpening, 1);
  g_autoptr (GError) error = NULL;

  self->store = place->store ? g_object_ref (place->store)
                             : open_store (place->path, place->sealer, &error);
  if (self->store != NULL)
    self->vault =
        place->known ? dps_vault_copy (place->known) : read_vault (self, &error);
  if (self->store != NULL)
    {
      self->protection = dps_store_get_protection (self->store);
      self->is_read_only = dps_store_is_read_only (self->store);
    }
  if (self->vault == NULL)
    give_up (self, dps_failure_new_from_error (failure_kind (self, error), error));
  else
    {
      DpsFailure *clone = find_clone (self, place->machine);

      if (clone != NULL)
        give_up (self, clone);
    }
  return self;
}
