/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm/dps-tpm-tcti.h"
#include "tpm/dps-tpm.h"

/* Within agent/tpm, and for its tests. */
#define DPS_TPM_N_AUTHS (DPS_TPM_AUTH_SRK + 1)

struct _DpsTpm
{
  DpsTpmTcti *tcti;
  ESYS_CONTEXT *esys;
  TPM2B_AUTH auths[DPS_TPM_N_AUTHS];
  GArray *loaded; /* ESYS_TR: transient keys and sessions made through self */
};

/* Notes what dps_tpm_free() has to flush. */
void dps_tpm_track (DpsTpm *self, ESYS_TR tr);
/* Takes that back, for a session that its last command has ended. */
void dps_tpm_forget (DpsTpm *self, ESYS_TR tr);
