/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

#include <openssl/x509.h>

/* What certificate= has: the device's certificate, and after each its issuer's. Pure. */
typedef struct X509Chain X509Chain;

#define X509_CHAIN_MAX 8        /* certificates */
#define X509_COMMON_NAME_MAX 64 /* characters: RFC 5280, ub-common-name */

/* PEM with certificates alone (text around the blocks is none of ours), or DER, one after
 * the other; 1 to X509_CHAIN_MAX, leaf first. The caller's; NULL with the cause
 * x509-certificate. */
X509Chain *x509_chain_parse (const DpsPluginView *file, X509Error *error);
void x509_chain_free (X509Chain *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509Chain, x509_chain_free)

/* Whether the service can take it at the time now, in seconds since the epoch: kind of
 * key, validity of each, common name, usage, links. Each has a cause of its own. */
gboolean x509_chain_check (X509Chain *self, gint64 now, X509Error *error);

/* Whether the leaf is for that key; the cause x509-key-mismatch. */
gboolean x509_chain_check_key (const X509Chain *self, EVP_PKEY *key, X509Error *error);

/* TRUE where it is a leaf alone that another has issued: whether an intermediate is
 * missing only the service knows. */
gboolean x509_chain_is_lone_leaf (const X509Chain *self);

/* Of the leaf, after x509_chain_check(). Borrowed. */
const char *x509_chain_get_common_name (const X509Chain *self);

/* Of the leaf, for people: names as RFC 4514 has them and in ASCII, cut where they are
 * long; thumbprints in upper-case hex, as the Azure CLI shows them; validity as "FROM to
 * TO" in UTC. The caller's. */
char *x509_chain_dup_subject (const X509Chain *self);
char *x509_chain_dup_issuer (const X509Chain *self);
char *x509_chain_dup_thumbprint (const X509Chain *self, const EVP_MD *digest);
char *x509_chain_dup_validity (const X509Chain *self);

/* All of it, leaf first, at most DPS_PLUGIN_MATERIAL_VALUE_MAX bytes; the caller's. */
char *x509_chain_dup_pem (const X509Chain *self);
