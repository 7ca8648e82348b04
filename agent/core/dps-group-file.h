/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-config.h"

/* What group-key-file= names: a file in the import directory, or a credential. The
 * origin of a group key is "credential:NAME", or "file:INODE.SECONDS.NANOSECONDS" with
 * the time of the file's last change, so that a file that was put there again has
 * another one. */

/* The origin of what is there now; NULL = nothing, or not to be seen. The caller's. */
char *dps_group_file_find (DpsConfig *config);

gboolean dps_group_file_is_credential (const char *origin);

/* The content, 1 to DPS_CONFIG_SECRET_MAX bytes, and in *origin, the caller's, what it
 * was read from. A file has to be of one name, in a directory that nobody but root and
 * the agent may write, and is held to the rule for key files. Blocks. Errors as
 * dps_config_read_secret(). */
DpsSecret *dps_group_file_read (DpsConfig *config, char **origin, GError **error);

/* Removes the file, durably, where it still is the one of origin; another one that has
 * taken its place stays. Blocks. */
gboolean dps_group_file_remove (DpsConfig *config, const char *origin, GError **error);
