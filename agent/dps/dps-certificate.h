/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <openssl/x509.h>

/* DpsCertificateChain: the X.509 certificates that a host shows, its own (the leaf) first
 * and then those that lead to an authority. Pure, immutable and counted; any thread.
 * Nothing here is trusted for being a chain: it is only well-formed. */
typedef struct _DpsCertificateChain DpsCertificateChain;

#define DPS_CHAIN_CERTIFICATES_MAX 8
#define DPS_CHAIN_PEM_MAX (16 * 1024)
#define DPS_CHAIN_COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */

/* Both take 1 to DPS_CHAIN_CERTIFICATES_MAX certificates, leaf first, that fit into
 * DPS_CHAIN_PEM_MAX bytes as PEM. NULL with DPS_ERROR_LIMITS_EXCEEDED for more, or
 * DPS_ERROR_INVALID_ARGUMENT for what is no such chain; the text names what, and which
 * certificate. The leaf has at most one common name, of at most DPS_CHAIN_COMMON_NAME_MAX
 * characters without controls, and dates that can be read. */

/* PEM (RFC 7468) of size bytes. No block but certificates, a private key least of all; it
 * is not decoded. Text around the blocks, as 'openssl ca' writes it, is passed over. */
DpsCertificateChain *dps_certificate_chain_new_from_pem (const char *pem,
                                                         gsize size,
                                                         GError **error);

/* GBytes, one DER certificate each and nothing behind it. Only read. */
DpsCertificateChain *dps_certificate_chain_new_from_der (GPtrArray *certificates,
                                                         GError **error);

DpsCertificateChain *dps_certificate_chain_ref (DpsCertificateChain *self);
void dps_certificate_chain_unref (DpsCertificateChain *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsCertificateChain, dps_certificate_chain_unref)

/* Leaf first, nothing but the blocks; the caller's. */
char *dps_certificate_chain_to_pem (DpsCertificateChain *self);

/* Of the leaf's subject, UTF-8; borrowed, NULL = none. */
const char *dps_certificate_chain_get_common_name (DpsCertificateChain *self);

/* From when until when the leaf is good, µs since the epoch. */
gint64 dps_certificate_chain_get_not_before (DpsCertificateChain *self);
gint64 dps_certificate_chain_get_not_after (DpsCertificateChain *self);

/* SHA-256 of the leaf's DER in lower-case hex: what a hub calls thumbprint. Borrowed. */
const char *dps_certificate_chain_get_fingerprint (DpsCertificateChain *self);

/* Leaf first; borrowed, and not to be changed. */
STACK_OF (X509) * dps_certificate_chain_get_certificates (DpsCertificateChain *self);

/* Whether each certificate was signed by the next, and that one may sign certificates
 * (RFC 5280 §6.1; no dates, no trust). True for a leaf alone. FALSE with
 * DPS_ERROR_INVALID_ARGUMENT, whose text names the first that was not. */
gboolean dps_certificate_chain_links (DpsCertificateChain *self, GError **error);
