/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/dps-failure.h"
#include "tpm/dps-tpm-error.h"

/* The row of the table of failures that says what an operator does about code; pure. A
 * number that is no code is DPS_FAILURE_TPM_FAILED. */
DpsFailureKind dps_tpm_failure_kind (DpsTpmError code);
