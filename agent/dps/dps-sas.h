/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

#include <glib.h>

/* Shared access signature tokens (dps-protocol §3, §6.2). Pure. The signature is made
 * apart from the token, since the key may be somewhere else, in a TPM for one:
 *
 *   resource -> string to sign -> (whoever has the key) -> token
 *
 * A token is good for whatever its resource names until it expires: never log one. */

/* `{scope}/registrations/{regid}` percent-encoded: all but A-Z a-z 0-9 - . _ ~ as %XX,
 * upper-case. The caller's. */
char *dps_sas_resource_for_registration (const char *scope, const char *registration_id);

/* `{hub}/devices/{device}`, with `/modules/{module}` unless module is NULL, encoded once,
 * as above. The caller's. */
char *dps_sas_resource_for_device (const char *hub,
                                   const char *device,
                                   const char *module);

/* The bytes to be signed: resource as it stands in the token, a line feed, expiry in
 * decimal; no line feed at the end. expiry is in Unix seconds. */
GBytes *dps_sas_string_to_sign (const char *resource, guint64 expiry);

/* `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]`. skn is "registration" toward DPS (or
 * the challenge's keyName) and NULL toward a hub; it is percent-encoded. The caller's. */
char *dps_sas_token (const char *resource,
                     GBytes *signature,
                     guint64 expiry,
                     const char *skn);

/* HMAC-SHA-256, 32 bytes. NULL and DPS_ERROR_FAILED where OpenSSL refuses or the key is
 * empty. */
GBytes *dps_sas_sign (const DpsSecret *key, GBytes *to_sign, GError **error);

/* The device's key from its group's, 32 bytes (§3.4): HMAC-SHA-256 over registration_id
 * as it stands. Case matters, and only lower-case ids are known to work with the service;
 * lowering is the caller's. Errors as dps_sas_sign(). */
DpsSecret *dps_sas_derive_group_key (const DpsSecret *group_key,
                                     const char *registration_id,
                                     GError **error);
