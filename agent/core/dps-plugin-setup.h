/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-runner.h"
#include "core/dps-settings.h"
#include "net/dps-failure.h"

/* DpsPluginSetup: a plugin's runner, and what the configuration passes to the plugin: its
 * settings, the contents of the files they name, for the plugin tpm the passwords of
 * [tpm] and a TPM, and for the plugin x509 a TPM where it has the key. Its verbs share a
 * process, which leaves 10 s after the last of them, or with the setup. Immutable. */
typedef struct
{
  gatomicrefcount refs;
  DpsPluginRunner *runner;
  GHashTable *settings; /* char * → char * */
  GHashTable *secrets;  /* char * → DpsSecret * */
} DpsPluginSetup;

/* Reads the files; blocks, for a worker. plugin: whose, by the name in attestation= or in
 * an identity. imported_key (base64 text, or NULL) is passed instead of what key-file=
 * names. NULL with *failure, the caller's, where a file cannot be used. The result is for
 * the main thread. */
DpsPluginSetup *dps_plugin_setup_read (DpsSettings *settings,
                                       DpsConfig *config,
                                       const char *plugin,
                                       DpsSecret *imported_key,
                                       DpsFailure **failure);
DpsPluginSetup *dps_plugin_setup_ref (DpsPluginSetup *self);
void dps_plugin_setup_unref (DpsPluginSetup *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsPluginSetup, dps_plugin_setup_unref)

/* TRUE where self is for that plugin. */
gboolean dps_plugin_setup_is_for (const DpsPluginSetup *self, const char *plugin);
