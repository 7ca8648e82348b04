/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "tpm/dps-tpm-visit.h"

/* What [tpm] of a configuration says. These block: they read password files. */

/* The password that the file of id holds, the caller's; NULL where there is none. One
 * that cannot be read is none, and the journal says why: the TPM says if it wants one. */
DpsSecret *dps_tpm_setup_read_auth (DpsConfig *config, DpsConfigId id);

/* The TPM with the passwords of owner and storage root key; the caller's. */
DpsTpmAccess *dps_tpm_setup_access (DpsConfig *config);
