/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"

/* What group-key-file= names: a file in the import directory, or a credential. The
 * origin of a group key is "credential:NAME", or "file:STAMP:PATH" where the stamp is of
 * inode, times and size, so that a file that was put there again has another one. */

typedef enum
{
  DPS_GROUP_FILE_ABSENT, /* there is nothing */
  DPS_GROUP_FILE_THERE,
  DPS_GROUP_FILE_UNFIT /* no regular file, or not to be seen: reading it says what */
} DpsGroupFileState;

/* What is there now; *origin, the caller's, is NULL but for DPS_GROUP_FILE_THERE. */
DpsGroupFileState dps_group_file_find (DpsConfig *config, char **origin);

gboolean dps_group_file_is_credential (const char *origin);

/* The path where the file of a stored origin lies still, unchanged; whatever the
 * configuration says now. NULL = it does not, or the origin is no file's. Borrowed from
 * origin. */
const char *dps_group_file_remaining (const char *origin);

/* The content, 1 to DPS_CONFIG_SECRET_MAX bytes, and in *origin, the caller's, what it
 * was read from. A file has to be of one name, in a directory that nobody but root and
 * the agent may write, and is held to the rule for key files. Blocks. DPS_ERROR_BUSY
 * where the file is being written, else errors as dps_config_read_secret(). */
DpsSecret *dps_group_file_read (DpsConfig *config, char **origin, GError **error);

typedef enum
{
  DPS_GROUP_FILE_STAYS, /* and error says why */
  DPS_GROUP_FILE_REMOVED,
  DPS_GROUP_FILE_GONE,    /* somebody else removed it */
  DPS_GROUP_FILE_REPLACED /* another one has taken its place, and stays */
} DpsGroupFileEnd;

/* Removes the file, durably, where it still is the one of origin. Blocks. */
DpsGroupFileEnd dps_group_file_remove (DpsConfig *config,
                                       const char *origin,
                                       GError **error);
