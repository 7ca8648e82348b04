/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-tls-identity.h"

/* DpsTlsRemoteKey: a public key, and who signs with its private half. For dps-tls-*.c
 * alone. Immutable and counted; any thread. */
typedef struct _DpsTlsRemoteKey DpsTlsRemoteKey;

/* public_key is referenced; data is taken over. sign NULL = nobody signs. */
DpsTlsRemoteKey *dps_tls_remote_key_new (EVP_PKEY *public_key,
                                         DpsTlsSign sign,
                                         gpointer data,
                                         GDestroyNotify destroy);
DpsTlsRemoteKey *dps_tls_remote_key_ref (DpsTlsRemoteKey *self);
void dps_tls_remote_key_unref (DpsTlsRemoteKey *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsTlsRemoteKey, dps_tls_remote_key_unref)

EVP_PKEY *dps_tls_remote_key_get_public (DpsTlsRemoteKey *self); /* borrowed */
gboolean dps_tls_remote_key_can_sign (DpsTlsRemoteKey *self);
gboolean dps_tls_remote_key_is_rsa (DpsTlsRemoteKey *self);

/* A signature of at most EVP_PKEY_get_size() bytes that the public key verifies; the
 * caller's. pss is for RSA alone. NULL: dps_tls_remote_key_take_error() says why. */
GBytes *dps_tls_remote_key_sign (DpsTlsRemoteKey *self,
                                 const EVP_MD *hash,
                                 gboolean pss,
                                 const guint8 *digest,
                                 gsize size);

/* Of this thread, see dps_tls_key_take_error(). */
GError *dps_tls_remote_key_take_error (void);
