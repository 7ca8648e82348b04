/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The generation files a directory holds, by their names alone: gen-NNNNNNNN, always
 * eight digits, from 1. Other names do not count. */
#define DPS_ROSTER_MAX 99999999u

/* The numbers, newest first, each once; an array of guint64, the caller's. With suffixes
 * gen-NNNNNNNN.anything counts too, as in the quarantine. NULL and G_IO_ERROR on failure.
 */
GArray *dps_roster_read (int dir_fd, gboolean suffixes, GError **error);

/* The file name of generation number (1..DPS_ROSTER_MAX); the caller's. */
char *dps_roster_name (guint64 number);
