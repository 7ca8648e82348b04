/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "store/dps-store.h"

/* DpsSealing: which sealer the store works with: that of the TPM which the configuration
 * names, or where there is no usable one the host's. Never a downgrade: what a TPM has
 * sealed is not written again without it. For workers, one at a time; all of it blocks.
 */
typedef struct _DpsSealing DpsSealing;

/* Makes the sealer of a TPM; dps_tpm_sealer_new(). */
typedef DpsSealer *(*DpsSealerMaker) (const char *tcti,
                                      DpsSecret *owner_auth,
                                      DpsSecret *srk_auth);

DpsSealing *dps_sealing_new (DpsSealerMaker make);
void dps_sealing_free (DpsSealing *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsSealing, dps_sealing_free)

/* Follows config, whose password files are read again; NULL = the defaults. The TPM's
 * sealer stays the same one, with what it has unsealed, while nothing of it changed. */
void dps_sealing_follow (DpsSealing *self, DpsConfig *config);

/* Forgets what was unsealed: the TPM is asked again. */
void dps_sealing_doubt (DpsSealing *self);

/* The TPM's, which also opens what the host alone protects. Borrowed until the next
 * dps_sealing_follow(). */
DpsSealer *dps_sealing_get_tpm (DpsSealing *self);

/* A store that another TPM sealed may be put aside: the host is attested again by its TPM
 * without anybody's help (attestation=tpm). */
gboolean dps_sealing_may_start_over (DpsSealing *self);

/* Gives store the sealer that the next commit is to work with, after that has made and
 * tried what it seals with. DPS_TPM_ERROR where a TPM is needed, by the configuration
 * (required-protection=tpm2) or since one sealed what is stored, and cannot be used. */
gboolean dps_sealing_choose (DpsSealing *self, DpsStore *store, GError **error);
