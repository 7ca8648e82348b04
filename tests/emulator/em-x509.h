/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client certificates, and the rules by which an enrolment or a hub takes them; pure. */
#pragma once

#include <gio/gio.h>

#include <openssl/x509.h>

/* More certificates than these in a chain, or a larger one, are not read. */
#define EM_CHAIN_MAX 8
#define EM_CERTIFICATE_MAX (16 * 1024)

/* What a rule said of a client's certificate, by the first that it breaks. */
typedef enum
{
  EM_X509_OK,
  EM_X509_ABSENT,        /* none was shown */
  EM_X509_UNREADABLE,    /* too many, too large, or not certificates */
  EM_X509_TOKEN,         /* a token came where only a certificate counts */
  EM_X509_OTHER,         /* not the one that is pinned */
  EM_X509_CHAIN,         /* does not link up to a certificate that is enrolled */
  EM_X509_NOT_YET_VALID, /* it, or a CA above it */
  EM_X509_EXPIRED,
  EM_X509_COMMON_NAME,
  EM_X509_USAGE, /* has extended key usages, but not that of a client */
  EM_N_X509_VERDICTS,
} EmX509Verdict;

/* The word of the log. */
const char *em_x509_verdict_name (EmX509Verdict verdict);

/* A chain is an array of X509, leaf first; empty if what was shown cannot be read. */
GPtrArray *em_chain_new (void);
/* FALSE, and the chain is empty, where it cannot be read. */
gboolean em_chain_add_der (GPtrArray *self, const guint8 *data, gsize len);

/* Certificates that prove who one is: a pinned one, which is the device's own, or a CA
 * above it. Immutable and counted. */
typedef struct
{
  GPtrArray *pins; /* GBytes: SHA-256 or SHA-1 of the certificate */
  GPtrArray *cas;  /* X509 */
} EmX509Trust;

EmX509Trust *em_x509_trust_new (void);
EmX509Trust *em_x509_trust_ref (EmX509Trust *self);
void em_x509_trust_unref (EmX509Trust *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmX509Trust, em_x509_trust_unref)

/* The only certificate of a PEM file, or NULL. */
X509 *em_x509_load (const char *path, GError **error);
/* SHA-256 of its DER, and that in lower-case hex. */
GBytes *em_x509_thumbprint (X509 *certificate);
char *em_x509_thumbprint_text (X509 *certificate);
/* 64 or 40 hex digits, of SHA-256 or SHA-1; NULL for anything else. */
GBytes *em_x509_parse_thumbprint (const char *text);

/* The one common name of a subject, or NULL where it has none or several. */
char *em_x509_common_name (const X509_NAME *subject);

/* CHAIN may be NULL. NAME is what the common name must be, without case; NOW is in
 * seconds since the epoch. */
EmX509Verdict em_x509_check (const EmX509Trust *self,
                             GPtrArray *chain,
                             const char *name,
                             gint64 now);
/* How far above the leaf the nearest of the CAs is, 1 for its issuer; 0 where the chain
 * does not link up to any. Names and signatures count, nothing else. */
guint em_x509_distance (const EmX509Trust *self, GPtrArray *chain);
