/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-sealing.h"
#include "core/dps-vault.h"
#include "net/dps-failure.h"

/* DpsOpening: what came of opening and reading the store, done in a worker: a TPM may
 * take its time, or never respond. */
typedef enum
{
  DPS_OPENING_READ = 0,
  /* An identity is about to be had: what will seal it is made and tried now, so that it
   * is not found out only when there is something to lose. */
  DPS_OPENING_PREPARE = 1 << 0,
} DpsOpeningFlags;

/* Where to look, and what is known already. */
typedef struct
{
  const char *path;
  DpsSealing *sealing;   /* follows the configuration in force */
  const char *machine;   /* this one (dps-machine.h), or NULL */
  DpsStore *store;       /* the one that is open, or NULL to open path */
  const DpsVault *known; /* what was read before, and is not read again, or NULL */
  DpsOpeningFlags flags;
} DpsOpeningPlace;

typedef struct
{
  DpsStore *store;        /* NULL where it could not be opened */
  DpsVault *vault;        /* what it holds; empty where it could not be read */
  const char *protection; /* dps_store_get_protection(); static; NULL without a store */
  gboolean is_read_only;
  DpsFailure *failure;   /* why it could not be read, or NULL */
  DpsFailure *obstacle;  /* why nothing may be written to it, or NULL; it was read */
  gboolean started_over; /* it was another TPM's, and was put aside */
} DpsOpening;

/* Blocks; for the lock up to ten seconds: the process before may still be serving its
 * last calls. What another machine has stored is a failure; without a TPM it is told by
 * its id, so a store that has none is this machine's. What the host alone protects is
 * sealed with the TPM where that can be used now. The caller's. */
DpsOpening *dps_opening_run (const DpsOpeningPlace *place);

/* What an error of dps_sealing_choose() for store is; the caller's. */
DpsFailure *dps_opening_explain_sealing (DpsStore *store, const GError *error);
void dps_opening_free (DpsOpening *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsOpening, dps_opening_free)
