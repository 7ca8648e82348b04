/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The encodings of the wire, read strictly: what a lenient reader lets pass would hide a
 * client's mistake. */
#pragma once

#include <glib.h>

#define EM_SHA256_LEN 32

char *em_percent_decode (const char *text);
GBytes *em_base64_decode (const char *text);
gboolean em_hmac_sha256 (GBytes *key,
                         const char *text,
                         gsize len,
                         guint8 out[EM_SHA256_LEN]);
GBytes *em_derive_key (GBytes *group_key, const char *registration_id);
char *em_guid (void);
