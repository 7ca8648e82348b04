/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm-keys.h"

/* persist-handle=: the place at which older agents on the same host look for the hub key.
 * Whatever else than an HMAC key is there, stays there. */

/* Has the loaded key there, in the place of an HMAC key of before. Never fails: what goes
 * wrong is a warning in the log, since this agent needs none of it. */
void tpm_shared_handle_keep (TpmKeys *keys, ESYS_TR key);

/* Takes the HMAC key there away, if there is one. */
gboolean tpm_shared_handle_clear (TpmKeys *keys, GError **error);
