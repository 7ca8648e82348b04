/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dps-generation.h"
#include "store/dps-sealer.h"

/* DpsSurvey: what a state directory holds, every generation read and authenticated. The
 * damaged ones are moved to the quarantine, with a warning each; those that the disk does
 * not give back now stay where they are, and all of them where none authenticates. */
typedef struct
{
  GArray *numbers;            /* of the good ones, guint64, newest first */
  GArray *levels;             /* their levels, guint32, in the same order */
  DpsSecret *payload;         /* of the newest good one, NULL where there is none */
  DpsGenerationHeader newest; /* its header */
  guint32 held;               /* levels of what is there, DPS_PROTECTION_BIT() */
  guint64 highest;            /* number ever seen, quarantine included; 0 = none */
  guint64 highest_bad;        /* in quarantine or unreadable; 0 = none */
  guint n_bad;
  char *reason; /* why the last unreadable one is so, NULL where none was met now */
} DpsSurvey;

/* expected_uuid is the store's UUID where it is known, else NULL; the newest good
 * generation says it then, and one of another store counts as unreadable.
 * NULL and DPS_ERROR_NOT_SUPPORTED where a newer format or a higher level is met, which
 * is left untouched; the sealer's error where it cannot unseal; G_IO_ERROR where reading
 * fails for reasons that lie outside the file. Nothing is moved for those. */
DpsSurvey *dps_survey_new (int dir_fd,
                           DpsSealer *sealer,
                           const guint8 *expected_uuid,
                           GError **error);
void dps_survey_free (DpsSurvey *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsSurvey, dps_survey_free)

/* Reads and authenticates generation number alone. DPS_ERROR_REJECTED where its file is
 * unreadable for good, G_IO_ERROR_INVALID_DATA where the disk does not give it back now;
 * other errors as for dps_survey_new(). The payload is the caller's. */
DpsSecret *dps_survey_read_one (int dir_fd,
                                DpsSealer *sealer,
                                guint64 number,
                                const guint8 *expected_uuid,
                                DpsGenerationHeader *header,
                                GError **error);

/* The levels that the headers name, DPS_PROTECTION_BIT(), without unsealing anything;
 * DPS_PROTECTION_BIT_UNKNOWN for what cannot be read. */
guint32 dps_survey_peek_levels (int dir_fd);
