/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "core/dps-refusal.h"
#include "dps/dps-http-sessions.h"
#include "net/dps-failure.h"

/* DpsSettings: which configuration is in force, and where the agent finds its parts. A
 * configuration that has an error, or is not enough for an attempt, never replaces one
 * that is. */
#define DPS_TYPE_SETTINGS (dps_settings_get_type ())
G_DECLARE_FINAL_TYPE (DpsSettings, dps_settings, DPS, SETTINGS, GObject)

/* All copied. plugin_dir NULL = the compiled-in one. */
DpsSettings *dps_settings_new (const DpsConfigPaths *paths,
                               const char *plugin_host,
                               const char *plugin_dir);

/* Reads the files; FALSE where they hold no usable configuration, and then the one in
 * force stays. */
gboolean dps_settings_reload (DpsSettings *self, GError **error);

/* NULL while none is in force; borrowed until the next reload. */
DpsConfig *dps_settings_get_config (DpsSettings *self);

/* TLS sessions of this process, for connections that the configuration in force asks for:
 * another endpoint, scope, registration or attestation begins without. Borrowed. */
DpsHttpSessions *dps_settings_get_sessions (DpsSettings *self);

/* What a token has refused; outlives any reload. Borrowed. */
DpsRefusal *dps_settings_get_refusal (DpsSettings *self);

/* Why the last reload was refused, NULL where it was not; borrowed. */
const GError *dps_settings_get_error (DpsSettings *self);

/* The row that an error of a reload is. */
DpsFailureKind dps_settings_failure_kind (const GError *error);

const char *dps_settings_get_plugin_host (DpsSettings *self);
const char *dps_settings_get_plugin_dir (DpsSettings *self);
