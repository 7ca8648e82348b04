/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Where configuration comes from: directories by rank and the files in them (design §5).
 */

#define DPS_CONFIG_DROP_INS "agent.conf.d"
#define DPS_CONFIG_DROP_INS_MAX 256

typedef struct
{
  const char *config_dir;      /* /etc/dps-agent: agent.conf and drop-ins */
  const char *run_dir;         /* /run/dps-agent: drop-ins; NULL = none */
  const char *vendor_dir;      /* /usr/lib/dps-agent: drop-ins; NULL = none */
  const char *credentials_dir; /* $CREDENTIALS_DIRECTORY; NULL = none */
  const char *state_dir;       /* holds import/; NULL = /var/lib/dps-agent */
  const char *plugin_dir;      /* holds NAME.so; NULL = not known, no plugin is missed */
} DpsConfigPaths;

/* The files that count, in the order they apply: <config_dir>/agent.conf where present,
 * then agent.conf.d/NAME.conf by NAME over all directories, each name from the first of
 * config_dir, run_dir, vendor_dir that has it; so an empty file hides the lower ones, and
 * so does a link to /dev/null. Names that begin with a dot or do not
 * end in .conf do not count. DPS_ERROR_ACCESS_DENIED for a directory that is not root's
 * alone to write. The caller's. */
GStrv dps_config_list_files (const DpsConfigPaths *paths, GError **error);

/* The bytes of one of those files; DPS_ERROR_ACCESS_DENIED where it or a directory above
 * it is not root's alone to write, DPS_ERROR_INVALID_ARGUMENT where it is too large. */
GBytes *dps_config_read_source (const char *path, GError **error);
