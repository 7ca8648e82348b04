/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* HOST=ADDRESS[:PORT], an IPv6 address with a port in brackets, as the entry of
 * CURLOPT_CONNECT_TO that sends port 443 of HOST there (port 443 if there is none). Pure;
 * the result is the caller's. NULL and DPS_ERROR_INVALID_ARGUMENT for anything else. */
char *dps_http_pin_parse (const char *pin, GError **error);
