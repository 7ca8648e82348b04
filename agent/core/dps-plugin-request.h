/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

#include "common/dps-secret.h"

/* What a child is sent, in the types of org.dpsagent.Attestor1; descriptors go to fds. */

/* Appends secret as a sealed memory file; its handle, or -1. */
int dps_plugin_request_append_secret (GUnixFDList *fds,
                                      DpsSecret *secret,
                                      GError **error);

/* Secrets (char * → DpsSecret *) as a{sh}; NULL with error. Floating. */
GVariant *dps_plugin_request_pack_secrets (GHashTable *secrets,
                                           GUnixFDList *fds,
                                           GError **error);

/* A descriptor, -1 = none, as ah; NULL with error. Floating. */
GVariant *dps_plugin_request_pack_tpm (int tpm, GUnixFDList *fds, GError **error);

/* Settings (char * → char *, may be NULL) as a{ss}, sorted by key. The caller's. */
GVariant *dps_plugin_request_pack_settings (GHashTable *settings);
