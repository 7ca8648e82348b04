/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-opening.h"

#include <gio/gio.h>

/* DpsKeeper: the vault in force and the store it lives in. A change is on disk before it
 * is in force, and there is one at a time: while one is under way further ones are
 * DPS_ERROR_BUSY, and so they are while it is read. Main thread, where nothing here
 * blocks: the store and what seals it work in a worker. */
#define DPS_TYPE_KEEPER (dps_keeper_get_type ())
G_DECLARE_FINAL_TYPE (DpsKeeper, dps_keeper, DPS, KEEPER, GObject)

/* For the store in the state directory path. make makes the sealer of the TPM that the
 * configuration names. machine is this one (dps-machine.h) or NULL; what is stored says
 * from the next change on that it is its. */
DpsKeeper *dps_keeper_new (const char *path, DpsSealerMaker make, const char *machine);

/* How the store is sealed, and with what, from the next load or change on; NULL = the
 * defaults. References config. */
void dps_keeper_set_config (DpsKeeper *self, DpsConfig *config);

/* Opens the store where it is not open yet, reads it where it was not read yet, and does
 * what flags say; not while it is read or written. An empty store is an empty vault.
 * Where it cannot be read the vault is empty too, there is a failure, and _finish gives
 * FALSE. */
void dps_keeper_load_async (DpsKeeper *self,
                            DpsOpeningFlags flags,
                            GAsyncReadyCallback callback,
                            gpointer data);
gboolean dps_keeper_load_finish (DpsKeeper *self, GAsyncResult *result);
gboolean dps_keeper_is_loading (DpsKeeper *self);
/* A load has ended, whichever way. */
gboolean dps_keeper_is_loaded (DpsKeeper *self);

/* Why the store could not be read; NULL where it was. Borrowed. */
DpsFailure *dps_keeper_get_failure (DpsKeeper *self);

/* Why no new identity may be written to it, though it could be read; NULL where it may.
 * Borrowed. */
DpsFailure *dps_keeper_get_obstacle (DpsKeeper *self);

/* The TPM may not be the one any more that sealed the store: the next load reads it anew.
 */
void dps_keeper_doubt (DpsKeeper *self);

/* What another TPM has sealed was put aside, and nobody was told by this function yet. */
gboolean dps_keeper_take_started_over (DpsKeeper *self);

/* TRUE where a TPM that can be used now would make a difference to what is stored. */
gboolean dps_keeper_may_rise (DpsKeeper *self);

/* TRUE where the vault is all there is. Where the store could not be read nothing is
 * committed until it was, or a reset has emptied it: the identity that is still on disk
 * would be lost. */
gboolean dps_keeper_is_readable (DpsKeeper *self, GError **error);

/* Borrowed until the next main loop iteration; each may be NULL. */
DpsIdentity *dps_keeper_get_identity (DpsKeeper *self);
DpsImportedKey *dps_keeper_get_imported_key (DpsKeeper *self);
DpsSecret *dps_keeper_get_refusal (DpsKeeper *self);
const char *dps_keeper_get_used_file (DpsKeeper *self);
const char *dps_keeper_get_overruled_file (DpsKeeper *self);

/* "tpm2+host" or "host", or "none" while nothing is stored; static. */
const char *dps_keeper_get_protection (DpsKeeper *self);

/* Whether a TPM seals what is stored, or, where nothing is, what would be, once the store
 * was prepared (DPS_OPENING_PREPARE). */
gboolean dps_keeper_is_sealed_by_tpm (DpsKeeper *self);

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
/* Keeps all else. refusal: of dps_refusal_get(). */
void dps_keeper_put_refusal_async (DpsKeeper *self,
                                   DpsSecret *refusal,
                                   GAsyncReadyCallback callback,
                                   gpointer data);
void dps_keeper_reset_async (DpsKeeper *self,
                             GAsyncReadyCallback callback,
                             gpointer data);
gboolean dps_keeper_finish (DpsKeeper *self, GAsyncResult *result, GError **error);
