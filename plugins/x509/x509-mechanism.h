/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "x509-error.h"

#include <openssl/evp.h>

/* A way to sign a digest that somebody else has made. */
typedef struct
{
  const char *name;   /* as in DpsPluginSignIn */
  int kind;           /* EVP_PKEY_RSA or EVP_PKEY_EC */
  gsize size;         /* of the digest, in bytes */
  const char *digest; /* OpenSSL's name of it */
  int padding;        /* RSA_…_PADDING; 0 for EC */
} X509Mechanism;

/* "ECDSA-SHA256", "ECDSA-SHA384" (signatures in DER), "RSA-PSS-SHA256" (a salt of 32
 * bytes), "RSA-PKCS1-SHA256"; NULL for any other name. Static. */
const X509Mechanism *x509_mechanism_find (const char *name);

/* Whether a key of that kind signs a digest of size bytes by name: NotSupported or
 * InvalidArgument. Pure. */
gboolean x509_mechanism_check (EVP_PKEY *public,
                               const char *name,
                               gsize size,
                               X509Error *error);

/* RSA of 2048 to 4096 bits, EC on P-256 or P-384; else the cause x509-key. public may be
 * NULL; where: what has it, for the text. Pure. */
gboolean x509_mechanism_check_key (EVP_PKEY *public, const char *where, X509Error *error);

/* Signs with an OpenSSL key, after x509_mechanism_check(); the caller's, or NULL. */
GBytes *x509_mechanism_sign (EVP_PKEY *key,
                             const char *name,
                             const guint8 *digest,
                             gsize size,
                             X509Error *error);
