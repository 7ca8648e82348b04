/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "core/dps-keeper.h"

/* The key of an enrolment group, and the device key that comes from it; pure
 * (dps-protocol §3.4). Whoever reads a group key can be any device of the group, so it
 * leaves the host once the device key is in the store. */

/* Which key an attempt shows, and what there is to do before. */
typedef enum
{
  DPS_KEY_STORED,  /* the one in the store */
  DPS_KEY_FILE,    /* key-file=, or none at all, of which the plugin tells */
  DPS_KEY_DERIVE,  /* the group key is there: derive, store, remove it */
  DPS_KEY_REMOVE,  /* its device key is in the store; the file was left by a crash */
  DPS_KEY_GONE,    /* no key in the store, and no group key */
  DPS_KEY_OTHER_ID /* the stored one is another registration id's, and no group key */
} DpsKeyChoice;

typedef struct
{
  gboolean is_symmetric;       /* attestation= is symmetric-key */
  const char *registration_id; /* in force; NULL = not configured */
  gboolean has_key_file;       /* key-file= is set */
  gboolean has_group_key_file; /* group-key-file= is set */
  const char *found;           /* origin of the group key that is there; NULL = none */
  gboolean is_unfit;           /* what is there can be no group key (DpsGroupFileState) */
  gboolean is_credential;      /* found is one, which cannot be removed */
  gboolean is_known;           /* found was read since the agent started */
  const char *used;            /* origin of the file used last; NULL = none */
  const char *overruled;       /* of the file that an imported key overruled; or NULL */
  const DpsImportedKey *stored; /* NULL = none */
} DpsKeyFacts;

/* What configuration and store say; nothing is found. Borrows from both. */
DpsKeyFacts dps_group_key_facts (DpsConfig *config, DpsKeeper *keeper);

DpsKeyChoice dps_group_key_choose (const DpsKeyFacts *facts);

/* Whether stored goes with a registration id, in any case of its letters. */
gboolean dps_group_key_fits (const DpsImportedKey *stored, const char *registration_id);

/* text is the group key in base64 (white space around it tolerated), of as many bytes as
 * a device key. The registration id is lowered: only that form is known to work. origin
 * may be NULL. The caller's; DPS_ERROR_INVALID_ARGUMENT for a text that is no key. */
DpsImportedKey *dps_group_key_derive (const DpsSecret *text,
                                      const char *registration_id,
                                      const char *origin,
                                      GError **error);

/* Whether the bytes of the imported key are these. */
gboolean dps_group_key_is (const DpsImportedKey *imported, const DpsSecret *key);
