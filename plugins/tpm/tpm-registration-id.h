/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The registration id that follows from an endorsement key: the SHA-256 of its whole
 * TPM2B_PUBLIC, size included, in lower-case base32 without padding (RFC 4648 §6, 52
 * characters, as the tools of the SDKs have it) or in lower-case hex (64). Pure; the
 * caller's. */
char *tpm_registration_id (const guint8 *public, gsize size, gboolean hex);
