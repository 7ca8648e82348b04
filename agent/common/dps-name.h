/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Rules for names that come from outside. Pure; each checker says in error what is wrong.
 */

#define DPS_REGISTRATION_ID_MAX 128
#define DPS_DEVICE_ID_MAX 128

/* dps-protocol §1.3: 1..128 of A-Z a-z 0-9 - . _ :, neither first nor last of . _ : */
gboolean dps_name_check_registration_id (const char *id, GError **error);

/* IoT Hub device and module ids: 1..128 of A-Z a-z 0-9 and - : . + % _ # * ? ! ( ) , = @
 * $ ' */
gboolean dps_name_check_device_id (const char *id, GError **error);

/* A DNS host name of at least two labels, letters, digits and hyphens, at most 253 bytes;
 * no address, port, scheme or trailing dot. */
gboolean dps_name_check_host (const char *host, GError **error);

/* [a-z0-9-]{1,32}, as plugin names, credential names and causes are. */
gboolean dps_name_check_plugin (const char *name, GError **error);

/* UTF-8, at most max bytes, no control characters. what names the value in the message.
 */
gboolean dps_name_check_text (const char *text,
                              gsize max,
                              const char *what,
                              GError **error);
