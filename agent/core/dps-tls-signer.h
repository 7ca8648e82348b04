/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-setup.h"
#include "core/dps-signer.h"
#include "core/dps-vault.h"
#include "dps/dps-tls-identity.h"

#include <gio/gio.h>

/* TLS identities whose signatures are made on the main loop, by whoever has the key,
 * while the worker that does TLS waits. The wait ends with the signature, with the
 * deadline of the plugin's verb, or at once with cancellable (may be NULL), as
 * G_IO_ERROR_CANCELLED; the main loop never waits for it. Made, used and released in any
 * thread, but for setup and signer, which are the main thread's. */

/* What the host registers with: the plugin of setup signs, in the slot "service".
 * References all; errors as dps_tls_identity_new(), and when signing those of
 * dps_plugin_sign_async(). */
DpsTlsIdentity *dps_tls_signer_new (DpsPluginSetup *setup,
                                    DpsCertificateChain *chain,
                                    GCancellable *cancellable,
                                    GError **error);

/* What it shows to its hub: identity is of shape certificate, and signs as in
 * dps_credential_sign_async(). */
DpsTlsIdentity *dps_tls_signer_new_for_identity (DpsSigner *signer,
                                                 DpsIdentity *identity,
                                                 GCancellable *cancellable,
                                                 GError **error);
