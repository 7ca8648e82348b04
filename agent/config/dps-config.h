/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"
#include "config/dps-config-keys.h"
#include "config/dps-config-sources.h"

#include <glib-object.h>
#include <json-glib/json-glib.h>

/* DpsConfig: the configuration as it was when it was loaded; immutable, so a reload makes
 * a new one and may be refused while the old one stays in force. Design §5. */
#define DPS_TYPE_CONFIG (dps_config_get_type ())
G_DECLARE_FINAL_TYPE (DpsConfig, dps_config, DPS, CONFIG, GObject)

/* Reads all files that count. Each line is checked by the table, also those that a later
 * file replaces; an empty value puts its key back to the default. NULL on failure:
 * DPS_ERROR_INVALID_ARGUMENT, DPS_ERROR_NOT_SUPPORTED ("FILE:LINE: [group] key: what is
 * wrong; what to do") or DPS_ERROR_ACCESS_DENIED for a file that others may write. A
 * [plugin NAME] group of no plugin is an error as an unknown group is, see
 * dps_config_plugin_groups_check(). No
 * required key is asked for here, see dps_config_check(). */
DpsConfig *dps_config_load (const DpsConfigPaths *paths, GError **error);

/* Whether this configuration is enough for an attempt; pure. DPS_ERROR_NOT_CONFIGURED
 * names the missing key, its group and the file to put it in; DPS_ERROR_INVALID_ARGUMENT
 * a value that cannot be right. */
gboolean dps_config_check (DpsConfig *self, GError **error);

/* What looks odd but is allowed, one sentence each; empty where there is nothing to say.
 * Pure; the caller's. */
GStrv dps_config_dup_warnings (DpsConfig *self);

/* The effective value in its written form, the default included; NULL = not set. Any
 * type. Borrowed. */
const char *dps_config_get_string (DpsConfig *self, DpsConfigId id);
/* Where the TPM is (dps-tpm-device.h); the default where self is NULL. Borrowed. */
const char *dps_config_get_tcti (DpsConfig *self);
gboolean dps_config_get_boolean (DpsConfig *self, DpsConfigId id);
guint dps_config_get_uint (DpsConfig *self, DpsConfigId id);

/* DPS_CONFIG_ADDRESS as "HOST=ADDRESS:PORT", see dps-config-address.h; never NULL. */
const char *const *dps_config_get_strv (DpsConfig *self, DpsConfigId id);

/* What the groups of plugins from elsewhere say: DpsConfigPluginSetting, sorted by plugin
 * and key. Borrowed. */
const GPtrArray *dps_config_get_plugin_settings (DpsConfig *self);

/* These groups themselves: DpsConfigPluginGroup, in the order of the files. Borrowed. */
const GPtrArray *dps_config_get_plugin_groups (DpsConfig *self);

/* The settings that a plugin gets, char * → char *: what the group of one from elsewhere
 * says, and for one whose group the table knows its keys with their defaults, booleans as
 * yes or no. Nothing that names a file, but for a DPS_CONFIG_TYPE_KEY. The caller's. */
GHashTable *dps_config_dup_settings_of (DpsConfig *self, const char *plugin);

/* "FILE:LINE", or "default". Borrowed. */
const char *dps_config_get_source (DpsConfig *self, DpsConfigId id);

/* "FILE:LINE: [group] key: " before an error about the value of id. */
void dps_config_prefix_error (DpsConfig *self, DpsConfigId id, GError **error);

/* The file an operator should put a missing key in. Borrowed. */
const char *dps_config_get_site_file (DpsConfig *self);

/* The directory below the state directory from which the agent may remove what it has
 * taken in. Borrowed. */
#define DPS_CONFIG_IMPORT "import"
const char *dps_config_get_import_dir (DpsConfig *self);

/* Where systemd's credentials are; NULL = none were passed. Borrowed. */
const char *dps_config_get_credentials_dir (DpsConfig *self);

#define DPS_CONFIG_SECRET_MAX (16u * 1024u)
#define DPS_CONFIG_CA_MAX (1024u * 1024u)

/* The content, as it is in the file, of what a DPS_CONFIG_TYPE_SECRET key names, or one
 * of DPS_CONFIG_TYPE_KEY that is no URI (dps_config_is_key_uri()): 1 to
 * DPS_CONFIG_SECRET_MAX bytes. Blocks; call it in a worker. DPS_ERROR_NOT_CONFIGURED
 * where the key is not set or its file is absent, DPS_ERROR_ACCESS_DENIED where others
 * could read or write it; the message names file, line, key and secret file. */
DpsSecret *dps_config_read_secret (DpsConfig *self, DpsConfigId id, GError **error);

/* The contents of the files that the group of a plugin from elsewhere names, char * →
 * DpsSecret *, each under the name of its key without "-file", and with the limits and
 * errors of dps_config_read_secret(). except, or NULL: a name that is not read. Blocks.
 * The caller's. */
GHashTable *dps_config_read_secrets_of (DpsConfig *self,
                                        const char *plugin,
                                        const char *except,
                                        GError **error);

/* As dps_config_read_secret(), for a DPS_CONFIG_TYPE_FILE key. A payload-file is at most
 * 64 KiB and one JSON object, else DPS_ERROR_INVALID_ARGUMENT; others at most
 * DPS_CONFIG_CA_MAX bytes. */
GBytes *dps_config_read_file (DpsConfig *self, DpsConfigId id, GError **error);

/* SHA-256, as lower-case hex, of what the identity depends on: endpoint, id-scope,
 * registration-id, attestation, the settings of a plugin from elsewhere, with
 * attestation=tpm tcti, ek-template and registration-id-form, with attestation=x509 what
 * certificate and key name (not what is in it: a renewed certificate is the same), and
 * certificate-issuance=yes. Kept beside an identity to see that the configuration
 * changed. The caller's. */
char *dps_config_dup_identity_digest (DpsConfig *self);

/* Effective values with their sources, as configuration text and as JSON object group →
 * key → { value, source }. File contents are not in it. The caller's. */
char *dps_config_to_text (DpsConfig *self);
JsonNode *dps_config_to_json (DpsConfig *self);
