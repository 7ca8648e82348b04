/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

#include "abi/dps-plugin.h"

/* DpsHostContext: the other side of struct DpsHost. Holds what the agent configured and
 * lends it to the plugin; secrets and blobs are read-only mappings of the sealed memory
 * files they came in, so no copy of them is made here. */
typedef struct _DpsHostContext DpsHostContext;

#define DPS_HOST_SETTINGS_MAX 32
#define DPS_HOST_SECRETS_MAX 16

DpsHostContext *dps_host_context_new (void);
void dps_host_context_free (DpsHostContext *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsHostContext, dps_host_context_free)

/* What each verb is passed; the context's. */
const DpsHost *dps_host_context_get_host (DpsHostContext *self);

/* Takes a{ss}, a{sh}, ah as Attestor1.Configure has them. */
gboolean dps_host_context_configure (DpsHostContext *self,
                                     GVariant *settings,
                                     GVariant *secrets,
                                     GVariant *tpm,
                                     GUnixFDList *fds,
                                     GError **error);

/* Maps a sealed memory file of fds to *view; dps_host_unmap() when done with. handle is
 * its index. what names it in messages. */
gboolean dps_host_map (GUnixFDList *fds,
                       gint32 handle,
                       const char *what,
                       DpsPluginView *view,
                       GError **error);
void dps_host_unmap (DpsPluginView *view);

/* The blob of the verb that runs; borrowed, { NULL, 0 } = none. */
void dps_host_context_set_blob (DpsHostContext *self, DpsPluginView blob);

/* What the plugin said through set_error() since the last call; the caller's, or NULL. */
char *dps_host_context_take_error (DpsHostContext *self);

/* The same of set_cause(), where it is a word. */
char *dps_host_context_take_cause (DpsHostContext *self);
