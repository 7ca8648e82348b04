/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Where a TPM is, as tcti= in [tpm] says it: "device:PATH" for a character device of the
 * kernel's resource manager, "unix:PATH" for a stream socket on which a simulator speaks
 * plain TPM commands and responses (TCG TPM 2.0 Library Part 1, §18). */

/* DPS_TPM_ERROR_FAILED, which says what is wrong, where tcti is neither, or PATH is not
 * absolute or longer than 100 bytes. */
gboolean dps_tpm_device_check (const char *tcti, GError **error);

/* TRUE for "unix:…": shown as a simulator. */
gboolean dps_tpm_device_is_simulator (const char *tcti);

/* The path of one that was checked; a part of tcti. */
const char *dps_tpm_device_path (const char *tcti);

/* A descriptor of its own for one user of the TPM, the caller's, close-on-exec, blocking.
 * Each is a space of its own in the kernel's resource manager: closing it flushes what it
 * left behind. Never waits: where a simulator has as many users as it takes, that is
 * BUSY. -1 with DPS_TPM_ERROR NO_DEVICE, PERMISSION, RAW_ONLY, BUSY or FAILED; the text
 * names the path, and for NO_DEVICE another resource manager's node that is there. */
int dps_tpm_device_open (const char *tcti, GError **error);
