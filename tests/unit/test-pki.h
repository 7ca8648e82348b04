/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <openssl/x509.h>

/* Keys and certificates made on the spot, for tests. Everything returned is the caller's;
 * what OpenSSL refuses ends the test. */

/* "RSA-BITS", "P-256", "P-384", "P-521", "ED25519", "RSA-PSS". Another one than
 * the last time, but of RSA-2048 perhaps the one before. One thread. */
EVP_PKEY *test_pki_key (const char *kind);

typedef struct
{
  const char *name; /* the common name; NULL = no subject at all */
  EVP_PKEY *key;
  X509 *issuer; /* NULL = itself */
  EVP_PKEY *issuer_key;
  gboolean ca;
} TestPkiRequest;

/* Unsigned, valid for the hour before and after now: to be made worse. */
X509 *test_pki_draft (const TestPkiRequest *request);
void test_pki_sign (X509 *certificate, const TestPkiRequest *request);

/* Both at once. */
X509 *test_pki_certificate (const TestPkiRequest *request);

GBytes *test_pki_der (X509 *certificate);
/* One PEM block. */
char *test_pki_pem (X509 *certificate);

/* What holds the private key of a DpsTlsSign, for tests. Counts may be read while nobody
 * signs. */
typedef struct
{
  EVP_PKEY *key;
  gint calls;               /* how often test_pki_signer_sign() was called */
  const char *mechanism;    /* of the last call; static */
  const GError *fails_with; /* NULL = it signs */
  gboolean spoil;           /* a bit of the signature is wrong */
} TestPkiSigner;

/* A DpsTlsSign; data is a TestPkiSigner. */
GBytes *test_pki_signer_sign (gpointer data,
                              const char *mechanism,
                              const guint8 *digest,
                              gsize size,
                              GError **error);
