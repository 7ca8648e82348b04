/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gunixfdlist.h>

#include "core/dps-plugin-runner.h"

/* What a plugin's process answers, measured and checked before it is believed, though the
 * process has done so too: a bug in a plugin may have overwritten that. All are
 * DPS_ERROR_REJECTED or DPS_ERROR_LIMITS_EXCEEDED with what is wrong, or NULL-free
 * results that are the caller's. Handles are indices into fds, which may be NULL. A text
 * ends at its first NUL, also one that was sent inside of it: GDBus cuts there before
 * anybody can look (tests/plugins/test-hostile.c shows it). */

DpsPluginProbe *dps_plugin_reply_probe (const char *availability,
                                        const char *reason,
                                        GError **error);

/* material: a{ss}; key: ah. */
DpsPluginDescription *dps_plugin_reply_description (const char *registration_id,
                                                    const char *kind,
                                                    GVariant *material,
                                                    const char *enrollment,
                                                    GVariant *key,
                                                    GUnixFDList *fds,
                                                    GError **error);

/* The content of a sealed memory file of min to max bytes. */
DpsSecret *dps_plugin_reply_bytes (GUnixFDList *fds,
                                   gint32 handle,
                                   gsize min,
                                   gsize max,
                                   const char *what,
                                   GError **error);

/* The cause that the process put in front of an error's text, "plugin NAME: [cause] …":
 * takes it off the message; the caller's, or NULL where there is none. */
char *dps_plugin_reply_take_cause (GError *error);

/* signature: ay. */
GBytes *dps_plugin_reply_signature (GVariant *signature, GError **error);
