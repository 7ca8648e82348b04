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
#include "store/dps-survey.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_NAME "lock"
#define INTENT_NAME "intent"
#define KEPT_GENERATIONS 2
#define MAX_TRIES 16

G_STATIC_ASSERT (DPS_STORE_PAYLOAD_MAX == DPS_GENERATION_PAYLOAD_MAX);
G_STATIC_ASSERT (DPS_STORE_INTENT_MAX == DPS_INTENT_MAX);

struct _DpsStore
{
  GObject parent_instance;

  char *path;
  DpsSealer *sealer;
  int dir_fd;
  int lock_fd;
  gint read_only; /* atomic; TRUE until a commit shows that it is over */

  GMutex mutex;
  gboolean has_uuid;
  guint8 uuid[16];
  guint32 protection;
};

G_DEFINE_FINAL_TYPE (DpsStore, dps_store, G_TYPE_OBJECT)

static void
dps_store_finalize (GObject *object)
{
  DpsStore *self = DPS_STORE (object);

  dps_close_fd (&self->lock_fd);
  dps_close_fd (&self->dir_fd);
  g_clear_object (&self->sealer);
  g_free (self->path);
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
  self->dir_fd = -1;
  self->lock_fd = -1;
  g_mutex_init (&self->mutex);
}

static gboolean
fail_opening (DpsStore *self, DpsError code, GError **error, const char *what)
{
  g_set_error (error, DPS_ERROR, code, "state directory '%s' %s", self->path, what);
  return FALSE;
}

static gboolean
check_dir (DpsStore *self, GError **error)
{
  g_autofree char *what = NULL;
  struct stat st;

  if (fstat (self->dir_fd, &st) < 0)
    return dps_set_errno (error, errno, "examining '%s'", self->path);
  if (st.st_uid != geteuid ())
    {
      what = g_strdup_printf ("belongs to user %u; chown it to user %u",
                              st.st_uid,
                              geteuid ());
      return fail_opening (self, DPS_ERROR_ACCESS_DENIED, error, what);
    }
  if (st.st_mode & (S_IRWXG | S_IRWXO))
    {
      what = g_strdup_printf ("has mode %04o, open to others; chmod it to 0700",
                              st.st_mode & 07777);
      return fail_opening (self, DPS_ERROR_ACCESS_DENIED, error, what);
    }
  return TRUE;
}

static gboolean
open_dir (DpsStore *self, GError **error)
{
  self->dir_fd = open (self->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (self->dir_fd >= 0)
    return check_dir (self, error);
  switch (errno)
    {
    case ENOENT:
      return fail_opening (self,
                           DPS_ERROR_FAILED,
                           error,
                           "does not exist; make it, owned by the user of the agent, "
                           "with "
                           "mode 0700 (systemd-tmpfiles --create does)");
    case ENOTDIR:
    case ELOOP:
      return fail_opening (self,
                           DPS_ERROR_FAILED,
                           error,
                           "is no directory; move what is there away and make one with "
                           "mode 0700, a symbolic link will not do");
    default:
      return dps_set_errno (error, errno, "opening the state directory '%s'", self->path);
    }
}

/* What is stored is served from a read-only file system too: that is what a bad disk
 * makes of itself, and an identity is needed to report it. */
static gboolean
open_lock (DpsStore *self, GError **error)
{
  g_autoptr (GError) local = NULL;

  self->lock_fd =
      dps_open_at (self->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &local);
  if (self->lock_fd < 0 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_READ_ONLY))
    {
      self->lock_fd =
          dps_open_at (self->dir_fd, LOCK_NAME, O_RDONLY | O_NONBLOCK, 0, NULL);
      self->read_only = self->lock_fd >= 0;
      if (self->read_only)
        dps_warning ((TOPIC ("store"), OBJECT (self->path)),
                     "the state directory is on a read-only file system; what is stored "
                     "is served, nothing can be changed before it is writable again");
    }
  if (self->lock_fd >= 0)
    return TRUE;
  g_propagate_prefixed_error (error,
                              g_steal_pointer (&local),
                              "state directory '%s' must be writable and '%s' in it a "
                              "file: ",
                              self->path,
                              LOCK_NAME);
  return FALSE;
}

static gboolean
take_lock (DpsStore *self, GError **error)
{
  if (!open_lock (self, error))
    return FALSE;
  if (flock (self->lock_fd, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  if (errno != EWOULDBLOCK)
    return dps_set_errno (error, errno, "locking '%s/%s'", self->path, LOCK_NAME);
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_BUSY,
               "'%s/%s' is held by another process that uses this state directory; let "
               "it "
               "end or stop it first",
               self->path,
               LOCK_NAME);
  return FALSE;
}

DpsStore *
dps_store_open (const char *path, DpsSealer *sealer, GError **error)
{
  g_autoptr (DpsStore) self = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (DPS_IS_SEALER (sealer), NULL);

  self = g_object_new (DPS_TYPE_STORE, NULL);
  self->path = g_strdup (path);
  self->sealer = g_object_ref (sealer);
  self->protection = dps_sealer_get_protection (sealer);
  if (!open_dir (self, error) || !take_lock (self, error) ||
      !dps_durable_sweep (self->dir_fd, error))
    return NULL;
  return g_steal_pointer (&self);
}

static void
set_identity (DpsStore *self, const DpsGenerationHeader *header)
{
  memcpy (self->uuid, header->uuid, sizeof self->uuid);
  self->has_uuid = TRUE;
  self->protection = header->protection;
}

static DpsSurvey *
survey (DpsStore *self, GError **error)
{
  return dps_survey_new (self->dir_fd,
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
                 self->path);
  else
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_FAILED,
                 "no stored identity can be read; %u file(s) in '%s' or its %s/ are "
                 "unreadable%s%s; put the directory back from a backup of this host, or "
                 "give the identity up with 'dpsctl reset --yes' and provision again",
                 found->n_bad,
                 self->path,
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
  number = found->newest.number;
  if (number < found->highest_bad)
    dps_warning ((TOPIC ("store"), OBJECT (self->path)),
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
  return file != NULL && dps_durable_create (self->dir_fd,
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
      dps_sealer_unseal (self->sealer, self->dir_fd, header->protection, error);

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
               self->path);
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

  seen = dps_survey_read_one (self->dir_fd,
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
               self->path,
               name,
               local != NULL ? local->message : "its payload is another");
  dps_durable_remove (self->dir_fd, name, NULL);
  return FALSE;
}

/* The new one is safe: what fails from here on is worth a warning, not an error. */
static void
prune (DpsStore *self, const DpsSurvey *found)
{
  for (guint i = KEPT_GENERATIONS - 1; i < found->numbers->len; i++)
    {
      g_autofree char *name =
          dps_roster_name (g_array_index (found->numbers, guint64, i));
      g_autoptr (GError) error = NULL;

      if (!dps_durable_remove (self->dir_fd, name, &error))
        dps_warning ((TOPIC ("store"), OBJECT (name)), "%s", error->message);
    }
}

gboolean
dps_store_commit (DpsStore *self, DpsSecret *payload, GError **error)
{
  g_autoptr (GMutexLocker) locker = NULL;
  g_autoptr (DpsSurvey) found = NULL;
  DpsGenerationHeader header = { 0 };

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
  if (found == NULL)
    return FALSE;
  header.number = found->highest + 1;
  if (!dps_sealer_seal (self->sealer, self->dir_fd, found->held, error) ||
      !prepare_header (self, found, &header, error) ||
      !write_next (self, &header, payload, error) ||
      !verify (self, &header, payload, error))
    return g_prefix_error (error, "storing in '%s': ", self->path), FALSE;

  set_identity (self, &header);
  g_atomic_int_set (&self->read_only, FALSE);
  dps_info ((TOPIC ("store"), OBJECT (self->path)),
            "committed generation %" G_GUINT64_FORMAT,
            header.number);
  prune (self, found);
  return TRUE;
}

/* Oldest first, so that what is left when this is cut short is the newest. */
static gboolean
remove_generations (DpsStore *self, GError **error)
{
  g_autoptr (GArray) all = dps_roster_read (self->dir_fd, FALSE, error);

  if (all == NULL)
    return FALSE;
  for (guint i = all->len; i > 0; i--)
    {
      g_autofree char *name = dps_roster_name (g_array_index (all, guint64, i - 1));

      if (!dps_durable_remove (self->dir_fd, name, error))
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
  if (!dps_quarantine_clear (self->dir_fd, error) || !remove_generations (self, error) ||
      !dps_durable_sync (self->dir_fd, error) ||
      !dps_sealer_forget (self->sealer, self->dir_fd, error) ||
      !dps_durable_sync (self->dir_fd, error))
    return g_prefix_error (error, "resetting '%s': ", self->path), FALSE;

  self->has_uuid = FALSE;
  self->protection = dps_sealer_get_protection (self->sealer);
  dps_info ((TOPIC ("store"), OBJECT (self->path)), "forgot all that was stored");
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
  return file != NULL && dps_durable_replace (self->dir_fd,
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
  file = dps_read_file_at (self->dir_fd, INTENT_NAME, DPS_INTENT_FILE_MAX, &local);
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
  return dps_durable_remove (self->dir_fd, INTENT_NAME, error) &&
         dps_durable_sync (self->dir_fd, error);
}
