/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The line parser of configuration files. Pure: bytes and a name in, entries with line
 * numbers out. It is stricter than GKeyFile, which reports neither lines nor keys given
 * twice.
 *
 * A file is UTF-8 of at most DPS_CONFIG_FILE_MAX bytes in lines of at most
 * DPS_CONFIG_LINE_MAX, each one of: nothing, a comment (# or ; first), [group],
 * key=value. White space round group, key and value is dropped. There are no escapes, no
 * continuation lines and no comments behind a value. */

#define DPS_CONFIG_FILE_MAX (64u * 1024u)
#define DPS_CONFIG_LINE_MAX 4096u
#define DPS_CONFIG_VALUE_MAX 1024u

typedef struct
{
  char *group; /* the text between the brackets */
  char *key;   /* NULL = the group's own line */
  char *value; /* may be empty */
  guint line;  /* from 1 */
} DpsConfigEntry;

/* The entries of data in their order, as GPtrArray of DpsConfigEntry, the caller's. Names
 * are not looked up here. NULL and DPS_ERROR_INVALID_ARGUMENT, "FILE:LINE: [group] key:
 * what is wrong; what to do", on failure; no value is ever repeated in a message. */
GPtrArray *dps_config_parse (const char *data,
                             gsize size,
                             const char *file_name,
                             GError **error);
