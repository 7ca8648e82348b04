/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "tpm/dps-tpm.h"

/* A small secret under a storage key: a keyed-hash object without policy, without a
 * password of its own, and without dictionary-attack protection, which an unclean power
 * cut would count as an attempt (TCG TPM 2.0 Part 1, §19.8). */
#define DPS_TPM_SEALED_MAX 128u

/* Wraps secret (1..DPS_TPM_SEALED_MAX bytes) under parent: StartAuthSession, Create. The
 * secret travels encrypted, in a session salted to parent. */
gboolean dps_tpm_seal (DpsTpm *self,
                       const DpsTpmKey *parent,
                       const DpsSecret *secret,
                       TPM2B_PUBLIC *public,
                       TPM2B_PRIVATE *private,
                       GError **error);

/* The secret, the caller's: StartAuthSession, Load, Unseal, FlushContext. */
DpsSecret *dps_tpm_unseal (DpsTpm *self,
                           const DpsTpmKey *parent,
                           const TPM2B_PUBLIC *public,
                           const TPM2B_PRIVATE *private,
                           GError **error);
