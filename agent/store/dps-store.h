/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "store/dps-sealer.h"

#include <gio/gio.h>

/* DpsStore: private, crash-safe storage for the host's credentials (design §9). One
 * payload is kept, in numbered generations of which the two newest stay:
 *
 *   lock  host.share  seal.v1  gen-00000007  gen-00000006  intent  quarantine/
 *
 * Files are 0600, opened relative to the directory and never through symbolic links;
 * other files there are ignored. All functions block and are for a worker thread; they
 * may be called from any, one after the other. */
#define DPS_STORE_PAYLOAD_MAX (96u * 1024u)
#define DPS_STORE_INTENT_MAX (16u * 1024u)

#define DPS_TYPE_STORE (dps_store_get_type ())
G_DECLARE_FINAL_TYPE (DpsStore, dps_store, DPS, STORE, GObject)

/* Opens the state directory path, which must exist, belong to the effective user and be
 * closed to group and others; takes its lock until the last unref and removes what a
 * crash left half-written. Errors name path and remedy: DPS_ERROR_BUSY where another has
 * the lock, DPS_ERROR_ACCESS_DENIED for owner and mode, DPS_ERROR_FAILED where it is
 * missing or no directory. The store keeps a reference to sealer. */
DpsStore *dps_store_open (const char *path, DpsSealer *sealer, GError **error);

/* The payload of the newest generation that authenticates, the caller's; generation and
 * is_newest may be NULL and are set on success. Damaged files go to quarantine/ with a
 * warning, those that the disk does not give back now stay, and all where none
 * authenticates; is_newest is FALSE while one of them is newer than what is given, so
 * after a restart too, until the next commit.
 *   DPS_ERROR_NOT_PROVISIONED  nothing is stored
 *   DPS_ERROR_FAILED           all that is stored is unreadable (a commit is possible),
 *                              or the sealer lacks what it needs (a commit is not, before
 *                              dps_store_reset())
 *   DPS_ERROR_NOT_SUPPORTED    a newer format or a higher protection level; nothing is
 *                              touched, and commits are refused likewise
 *   DPS_TPM_ERROR              the TPM does not unseal; likewise */
DpsSecret *dps_store_load (DpsStore *self,
                           guint64 *generation,
                           gboolean *is_newest,
                           GError **error);

/* Stores payload (0..DPS_STORE_PAYLOAD_MAX bytes, else DPS_ERROR_LIMITS_EXCEEDED) as the
 * next generation. TRUE once it is on the disk and has been read back from there; on any
 * error the generations before are untouched and served as before. */
gboolean dps_store_commit (DpsStore *self, DpsSecret *payload, GError **error);

/* Forgets generations, quarantine and the sealer's files, in an order that leaves, when
 * interrupted, the newest generation readable or nothing. The intent stays: a reset
 * shortens no wait. Works on what load and commit refuse. */
gboolean dps_store_reset (DpsStore *self, GError **error);

/* Has the sealer make and try what the next commit is sealed with, so that the caller
 * learns what is in its way while nothing is at stake. Errors as for dps_store_commit().
 */
gboolean dps_store_prepare (DpsStore *self, GError **error);

/* Goes on with another sealer; a reference is taken. */
void dps_store_set_sealer (DpsStore *self, DpsSealer *sealer);

/* The levels that the headers of what is stored name, DPS_PROTECTION_BIT(); nothing is
 * unsealed or authenticated, and what cannot be read is DPS_PROTECTION_BIT_UNKNOWN. 0 =
 * nothing is stored. For the choice of a sealer. */
guint32 dps_store_peek_levels (DpsStore *self);

/* Whether a generation at a lower level than the sealer's was there when the store was
 * last loaded or committed. */
gboolean dps_store_needs_migration (DpsStore *self);

/* Commits what is stored at the sealer's level, where it is not there yet, and then
 * removes the generations of all lower levels, as dps_store_commit() does too; so at no
 * point is there none that can be read. Errors as for dps_store_load() and
 * dps_store_commit(); DPS_ERROR_FAILED too while the disk does not give back one of them.
 */
gboolean dps_store_migrate (DpsStore *self, GError **error);

/* Moves all generations and seal.v1 to quarantine/ as foreign-NAME, durably, for a store
 * that was sealed by another TPM: then nothing is stored, and a commit seals anew. Cut
 * short, it leaves a store that needs it still. */
gboolean dps_store_set_aside (DpsStore *self, GError **error);

/* Whether the file system was read-only when the store was opened: what is there is
 * served, and every change fails. */
gboolean dps_store_is_read_only (DpsStore *self);

/* The level that protects what was last loaded or committed, before that the sealer's:
 * "host" or "tpm2+host". Static. */
const char *dps_store_get_protection (DpsStore *self);

/* One small durable record beside the generations, for pacing; no secrets in it. At most
 * DPS_STORE_INTENT_MAX bytes, else DPS_ERROR_LIMITS_EXCEEDED. A write replaces it
 * atomically. */
gboolean dps_store_write_intent (DpsStore *self, GBytes *bytes, GError **error);

/* The record, the caller's. NULL without error where there is none, or one that is
 * damaged (with a warning). */
GBytes *dps_store_read_intent (DpsStore *self, GError **error);

/* Removes the record, durably; an absent one is fine. */
gboolean dps_store_clear_intent (DpsStore *self, GError **error);
