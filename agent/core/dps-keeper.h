/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-vault.h"
#include "net/dps-failure.h"
#include "store/dps-store.h"

#include <gio/gio.h>

/* DpsKeeper: the vault in force and the store it lives in. A change is on disk before it
 * is in force, and there is one at a time: while one is under way further ones are
 * DPS_ERROR_BUSY. Main thread; the store works in a worker. */
#define DPS_TYPE_KEEPER (dps_keeper_get_type ())
G_DECLARE_FINAL_TYPE (DpsKeeper, dps_keeper, DPS, KEEPER, GObject)

/* For the store in the state directory path; references sealer. */
DpsKeeper *dps_keeper_new (const char *path, DpsSealer *sealer);

/* Opens the store where it is not open yet; blocks. Errors as dps_store_open(). */
gboolean dps_keeper_open (DpsKeeper *self, GError **error);

/* Opens and reads the store; blocks, for use at start. An empty store is an empty vault.
 * Where it could not be read the vault is empty too, and there is a failure. */
void dps_keeper_load (DpsKeeper *self);

/* Why the store could not be read; NULL where it was. Borrowed. */
DpsFailure *dps_keeper_get_failure (DpsKeeper *self);

/* TRUE where the vault is all there is. Where the store could not be read it is read
 * again, and until that succeeds, or a reset has emptied it, nothing is committed: the
 * identity that is still on disk would be lost. */
gboolean dps_keeper_is_readable (DpsKeeper *self, GError **error);

/* Borrowed until the next main loop iteration; each may be NULL. */
DpsIdentity *dps_keeper_get_identity (DpsKeeper *self);
DpsImportedKey *dps_keeper_get_imported_key (DpsKeeper *self);
const char *dps_keeper_get_used_file (DpsKeeper *self);
const char *dps_keeper_get_overruled_file (DpsKeeper *self);

/* "host", or "none" while nothing is stored; static. */
const char *dps_keeper_get_protection (DpsKeeper *self);

/* Whether changes fail for want of a writable file system (dps_store_is_read_only()). */
gboolean dps_keeper_is_read_only (DpsKeeper *self);

gboolean dps_keeper_is_busy (DpsKeeper *self);

/* Bytes of a symmetric device key (dps-protocol §3.1). */
#define DPS_DEVICE_KEY_MIN 16
#define DPS_DEVICE_KEY_MAX 64

/* Replaces identity or imported key and keeps the other; a key that is not base64 of
 * DPS_DEVICE_KEY_MIN to MAX bytes is DPS_ERROR_INVALID_ARGUMENT. Finish with
 * dps_keeper_finish(). A key that comes from a group-key file notes that as used;
 * overruled is the origin of a file that the key takes precedence over, or NULL. */
void dps_keeper_put_identity_async (DpsKeeper *self,
                                    DpsIdentity *identity,
                                    GAsyncReadyCallback callback,
                                    gpointer data);
void dps_keeper_put_imported_key_async (DpsKeeper *self,
                                        DpsImportedKey *key,
                                        const char *overruled,
                                        GAsyncReadyCallback callback,
                                        gpointer data);
void dps_keeper_reset_async (DpsKeeper *self,
                             GAsyncReadyCallback callback,
                             gpointer data);
gboolean dps_keeper_finish (DpsKeeper *self, GAsyncResult *result, GError **error);
