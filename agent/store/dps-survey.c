/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-survey.h"

#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-log.h"
#include "store/dps-quarantine.h"
#include "store/dps-roster.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>

static gboolean
reject (GError **error, const char *why)
{
  g_set_error_literal (error, DPS_ERROR, DPS_ERROR_REJECTED, why);
  return FALSE;
}

/* A file that the disk does not give back now may come back later; want of memory or
 * descriptors is not the file's fault at all. */
static gboolean
fail_reading (GError **error, int errno_value)
{
  switch (errno_value)
    {
    case ELOOP:
      return reject (error, "is a symbolic link");
    case EIO:
    case EBADMSG:
    case EUCLEAN:
      g_set_error (error,
                   G_IO_ERROR,
                   G_IO_ERROR_INVALID_DATA,
                   "does not come back from the disk (%s)",
                   g_strerror (errno_value));
      return FALSE;
    default:
      return dps_set_errno (error, errno_value, "reading");
    }
}

/* Up to one byte more than allowed, which tells an oversized file. */
static GBytes *
read_open_file (int fd, GError **error)
{
  g_autofree guint8 *data = g_malloc (DPS_GENERATION_FILE_MAX + 1);
  gsize size = 0;

  while (size <= DPS_GENERATION_FILE_MAX)
    {
      gssize n = read (fd, data + size, DPS_GENERATION_FILE_MAX + 1 - size);

      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return fail_reading (error, errno), NULL;
      if (n == 0)
        return g_bytes_new (data, size);
      size += (gsize) n;
    }
  reject (error, "is larger than a generation can be");
  return NULL;
}

static GBytes *
read_file (int dir_fd, const char *name, GError **error)
{
  dps_autofd fd =
      openat (dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct stat st;

  if (fd < 0)
    return fail_reading (error, errno), NULL;
  if (fstat (fd, &st) < 0)
    return fail_reading (error, errno), NULL;
  if (!S_ISREG (st.st_mode))
    return reject (error, "is no regular file"), NULL;
  /* What was just written comes from the disk rather than from memory, as far as the
   * kernel goes along. */
  posix_fadvise (fd, 0, 0, POSIX_FADV_DONTNEED);
  return read_open_file (fd, error);
}

static gboolean
is_unreadable_now (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
}

/* The ikm of a sealer that failed is no verdict on the file; its error is passed on under
 * a code that the file's own errors do not use. host.share is such a sealer's file. */
static DpsSecret *
unseal (DpsSealer *sealer, int dir_fd, guint32 protection, GError **error)
{
  g_autoptr (GError) local = NULL;
  DpsSecret *ikm = dps_sealer_unseal (sealer, dir_fd, protection, &local);

  if (ikm == NULL)
    {
      if (g_error_matches (local, DPS_ERROR, DPS_ERROR_REJECTED) ||
          is_unreadable_now (local))
        {
          local->domain = DPS_ERROR;
          local->code = DPS_ERROR_FAILED;
        }
      g_propagate_error (error, g_steal_pointer (&local));
    }
  return ikm;
}

DpsSecret *
dps_survey_read_one (int dir_fd,
                     DpsSealer *sealer,
                     guint64 number,
                     const guint8 *expected_uuid,
                     DpsGenerationHeader *header,
                     GError **error)
{
  g_autofree char *name = dps_roster_name (number);
  g_autoptr (GBytes) file = read_file (dir_fd, name, error);
  g_autoptr (DpsSecret) ikm = NULL;
  g_autoptr (DpsSecret) payload = NULL;
  DpsGenerationHeader found;

  if (file == NULL || !dps_generation_peek (file, &found, error))
    return NULL;
  ikm = unseal (sealer, dir_fd, found.protection, error);
  if (ikm == NULL)
    return NULL;
  payload = dps_generation_unpack (file, ikm, &found, error);
  if (payload == NULL)
    return NULL;
  if (found.number != number)
    return reject (error, "is another generation under this name"), NULL;
  if (expected_uuid != NULL && memcmp (found.uuid, expected_uuid, sizeof found.uuid) != 0)
    return reject (error, "belongs to another store"), NULL;

  *header = found;
  return g_steal_pointer (&payload);
}

static void
note_bad (DpsSurvey *self, guint64 number, const GError *why)
{
  g_autofree char *name = dps_roster_name (number);

  g_free (self->reason);
  self->reason = g_strdup_printf ("'%s' %s", name, why->message);
  self->highest_bad = MAX (self->highest_bad, number);
  self->n_bad++;
  dps_warning ((TOPIC ("store"), OBJECT (name)), "ignored: %s", why->message);
}

/* Where nothing opens the fault may lie in what opens it, and can be put right. */
static void
set_aside (DpsSurvey *self, int dir_fd, const GArray *damaged)
{
  if (self->payload == NULL && damaged->len > 0)
    {
      self->held |= DPS_PROTECTION_BIT_UNKNOWN;
      return;
    }
  for (guint i = 0; i < damaged->len; i++)
    {
      g_autofree char *name = dps_roster_name (g_array_index (damaged, guint64, i));
      g_autoptr (GError) error = NULL;

      if (dps_quarantine_move (dir_fd, name, &error))
        continue;
      self->held |= DPS_PROTECTION_BIT_UNKNOWN;
      dps_warning ((TOPIC ("store"), OBJECT (name)),
                   "stays where it is: %s",
                   error->message);
    }
}

static gboolean
visit (DpsSurvey *self,
       int dir_fd,
       DpsSealer *sealer,
       guint64 number,
       const guint8 *expected_uuid,
       GArray *damaged,
       GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (DpsSecret) payload = NULL;
  DpsGenerationHeader header;

  payload = dps_survey_read_one (dir_fd, sealer, number, expected_uuid, &header, &local);
  if (payload == NULL)
    {
      g_autofree char *name = dps_roster_name (number);

      if (g_error_matches (local, DPS_ERROR, DPS_ERROR_REJECTED))
        return g_array_append_val (damaged, number), note_bad (self, number, local), TRUE;
      if (is_unreadable_now (local))
        {
          self->held |= DPS_PROTECTION_BIT_UNKNOWN;
          return note_bad (self, number, local), TRUE;
        }
      g_propagate_prefixed_error (error, g_steal_pointer (&local), "'%s': ", name);
      return FALSE;
    }

  g_array_append_val (self->numbers, number);
  g_array_append_val (self->levels, header.protection);
  self->held |= DPS_PROTECTION_BIT (header.protection);
  if (self->payload == NULL)
    {
      self->payload = g_steal_pointer (&payload);
      self->newest = header;
    }
  return TRUE;
}

/* A quarantine that cannot be read keeps nobody from their identity. */
static void
count_quarantine (DpsSurvey *self, int dir_fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) numbers = dps_quarantine_read (dir_fd, &error);

  if (numbers == NULL)
    {
      dps_warning ((TOPIC ("store"), OBJECT (DPS_QUARANTINE_NAME)), "%s", error->message);
      return;
    }
  self->n_bad += numbers->len;
  if (numbers->len > 0)
    self->highest_bad = g_array_index (numbers, guint64, 0);
}

DpsSurvey *
dps_survey_new (int dir_fd,
                DpsSealer *sealer,
                const guint8 *expected_uuid,
                GError **error)
{
  g_autoptr (DpsSurvey) self = g_new0 (DpsSurvey, 1);
  g_autoptr (GArray) all = dps_roster_read (dir_fd, FALSE, error);
  g_autoptr (GArray) damaged = g_array_new (FALSE, FALSE, sizeof (guint64));

  if (all == NULL)
    return NULL;
  self->numbers = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->levels = g_array_new (FALSE, FALSE, sizeof (guint32));
  count_quarantine (self, dir_fd);
  for (guint i = 0; i < all->len; i++)
    {
      if (expected_uuid == NULL && self->payload != NULL)
        expected_uuid = self->newest.uuid;
      if (!visit (self,
                  dir_fd,
                  sealer,
                  g_array_index (all, guint64, i),
                  expected_uuid,
                  damaged,
                  error))
        return NULL;
    }
  set_aside (self, dir_fd, damaged);
  self->highest = self->highest_bad;
  if (all->len > 0)
    self->highest = MAX (self->highest, g_array_index (all, guint64, 0));
  return g_steal_pointer (&self);
}

static guint32
peek_level (int dir_fd, guint64 number)
{
  g_autofree char *name = dps_roster_name (number);
  g_autoptr (GBytes) file = read_file (dir_fd, name, NULL);
  DpsGenerationHeader header;

  if (file == NULL || !dps_generation_peek (file, &header, NULL) ||
      dps_protection_name (header.protection) == NULL)
    return DPS_PROTECTION_BIT_UNKNOWN;
  return DPS_PROTECTION_BIT (header.protection);
}

guint32
dps_survey_peek_levels (int dir_fd)
{
  g_autoptr (GArray) all = dps_roster_read (dir_fd, FALSE, NULL);
  guint32 levels = 0;

  if (all == NULL)
    return DPS_PROTECTION_BIT_UNKNOWN;
  for (guint i = 0; i < all->len; i++)
    levels |= peek_level (dir_fd, g_array_index (all, guint64, i));
  return levels;
}

void
dps_survey_free (DpsSurvey *self)
{
  g_clear_pointer (&self->numbers, g_array_unref);
  g_clear_pointer (&self->levels, g_array_unref);
  g_clear_pointer (&self->payload, dps_secret_unref);
  g_free (self->reason);
  g_free (self);
}
