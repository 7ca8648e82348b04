/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-signer.h"
#include "core/dps-vault.h"

/* What the device's credential can do. dps_credential_sign_async() is the only place that
 * looks at the shape of a credential. Main thread. */

#define DPS_TOKEN_TTL_MAX 3600u

/* Signs bytes toward the hub, here or by the plugin of identity, for which signer is (it
 * may be NULL with shape key). mechanism is DPS_PLUGIN_HMAC_SHA256, or for a certificate
 * one of dps-tls-identity.h with a digest for bytes; else DPS_ERROR_NOT_SUPPORTED. The
 * result is the caller's; errors of a plugin as dps_signer_sign_async(). */
void dps_credential_sign_async (DpsSigner *signer,
                                DpsIdentity *identity,
                                const char *mechanism,
                                GBytes *bytes,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer data);
GBytes *dps_credential_sign_finish (GAsyncResult *result, GError **error);

/* The same for other programs, with a certificate alone, else DPS_ERROR_NOT_SUPPORTED:
 * DPS_ERROR_INVALID_ARGUMENT for a mechanism or a digest that is not for the key of the
 * stored chain's leaf, and DPS_ERROR_FAILED (DPS-E236) for a signature that this does not
 * verify. */
void dps_credential_sign_digest_async (DpsSigner *signer,
                                       DpsIdentity *identity,
                                       const char *mechanism,
                                       GBytes *digest,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer data);
GBytes *dps_credential_sign_digest_finish (GAsyncResult *result, GError **error);

/* The certificates as PEM, leaf first; borrowed. NULL with DPS_ERROR_NOT_SUPPORTED where
 * the credential is none. */
const char *dps_credential_get_chain (const DpsIdentity *identity, GError **error);

/* The private key of the certificate as PKCS#8 DER; borrowed. NULL with
 * DPS_ERROR_NOT_SUPPORTED, whose text says why, where the agent has none. */
DpsSecret *dps_credential_get_key (const DpsIdentity *identity, GError **error);

/* A SAS token for the assigned hub (dps-protocol §6.2), the caller's. audience is
 * "device" or "module:ID"; now is Unix seconds by the service's clock; *expiry likewise,
 * set with a token only. DPS_ERROR_INVALID_ARGUMENT for another audience,
 * DPS_ERROR_LIMITS_EXCEEDED for a ttl outside 1 to DPS_TOKEN_TTL_MAX seconds,
 * DPS_ERROR_NOT_SUPPORTED for a certificate, and what signing fails with. */
void dps_credential_create_token_async (DpsSigner *signer,
                                        DpsIdentity *identity,
                                        const char *audience,
                                        guint32 ttl,
                                        guint64 now,
                                        GCancellable *cancellable,
                                        GAsyncReadyCallback callback,
                                        gpointer data);
char *dps_credential_create_token_finish (GAsyncResult *result,
                                          guint64 *expiry,
                                          GError **error);
/* Wipes it. */
void dps_credential_free_token (char *token);
