/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

#include <openssl/evp.h>

/* The private key of the certificate, wherever it is. Opened for one verb and freed
 * before it returns, so that a secret is in memory no longer than it is used. */
typedef struct X509Key X509Key;
struct X509Key
{
  /* Wipes what is secret. */
  void (*free) (X509Key *self);

  /* 1 to DPS_PLUGIN_SIGNATURE_MAX bytes, the caller's; NULL with *error. mechanism and
   * size are such that x509_mechanism_check() takes them for this key. */
  GBytes *(*sign) (X509Key *self,
                   const char *mechanism,
                   const guint8 *digest,
                   gsize size,
                   X509Error *error);

  EVP_PKEY *public; /* at least the public half; the key's own */
};

/* What the setting key= and the secrets "key" and "passphrase" say; the caller's. NULL
 * with *error. */
X509Key *x509_key_open (const DpsHost *host, X509Error *error);
void x509_key_free (X509Key *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509Key, x509_key_free)

/* Of these the caller of x509_key_open() gets one. Passphrase, PIN and authorization come
 * without the line end of their file; NULL = none is configured. */

/* PKCS#8, PKCS#1 or SEC1, in PEM or DER. */
X509Key *x509_key_open_file (const DpsHost *host,
                             const DpsPluginView *pem_or_der,
                             const DpsPluginView *passphrase,
                             X509Error *error);

/* "pkcs11:…" (RFC 7512). */
X509Key *x509_key_open_pkcs11 (const DpsHost *host,
                               const char *uri,
                               const DpsPluginView *pin,
                               X509Error *error);

/* "handle:0x81…", a persistent key in the TPM. */
X509Key *x509_key_open_tpm_handle (const DpsHost *host,
                                   const char *uri,
                                   const DpsPluginView *auth,
                                   X509Error *error);

/* A PEM block "TSS2 PRIVATE KEY": a key that only this TPM unwraps. */
X509Key *x509_key_open_tpm_wrapped (const DpsHost *host,
                                    const DpsPluginView *pem,
                                    const DpsPluginView *auth,
                                    X509Error *error);
