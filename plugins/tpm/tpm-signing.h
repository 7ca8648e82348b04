/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm-keys.h"

#define TPM_SIGNATURE_SIZE 32 /* HMAC-SHA256 */

/* HMAC-SHA256 of size bytes with the key of blob: Load, HMAC, FlushContext, where the
 * storage root key is known and in place. Data over the TPM's input buffer goes by an
 * HMAC sequence. With persist, the key is at persist-handle= afterwards, or a warning
 * says why not. */
gboolean tpm_sign (TpmKeys *keys,
                   const TpmKeyBlob *blob,
                   const guint8 *data,
                   gsize size,
                   gboolean persist,
                   guint8 signature[TPM_SIGNATURE_SIZE],
                   GError **error);
