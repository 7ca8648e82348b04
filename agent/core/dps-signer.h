/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-setup.h"
#include "core/dps-vault.h"

#include <gio/gio.h>

/* DpsSigner: has the plugins sign with identities whose key they have, toward the hub.
 * The plugin's process is kept for the next signature (DpsPluginSetup). Main thread;
 * nothing here blocks.
 *
 * Signal "identity-lost" (DpsIdentity *, DpsFailure *, both boxed as pointers and
 * borrowed): the plugin said that nothing will sign with this identity any more, as its
 * TPM was cleared or replaced. */
#define DPS_TYPE_SIGNER (dps_signer_get_type ())
G_DECLARE_FINAL_TYPE (DpsSigner, dps_signer, DPS, SIGNER, GObject)

/* References settings. */
DpsSigner *dps_signer_new (DpsSettings *settings);

/* The configuration in force; borrowed, or NULL. */
DpsConfig *dps_signer_get_config (DpsSigner *self);

/* References setup, with the process it may have running, for what is to be signed by
 * its plugin from now on. */
void dps_signer_adopt (DpsSigner *self, DpsPluginSetup *setup);

/* After a change of configuration or a reset: the next signature reads all anew. */
void dps_signer_drop (DpsSigner *self);

/* Has the plugin of identity sign bytes, of shape plugin, or certificate where it has the
 * key; mechanism as in dps_plugin_sign_async(). Errors of the plugin keep
 * their code of DPS_ERROR, else are DPS_ERROR_FAILED; their message begins with the code
 * of the cause ("DPS-E221 …") and ends with what to do. */
void dps_signer_sign_async (DpsSigner *self,
                            DpsIdentity *identity,
                            const char *mechanism,
                            GBytes *bytes,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer data);
GBytes *dps_signer_sign_finish (DpsSigner *self, GAsyncResult *result, GError **error);
