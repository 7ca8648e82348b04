/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-store.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-log.h"
#include "store/dps-durable.h"
#include "store/dps-generation.h"
#include "store/dps-intent.h"
#include "store/dps-openssl.h"
#include "store/dps-quarantine.h"
#include "store/dps-roster.h"
#include "store/dps-seal-file.h"
#include "store/dps-state-dir.h"
#include "store/dps-survey.h"

#include <string.h>

#define INTENT_NAME "intent"
#define KEPT_GENERATIONS 2
#define MAX_TRIES 16

G_STATIC_ASSERT (DPS_STORE_PAYLOAD_MAX == DPS_GENERATION_PAYLOAD_MAX);
G_STATIC_ASSERT (DPS_STORE_INTENT_MAX == DPS_INTENT_MAX);

struct _DpsStore
{
  GObject parent_instance;

  DpsStateDir dir;
  DpsSealer *sealer;
  gint read_only; /* atomic; TRUE until a commit shows that it is over */

  GMutex mutex;
  gboolean has_uuid;
  guint8 uuid[16];
  guint32 protection;
  guint32 held; /* levels seen at the last load or commit, DPS_PROTECTION_BIT() */
};

G_DEFINE_FINAL_TYPE (DpsStore, dps_store, G_TYPE_OBJECT)

static void
dps_store_finalize (GObject *object)
{
  DpsStore *self = DPS_STORE (object);

  dps_state_dir_close (&self->dir);
  g_clear_object (&self->sealer);
  g_mutex_clear (&self->mutex);
  G_OBJECT_CLASS (dps_store_parent_class)->finalize (object);
}

static void
dps_store_class_init (DpsStoreClass *class)
{
  G_OBJECT_CLASS (class)->finalize = dps_store_finalize;
}

static void
dps_store_init (DpsStore *self)
{
  self->dir = (DpsStateDir) DPS_STATE_DIR_INIT;
  g_mutex_init (&self->mutex);
}

DpsStore *
dps_store_open (const char *path, DpsSealer *sealer, GError **error)
{
  g_autoptr (DpsStore) self = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (DPS_IS_SEALER (sealer), NULL);

  self = g_object_new (DPS_TYPE_STORE, NULL);
  self->sealer = g_object_ref (sealer);
  self->protection = dps_sealer_get_protection (sealer);
  if (!dps_state_dir_open (&self->dir, path, error))
    return NULL;
  self->read_only = self->dir.read_only;
  return g_steal_pointer (&self);
}

static void
set_identity (DpsStore *self, const DpsGenerationHeader *header)
{
  memcpy (self->uuid, header->uuid, sizeof self->uuid);
  self->has_uuid = TRUE;
  self->protection = header->protection;
}

static void
forget_identity (DpsStore *self)
{
  self->has_uuid = FALSE;
  self->held = 0;
  self->protection = dps_sealer_get_protection (self->sealer);
}

static DpsSurvey *
survey (DpsStore *self, GError **error)
{
  return dps_survey_new (self->dir.dir_fd,
                         self->sealer,
                         self->has_uuid ? self->uuid : NULL,
                         error);
}

static void
fail_empty (DpsStore *self, const DpsSurvey *found, GError **error)
{
  if (found->n_bad == 0)
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_NOT_PROVISIONED,
                 "no identity is stored in '%s'",
                 self->dir.path);
  else
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_FAILED,
                 "no stored identity can be read; %u file(s) in '%s' or its %s/ are "
                 "unreadable%s%s; put the directory back from a backup of this host, or "
                 "give the identity up with 'dpsctl reset --yes' and provision again",
                 found->n_bad,
                 self->dir.path,
                 DPS_QUARANTINE_NAME,
                 found->reason != NULL ? ", the last because " : "",
                 found->reason != NULL ? found->reason : "");
}

DpsSecret *
dps_store_load (DpsStore *self, guint64 *generation, gboolean *is_newest, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (DpsSurvey) found = NULL;
  guint64 number;

  g_return_val_if_fail (DPS_IS_STORE (self), NULL);

  locker = g_mutex_locker_new (&self->mutex);
  found = survey (self, error);
  if (found == NULL)
    return NULL;
  if (found->payload == NULL)
    return fail_empty (self, found, error), NULL;

  set_identity (self, &found->newest);
  self->held = found->held;
  number = found->newest.number;
  if (number < found->highest_bad)
    dps_warning ((TOPIC ("store"), OBJECT (self->dir.path)),
                 "serving generation %" G_GUINT64_FORMAT
                 ", not the newest, since %" G_GUINT64_FORMAT " could not be read",
                 number,
                 found->highest_bad);
  if (generation != NULL)
    *generation = number;
  if (is_newest != NULL)
    *is_newest = number > found->highest_bad;
  return g_steal_pointer (&found->payload);
}

/* Everything of the next generation's header but its number. */
static gboolean
prepare_header (DpsStore *self,
                const DpsSurvey *found,
                DpsGenerationHeader *header,
                GError **error)
{
  header->protection = dps_sealer_get_protection (self->sealer);
  if (found->payload != NULL)
    memcpy (header->uuid, found->newest.uuid, sizeof header->uuid);
  else if (self->has_uuid)
    memcpy (header->uuid, self->uuid, sizeof header->uuid);
  else
    return dps_openssl_random (header->uuid, sizeof header->uuid, error);
  return TRUE;
}

static gboolean
write_generation (DpsStore *self,
                  DpsGenerationHeader *header,
                  const DpsSecret *ikm,
                  DpsSecret *payload,
                  GError **error)
{
  g_autofree char *name = dps_roster_name (header->number);
  g_autoptr (GBytes) file = NULL;

  if (!dps_openssl_random (header->salt, sizeof header->salt, error) ||
      !dps_openssl_random (header->nonce, sizeof header->nonce, error))
    return FALSE;
  file = dps_generation_pack (header, ikm, payload, error);
  return file != NULL && dps_durable_create (self->dir.dir_fd,
                                             name,
                                             g_bytes_get_data (file, NULL),
                                             g_bytes_get_size (file),
                                             error);
}

/* Under the first free number from header->number on; the number is part of what is
 * sealed, so each try is sealed anew. */
static gboolean
write_next (DpsStore *self,
            DpsGenerationHeader *header,
            DpsSecret *payload,
            GError **error)
{
  g_autoptr (DpsSecret) ikm =
      dps_sealer_unseal (self->sealer, self->dir.dir_fd, header->protection, error);

  if (ikm == NULL)
    return FALSE;
  for (guint i = 0; i < MAX_TRIES && header->number <= DPS_ROSTER_MAX; i++)
    {
      g_autoptr (GError) local = NULL;

      if (write_generation (self, header, ikm, payload, &local))
        return TRUE;
      if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_EXISTS))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      header->number++;
    }
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_LIMITS_EXCEEDED,
               "no number is free for a new generation in '%s'; remove what stands at "
               "the "
               "highest numbers there and is not the agent's",
               self->dir.path);
  return FALSE;
}

/* Reads back what was written, and takes it away again where that fails: an error must
 * not leave behind what the caller has been told is not stored. */
static gboolean
verify (DpsStore *self,
        const DpsGenerationHeader *header,
        DpsSecret *payload,
        GError **error)
{
  g_autofree char *name = dps_roster_name (header->number);
  g_autoptr (GError) local = NULL;
  g_autoptr (DpsSecret) seen = NULL;
  DpsGenerationHeader found;

  seen = dps_survey_read_one (self->dir.dir_fd,
                              self->sealer,
                              header->number,
                              header->uuid,
                              &found,
                              &local);
  if (seen != NULL && dps_secret_equal (seen, payload))
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_FAILED,
               "'%s/%s' was written and did not come back as it was: %s; check the disk, "
               "the generation before is kept",
               self->dir.path,
               name,
               local != NULL ? local->message : "its payload is another");
  dps_durable_remove (self->dir.dir_fd, name, NULL);
  return FALSE;
}

/* The new one is safe: what fails from here on is worth a warning, not an error. Gives
 * the levels of those that stay. */
static guint32
remove_others (DpsStore *self, const DpsSurvey *found, guint kept, guint32 level)
{
  guint32 held = found->held & DPS_PROTECTION_BIT_UNKNOWN;
  gboolean lower_removed = FALSE;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < found->numbers->len; i++)
    {
      g_autofree char *name =
          dps_roster_name (g_array_index (found->numbers, guint64, i));
      guint32 mine = g_array_index (found->levels, guint32, i);
      g_autoptr (GError) local = NULL;

      if (i < kept && mine >= level)
        held |= DPS_PROTECTION_BIT (mine);
      else if (dps_durable_remove (self->dir.dir_fd, name, &local))
        lower_removed |= mine < level;
      else
        {
          held |= DPS_PROTECTION_BIT (mine);
          dps_warning ((TOPIC ("store"), OBJECT (name)), "%s", local->message);
        }
    }
  /* What is read without the TPM must not come back with the power. */
  if (lower_removed && !dps_durable_sync (self->dir.dir_fd, &error))
    dps_warning ((TOPIC ("store"), OBJECT (self->dir.path)), "%s", error->message);
  return held;
}

static gboolean
commit_found (DpsStore *self, const DpsSurvey *found, DpsSecret *payload, GError **error)
{
  DpsGenerationHeader header = { .number = found->highest + 1 };

  if (!dps_sealer_seal (self->sealer, self->dir.dir_fd, found->held, error) ||
      !prepare_header (self, found, &header, error) ||
      !write_next (self, &header, payload, error) ||
      !verify (self, &header, payload, error))
    return g_prefix_error (error, "storing in '%s': ", self->dir.path), FALSE;

  set_identity (self, &header);
  g_atomic_int_set (&self->read_only, FALSE);
  dps_info ((TOPIC ("store"), OBJECT (self->dir.path)),
            "committed generation %" G_GUINT64_FORMAT,
            header.number);
  self->held = remove_others (self, found, KEPT_GENERATIONS - 1, header.protection) |
               DPS_PROTECTION_BIT (header.protection);
  return TRUE;
}

gboolean
dps_store_commit (DpsStore *self, DpsSecret *payload, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (DpsSurvey) found = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  if (dps_secret_size (payload) > DPS_STORE_PAYLOAD_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "an identity of %" G_GSIZE_FORMAT " bytes, where %u can be stored",
                   dps_secret_size (payload),
                   DPS_STORE_PAYLOAD_MAX);
      return FALSE;
    }

  locker = g_mutex_locker_new (&self->mutex);
  found = survey (self, error);
  return found != NULL && commit_found (self, found, payload, error);
}

gboolean
dps_store_needs_migration (DpsStore *self)
{
  g_autoptr (GMutexLocker) locker = NULL;
  guint32 lower;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  locker = g_mutex_locker_new (&self->mutex);
  lower = DPS_PROTECTION_BIT (dps_sealer_get_protection (self->sealer)) - 1;
  return (self->held & lower & ~DPS_PROTECTION_BIT_UNKNOWN) != 0;
}

gboolean
dps_store_migrate (DpsStore *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (DpsSurvey) found = NULL;
  guint32 level;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  locker = g_mutex_locker_new (&self->mutex);
  found = survey (self, error);
  if (found == NULL)
    return FALSE;
  if (found->payload == NULL)
    return fail_empty (self, found, error), FALSE;
  /* An older one must not take the place of what may come back. */
  if (found->held & DPS_PROTECTION_BIT_UNKNOWN)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_FAILED,
                   "not all that is stored in '%s' can be read now, so it stays at its "
                   "level: %s",
                   self->dir.path,
                   found->reason);
      return FALSE;
    }
  level = dps_sealer_get_protection (self->sealer);
  if (found->newest.protection < level)
    return commit_found (self, found, found->payload, error);
  set_identity (self, &found->newest);
  self->held = remove_others (self, found, found->numbers->len, level);
  return TRUE;
}

gboolean
dps_store_prepare (DpsStore *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (DpsSurvey) found = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  locker = g_mutex_locker_new (&self->mutex);
  found = survey (self, error);
  return found != NULL &&
         dps_sealer_seal (self->sealer, self->dir.dir_fd, found->held, error);
}

void
dps_store_set_sealer (DpsStore *self, DpsSealer *sealer)
{
  g_autoptr (GMutexLocker) locker = NULL;

  g_return_if_fail (DPS_IS_STORE (self));

  locker = g_mutex_locker_new (&self->mutex);
  g_set_object (&self->sealer, sealer);
  if (self->held == 0)
    self->protection = dps_sealer_get_protection (sealer);
}

guint32
dps_store_peek_levels (DpsStore *self)
{
  g_autoptr (GMutexLocker) locker = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), DPS_PROTECTION_BIT_UNKNOWN);

  locker = g_mutex_locker_new (&self->mutex);
  return dps_survey_peek_levels (self->dir.dir_fd);
}

/* Oldest first, so that what is left when this is cut short is the newest. */
static gboolean
remove_generations (DpsStore *self, GError **error)
{
  g_autoptr (GArray) all = dps_roster_read (self->dir.dir_fd, FALSE, error);

  if (all == NULL)
    return FALSE;
  for (guint i = all->len; i > 0; i--)
    {
      g_autofree char *name = dps_roster_name (g_array_index (all, guint64, i - 1));

      if (!dps_durable_remove (self->dir.dir_fd, name, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
dps_store_reset (DpsStore *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  locker = g_mutex_locker_new (&self->mutex);
  /* The quarantine goes first: left over alone it would read as a loss. The share goes
   * last, and only once no generation can come back that would need it. */
  if (!dps_quarantine_clear (self->dir.dir_fd, error) ||
      !remove_generations (self, error) || !dps_durable_sync (self->dir.dir_fd, error) ||
      !dps_sealer_forget (self->sealer, self->dir.dir_fd, error) ||
      !dps_durable_sync (self->dir.dir_fd, error))
    return g_prefix_error (error, "resetting '%s': ", self->dir.path), FALSE;

  forget_identity (self);
  dps_info ((TOPIC ("store"), OBJECT (self->dir.path)), "forgot all that was stored");
  return TRUE;
}

/* The seal goes last: generations without one could not be told from a lost seal. */
gboolean
dps_store_set_aside (DpsStore *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (GArray) all = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  locker = g_mutex_locker_new (&self->mutex);
  all = dps_roster_read (self->dir.dir_fd, FALSE, error);
  if (all == NULL)
    return FALSE;
  for (guint i = all->len; i > 0; i--)
    {
      g_autofree char *name = dps_roster_name (g_array_index (all, guint64, i - 1));

      if (!dps_quarantine_set_aside (self->dir.dir_fd, name, error))
        return FALSE;
    }
  if (!dps_quarantine_set_aside (self->dir.dir_fd, DPS_SEAL_NAME, error))
    return FALSE;
  forget_identity (self);
  dps_message ((TOPIC ("store"), OBJECT (self->dir.path)),
               "moved what another TPM sealed to %s/",
               DPS_QUARANTINE_NAME);
  return TRUE;
}

gboolean
dps_store_is_read_only (DpsStore *self)
{
  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  return g_atomic_int_get (&self->read_only);
}

const char *
dps_store_get_protection (DpsStore *self)
{
  g_autoptr (GMutexLocker) locker = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), NULL);

  locker = g_mutex_locker_new (&self->mutex);
  return dps_protection_name (self->protection);
}

gboolean
dps_store_write_intent (DpsStore *self, GBytes *bytes, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (GBytes) file = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  locker = g_mutex_locker_new (&self->mutex);
  file = dps_intent_pack (bytes, error);
  return file != NULL && dps_durable_replace (self->dir.dir_fd,
                                              INTENT_NAME,
                                              g_bytes_get_data (file, NULL),
                                              g_bytes_get_size (file),
                                              error);
}

/* Whether the file itself is at fault, so that the record counts as absent. */
static gboolean
is_bad_intent (const GError *error)
{
  return g_error_matches (error, DPS_ERROR, DPS_ERROR_REJECTED) ||
         g_error_matches (error, DPS_ERROR, DPS_ERROR_LIMITS_EXCEEDED) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE) ||
         g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
}

GBytes *
dps_store_read_intent (DpsStore *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (GError) local = NULL;
  g_autoptr (GBytes) file = NULL;
  GBytes *record = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), NULL);

  locker = g_mutex_locker_new (&self->mutex);
  file = dps_read_file_at (self->dir.dir_fd, INTENT_NAME, DPS_INTENT_FILE_MAX, &local);
  if (file != NULL)
    record = dps_intent_unpack (file, &local);
  if (record != NULL || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return record;
  if (is_bad_intent (local))
    dps_warning ((TOPIC ("store"), OBJECT (INTENT_NAME)), "ignored: %s", local->message);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

gboolean
dps_store_clear_intent (DpsStore *self, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;

  g_return_val_if_fail (DPS_IS_STORE (self), FALSE);

  locker = g_mutex_locker_new (&self->mutex);
  return dps_durable_remove (self->dir.dir_fd, INTENT_NAME, error) &&
         dps_durable_sync (self->dir.dir_fd, error);
}
