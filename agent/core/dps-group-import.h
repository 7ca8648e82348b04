/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-keeper.h"
#include "core/dps-report.h"
#include "core/dps-settings.h"

/* DpsGroupImport: takes the group key that the configuration names: derives the device
 * key, has it committed, and only then removes the file. After a crash in between, the
 * file is known by its origin in the store, and is removed without being used again. What
 * stays on the host is a warning of the report. Main thread; files are touched in a
 * worker. */
typedef struct _DpsGroupImport DpsGroupImport;

/* Called after each import; failure, borrowed, is NULL where the key is in the store. */
typedef void (*DpsGroupImportDone) (DpsFailure *failure, gpointer data);

/* All objects are referenced. */
DpsGroupImport *dps_group_import_new (DpsSettings *settings,
                                      DpsKeeper *keeper,
                                      DpsReport *report,
                                      DpsGroupImportDone done,
                                      gpointer data);
void dps_group_import_free (DpsGroupImport *self);

/* Looks for a group key to take. TRUE = an import has begun, and done will be called;
 * FALSE where there is nothing to do. A file that could not be removed is not tried again
 * before the next start. */
gboolean dps_group_import_look (DpsGroupImport *self);
gboolean dps_group_import_is_active (DpsGroupImport *self);

/* The origin of the group key that is there; the caller's, or NULL. */
char *dps_group_import_find_file (DpsGroupImport *self);

/* Which imported key an attempt shows, by the configuration, which there must be: the
 * caller's, or NULL where it is key-file='s, or with *failure, the caller's, where there
 * is none for this registration id. */
DpsImportedKey *dps_group_import_choose (DpsGroupImport *self, DpsFailure **failure);
