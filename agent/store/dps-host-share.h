/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

/* H of design §9: 32 random bytes in the file host.share (0600) of the state directory.
 * It is made once, and never again while a generation needs it. */
#define DPS_HOST_SHARE_NAME "host.share"
#define DPS_HOST_SHARE_SIZE 32u

/* Makes the share where there is none. needed says that generations exist: then a missing
 * one is DPS_ERROR_FAILED, as a new one would not open them. */
gboolean dps_host_share_ensure (int dir_fd, gboolean needed, GError **error);

/* The share, the caller's. Missing, of another size or no regular file: DPS_ERROR_FAILED
 * with what is lost and what to do; else G_IO_ERROR. */
DpsSecret *dps_host_share_load (int dir_fd, GError **error);
