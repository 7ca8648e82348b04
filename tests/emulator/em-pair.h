/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A certificate and its key, made or read back: the emulator's own. */
#pragma once

#include "em-openssl.h"

#include <gio/gio.h>

typedef struct
{
  X509 *cert;
  EVP_PKEY *key;
} EmPair;

void em_pair_clear (EmPair *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EmPair, em_pair_clear)

/* NAME.pem and NAME.key of DIR. FALSE where they are not there, not whole, or past their
 * time. */
gboolean em_pair_load (EmPair *self, const char *dir, const char *name);
gboolean em_pair_save (const EmPair *self,
                       const char *dir,
                       const char *name,
                       GError **error);
char *em_pair_cert_text (const EmPair *self);
char *em_pair_key_text (const EmPair *self);

/* A new key on CURVE, and a certificate that is yet to be signed. */
gboolean em_pair_make (EmPair *self,
                       const char *common_name,
                       const char *curve,
                       GError **error);
/* Likewise for a CA; PATHLEN as OpenSSL writes it, "" or ",pathlen:0". A NULL issuer
 * signs itself. */
gboolean em_pair_make_ca (EmPair *self,
                          const EmPair *issuer,
                          const char *common_name,
                          const char *curve,
                          const char *pathlen,
                          GError **error);
gboolean em_pair_sign (EmPair *self, const EmPair *issuer, GError **error);

/* For any certificate. VALUE is OpenSSL's text form. */
gboolean em_cert_add_extension (X509 *cert, X509 *issuer, int nid, const char *value);
gboolean em_cert_set_serial (X509 *cert);
/* Completes and signs it: with SHA-384 by a P-384 key, else with SHA-256. */
gboolean em_cert_sign (X509 *cert, const EmPair *issuer);

/* FALSE, and WHAT with OpenSSL's reason. */
gboolean em_openssl_failed (const char *what, GError **error);
