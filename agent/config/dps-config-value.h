/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config-keys.h"

/* Judges one non-empty value by its row of the table. Pure. Errors carry neither file nor
 * key, which the loader puts before them, and never repeat the value.
 * DPS_ERROR_INVALID_ARGUMENT for a wrong form, a placeholder from a manual included;
 * DPS_ERROR_NOT_SUPPORTED for what this version would have to ignore. */
gboolean dps_config_check_value (const DpsConfigKey *key,
                                 const char *value,
                                 GError **error);

/* <tenant>, [ID Scope], YOUR-…, ${…}, /path/to/…, CHANGEME, 0neXXXXXXXX and the like. */
gboolean dps_config_is_placeholder (const char *value);

/* A value of DPS_CONFIG_TYPE_BOOLEAN that passed dps_config_check_value(). */
gboolean dps_config_value_is_yes (const char *value);

#define DPS_CONFIG_CREDENTIAL "credential:"

/* The NAME of "credential:NAME" within value, NULL where it is none. */
const char *dps_config_credential_name (const char *value);

#define DPS_CONFIG_PKCS11 "pkcs11:"
#define DPS_CONFIG_HANDLE "handle:"

/* Whether a value of DPS_CONFIG_TYPE_KEY names no file. */
gboolean dps_config_is_key_uri (const char *value);
