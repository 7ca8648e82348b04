/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-opening.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "tpm/dps-tpm-error.h"

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

static gboolean
was_sealed_elsewhere (const GError *error)
{
  return g_error_matches (error, DPS_TPM_ERROR, DPS_TPM_ERROR_CLEARED) ||
         g_error_matches (error, DPS_TPM_ERROR, DPS_TPM_ERROR_REPLACED);
}

static DpsFailureKind
failure_kind (DpsOpening *self, const GError *error)
{
  if (self->store == NULL)
    return DPS_FAILURE_STORE_OPEN;
  if (error->domain == DPS_TPM_ERROR)
    return DPS_FAILURE_STORE_SEALED;
  return g_error_matches (error, DPS_ERROR, DPS_ERROR_NOT_SUPPORTED)
             ? DPS_FAILURE_STORE_NEWER
             : DPS_FAILURE_STORE_READ;
}

/* The seal tells that this TPM cannot have made it, and not why. */
static DpsFailure *
explain (DpsOpening *self, const GError *error)
{
  if (!was_sealed_elsewhere (error))
    return dps_failure_new_from_error (failure_kind (self, error), error);
  return dps_failure_new (DPS_FAILURE_STORE_CLONE,
                          "%s; where it is no copy, this machine's TPM was cleared or "
                          "its "
                          "board replaced, and the identity is lost",
                          error->message);
}

/* An identity that another TPM has sealed is lost to this host, which attests itself with
 * its own: it needs nobody to have one again. */
static gboolean
start_over (DpsOpening *self, const GError *why)
{
  g_autoptr (GError) error = NULL;

  if (!dps_store_set_aside (self->store, &error))
    {
      dps_warning ((TOPIC ("store")),
                   "cannot put aside what is lost: %s",
                   error->message);
      return FALSE;
    }
  dps_warning ((TOPIC ("store")),
               "what is stored cannot be unsealed any more and was put aside in "
               "quarantine/, the host is attested again: %s",
               why->message);
  self->started_over = TRUE;
  return TRUE;
}

static void
give_up (DpsOpening *self, DpsFailure *failure)
{
  g_clear_pointer (&self->vault, dps_vault_free);
  self->vault = dps_vault_new ();
  self->failure = failure;
}

/* Without a TPM only the machine's id tells a copy of the disk. */
static gboolean
is_clone (DpsOpening *self, const char *machine)
{
  const char *owner = self->vault->machine;

  return owner != NULL && machine != NULL && strcmp (owner, machine) != 0 &&
         strcmp (dps_store_get_protection (self->store),
                 dps_protection_name (DPS_PROTECTION_HOST)) == 0;
}

static void
read_store (DpsOpening *self, const DpsOpeningPlace *place)
{
  g_autoptr (GError) error = NULL;

  dps_store_set_sealer (self->store, dps_sealing_get_tpm (place->sealing));
  self->vault = place->known ? dps_vault_copy (place->known) : read_vault (self, &error);
  if (self->vault == NULL && was_sealed_elsewhere (error) &&
      dps_sealing_may_start_over (place->sealing) && start_over (self, error))
    self->vault = dps_vault_new ();
  if (self->vault == NULL)
    give_up (self, explain (self, error));
  else if (is_clone (self, place->machine))
    give_up (self,
             dps_failure_new (DPS_FAILURE_STORE_CLONE,
                              "it was stored where /etc/machine-id was another"));
}

DpsFailure *
dps_opening_explain_sealing (DpsStore *store, const GError *error)
{
  guint32 sealed = DPS_PROTECTION_BIT (DPS_PROTECTION_TPM2_HOST);

  if (error->domain != DPS_TPM_ERROR)
    return dps_failure_new_from_error (DPS_FAILURE_STORE_WRITE, error);
  return dps_failure_new_from_error ((dps_store_peek_levels (store) & sealed) != 0
                                         ? DPS_FAILURE_STORE_SEALED
                                         : DPS_FAILURE_STORE_UNPROTECTED,
                                     error);
}

/* What is there is whole either way. */
static void
migrate (DpsOpening *self)
{
  g_autoptr (GError) error = NULL;

  if (dps_store_migrate (self->store, &error))
    dps_message ((TOPIC ("store")),
                 "the TPM seals the store now; its protection level is %s",
                 dps_store_get_protection (self->store));
  else
    dps_warning ((TOPIC ("store")),
                 "the store stays at the protection level %s: %s",
                 dps_store_get_protection (self->store),
                 error->message);
}

/* By the sealer that there is now. */
static void
settle_level (DpsOpening *self, const DpsOpeningPlace *place)
{
  gboolean rises = dps_store_needs_migration (self->store);
  g_autoptr (GError) error = NULL;

  if (!rises && !(place->flags & DPS_OPENING_PREPARE))
    return;
  if (!dps_sealing_choose (place->sealing, self->store, &error))
    self->obstacle = dps_opening_explain_sealing (self->store, error);
  else if (rises && dps_store_needs_migration (self->store))
    migrate (self);
}

DpsOpening *
dps_opening_run (const DpsOpeningPlace *place)
{
  DpsOpening *self = g_new0 (DpsOpening, 1);
  g_autoptr (GError) error = NULL;

  self->store =
      place->store
          ? g_object_ref (place->store)
          : open_store (place->path, dps_sealing_get_tpm (place->sealing), &error);
  if (self->store == NULL)
    {
      give_up (self, explain (self, error));
      return self;
    }
  self->is_read_only = dps_store_is_read_only (self->store);
  read_store (self, place);
  if (self->failure == NULL && !self->is_read_only)
    settle_level (self, place);
  self->protection = dps_store_get_protection (self->store);
  return self;
}
