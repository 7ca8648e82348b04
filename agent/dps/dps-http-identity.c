/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-private.h"
#include "common/dps-error.h"

#include <openssl/err.h>

/* Only what speaks of the certificate that this host has shown, or has not. */
static const struct
{
  int description;
  const char *name; /* RFC 8446 §6.2 */
} refusals[] = {
  { SSL_AD_BAD_CERTIFICATE, "bad_certificate" },
  { SSL_AD_UNSUPPORTED_CERTIFICATE, "unsupported_certificate" },
  { SSL_AD_CERTIFICATE_REVOKED, "certificate_revoked" },
  { SSL_AD_CERTIFICATE_EXPIRED, "certificate_expired" },
  { SSL_AD_CERTIFICATE_UNKNOWN, "certificate_unknown" },
  { SSL_AD_UNKNOWN_CA, "unknown_ca" },
  { SSL_AD_ACCESS_DENIED, "access_denied" },
  { SSL_AD_CERTIFICATE_REQUIRED, "certificate_required" },
};

void
dps_http_identity_begin (DpsHttp *self)
{
  g_autoptr (GError) earlier = dps_tls_key_take_error ();

  g_clear_error (&self->key_error);
  self->refusal = NULL;
}

/* What is shown is what the identity has: even an empty chain keeps OpenSSL from making
 * one of the roots. */
static gboolean
use_identity (SSL_CTX *context, DpsTlsIdentity *identity)
{
  STACK_OF (X509) *all =
      dps_certificate_chain_get_certificates (dps_tls_identity_get_chain (identity));
  STACK_OF (X509) *chain = sk_X509_dup (all);
  X509 *leaf = sk_X509_shift (chain);
  EVP_PKEY *key = dps_tls_identity_get_key (identity);
  const char *algorithms = dps_tls_identity_get_algorithms (identity);
  gboolean used = SSL_CTX_use_cert_and_key (context, leaf, key, chain, 1) == 1 &&
                  SSL_CTX_set1_client_sigalgs_list (context, algorithms) == 1;

  sk_X509_free (chain);
  /* A hub may ask only after it has read a request (TLS 1.3; TLS 1.2 renegotiates).
   * libcurl allows it too, but promises nothing. */
  SSL_CTX_set_post_handshake_auth (context, 1);
  return used;
}

gboolean
dps_http_identity_apply (DpsHttp *self, SSL_CTX *context)
{
  const char *reason;

  if (self->identity == NULL || use_identity (context, self->identity))
    return TRUE;
  reason = ERR_reason_error_string (ERR_peek_last_error ());
  g_clear_error (&self->key_error);
  g_set_error (&self->key_error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "OpenSSL refuses this host's certificate chain for TLS (%s); it wants "
               "keys "
               "of 2048 bits and signatures with SHA-256, at least",
               reason != NULL ? reason : "without a reason");
  ERR_clear_error ();
  return FALSE;
}

void
dps_http_identity_note_alert (DpsHttp *self, int description)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    if (refusals[i].description == description)
      self->refusal = refusals[i].name;
}

/* In TLS 1.3 the handshake is over for us before the server has seen the certificate: the
 * alert comes with the first read. libcurl takes some of these alerts for what they are
 * not, certificate_expired for a fault of the server's. */
DpsHttpFailure
dps_http_identity_classify (DpsHttp *self, DpsHttpFailure failure)
{
  if (self->key_error == NULL)
    self->key_error = dps_tls_key_take_error ();
  if (failure == DPS_HTTP_FAILURE_NONE || failure == DPS_HTTP_FAILURE_CANCELLED)
    return failure;
  if (self->key_error != NULL)
    return g_cancellable_is_cancelled (self->cancellable) ? DPS_HTTP_FAILURE_CANCELLED
                                                          : DPS_HTTP_FAILURE_CLIENT_KEY;
  return self->refusal != NULL ? DPS_HTTP_FAILURE_CLIENT_REFUSED : failure;
}

void
dps_http_identity_set_error (DpsHttp *self, GError **error)
{
  DpsHttpFailure failure = self->response->failure;
  g_autofree char *alert = NULL;

  if (failure == DPS_HTTP_FAILURE_CLIENT_KEY)
    {
      g_propagate_error (error, g_steal_pointer (&self->key_error));
      return;
    }
  if (failure == DPS_HTTP_FAILURE_CLIENT_REFUSED)
    alert = g_strdup_printf ("TLS alert %s", self->refusal);
  dps_http_failure_set_error (failure,
                              self->request->host,
                              alert != NULL ? alert : self->message,
                              error);
}
