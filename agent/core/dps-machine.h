/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* This machine, as the store of one without a TPM knows it: 32 hex digits that follow
 * from /etc/machine-id and tell it to nobody (machine-id(5), application-specific). NULL,
 * with one line in the journal, where there is none: then no copy is recognised. The
 * caller's. */
char *dps_machine_dup_id (void);
