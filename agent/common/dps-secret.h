/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* DpsSecret: the one type for key bytes, shares and tokens-in-the-making. The bytes live
 * in OpenSSL's secure heap (locked, left out of core dumps) and are wiped at the last
 * unref. A secret is never printed; it crosses processes only as a sealed memfd. */
typedef struct _DpsSecret DpsSecret;

#define DPS_SECRET_MAX (128u * 1024u)

/* Sets up the secure heap; call once from main() before any secret is made. Where locking
 * is refused (containers) the heap still works and this returns FALSE so that main can
 * say so. */
gboolean dps_secret_init (void);

/* A copy of size bytes (0..DPS_SECRET_MAX). The caller wipes its own buffer. */
DpsSecret *dps_secret_new (const void *data, gsize size);

/* size zero bytes, to be filled through dps_secret_edit() before it is shared. */
DpsSecret *dps_secret_new_empty (gsize size);

/* Decodes standard, padded base64 (RFC 4648 §4), surrounding ASCII white space tolerated.
 * NULL and DPS_ERROR_INVALID_ARGUMENT where it is none, or has under min or over max
 * bytes. */
DpsSecret *dps_secret_new_from_base64 (const char *text,
                                       gsize length,
                                       gsize min,
                                       gsize max,
                                       GError **error);

/* The same text for the bytes of self, without a line end; never on the ordinary heap. */
DpsSecret *dps_secret_to_base64 (const DpsSecret *self);

DpsSecret *dps_secret_ref (DpsSecret *self);
void dps_secret_unref (DpsSecret *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsSecret, dps_secret_unref)

const guint8 *dps_secret_data (const DpsSecret *self);
guint8 *dps_secret_edit (DpsSecret *self);
gsize dps_secret_size (const DpsSecret *self);

/* Constant time for secrets of equal size. */
gboolean dps_secret_equal (const DpsSecret *a, const DpsSecret *b);

/* A memfd holding the bytes, sealed against any change, offset 0, close-on-exec; the
 * caller owns it. -1 with error set on failure. */
int dps_secret_to_memfd (const DpsSecret *self, GError **error);

/* Reads all of fd from its start (a memfd or a regular file) or to its end (a pipe,
 * socket); more than max bytes is DPS_ERROR_LIMITS_EXCEEDED. fd stays the caller's. */
DpsSecret *dps_secret_read_fd (int fd, gsize max, GError **error);
