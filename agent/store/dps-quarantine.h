/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* quarantine/ (0700) in the state directory keeps what could not be read, for whoever
 * wants to look, until the next reset. */
#define DPS_QUARANTINE_NAME "quarantine"

/* Moves name there by rename, as name, name.1, name.2 …; on failure it stays. */
gboolean dps_quarantine_move (int dir_fd, const char *name, GError **error);

/* The same for what is whole and another's, as foreign-name: no generation that is held
 * there for damage. An absent name is fine. The
 * newest 16 of these are kept. */
gboolean dps_quarantine_set_aside (int dir_fd, const char *name, GError **error);

/* The numbers of the generations held there, newest first (dps_roster_read()); empty
 * where there is no quarantine. */
GArray *dps_quarantine_read (int dir_fd, GError **error);

/* Removes it and what it holds. */
gboolean dps_quarantine_clear (int dir_fd, GError **error);
