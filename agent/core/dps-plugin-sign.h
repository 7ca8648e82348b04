/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "core/dps-plugin-setup.h"

/* Signatures of a plugin. Main thread. Errors are those of DpsPluginRunner. */

/* Whose identity signs. */
#define DPS_PLUGIN_SLOT_SERVICE "service"
#define DPS_PLUGIN_SLOT_HUB "hub"

/* HMAC-SHA-256 over any bytes: 32 bytes. The other mechanisms are those of
 * dps-tls-identity.h, over a digest. */
#define DPS_PLUGIN_HMAC_SHA256 "HMAC-SHA256"

/* blob: what the answer to a challenge left, NULL where the plugin has its key by
 * configuration. */
void dps_plugin_sign_async (DpsPluginSetup *setup,
                            const char *slot,
                            const char *mechanism,
                            DpsSecret *blob,
                            GBytes *bytes,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer data);
GBytes *dps_plugin_sign_finish (GAsyncResult *result, GError **error);
