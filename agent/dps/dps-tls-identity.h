/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-certificate.h"

#include <openssl/evp.h>

/* DpsTlsIdentity: what this host shows in TLS, a chain, and somebody who signs for it.
 * The private key itself is never in this process. Immutable and counted; any thread. */
typedef struct _DpsTlsIdentity DpsTlsIdentity;

#define DPS_TLS_ECDSA_SHA256 "ECDSA-SHA256"         /* signature is DER */
#define DPS_TLS_ECDSA_SHA384 "ECDSA-SHA384"         /* the same */
#define DPS_TLS_RSA_PSS_SHA256 "RSA-PSS-SHA256"     /* salt as long as the hash */
#define DPS_TLS_RSA_PKCS1_SHA256 "RSA-PKCS1-SHA256" /* RFC 8017 §8.2 */

/* Signs digest, size bytes (32 or 48, as mechanism, one of the above, says). The
 * signature is the caller's and may be anything: it is checked against the public key
 * before it is used. NULL with error. Called in the thread that does TLS, of several at
 * once where they do; may block. */
typedef GBytes *(*DpsTlsSign) (gpointer data,
                               const char *mechanism,
                               const guint8 *digest,
                               gsize size,
                               GError **error);

/* An EVP_PKEY with the public half of public_key, which is only read, whose private
 * operations call sign, for TLS and X509_REQ_sign() (the request's key is set from
 * public_key); the caller's. It gives away no
 * private part, and does nothing but sign. data is always taken over: destroy, unless
 * NULL, is called with it after the last use, or before this fails. NULL with
 * DPS_ERROR_NOT_SUPPORTED for a key that is neither RSA of at least 2048 bits nor EC on
 * P-256 or P-384, or DPS_ERROR_FAILED. */
EVP_PKEY *dps_tls_key_new (EVP_PKEY *public_key,
                           DpsTlsSign sign,
                           gpointer data,
                           GDestroyNotify destroy,
                           GError **error);

/* Why the last private operation of such a key in this thread failed: the error of its
 * sign, or DPS_ERROR_REJECTED for a signature that is none. The caller's, once; NULL
 * where none has failed since the last call. */
GError *dps_tls_key_take_error (void);

/* chain is referenced; the rest as with dps_tls_key_new(), for the leaf's public key. */
DpsTlsIdentity *dps_tls_identity_new (DpsCertificateChain *chain,
                                      DpsTlsSign sign,
                                      gpointer data,
                                      GDestroyNotify destroy,
                                      GError **error);
DpsTlsIdentity *dps_tls_identity_ref (DpsTlsIdentity *self);
void dps_tls_identity_unref (DpsTlsIdentity *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsTlsIdentity, dps_tls_identity_unref)

DpsCertificateChain *dps_tls_identity_get_chain (DpsTlsIdentity *self); /* borrowed */
EVP_PKEY *dps_tls_identity_get_key (DpsTlsIdentity *self);              /* borrowed */

/* The signature algorithms of TLS that key and mechanisms can do, as
 * SSL_CTX_set1_client_sigalgs_list() takes them; static. */
const char *dps_tls_identity_get_algorithms (DpsTlsIdentity *self);
