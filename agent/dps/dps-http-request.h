/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-http.h"

#include <curl/curl.h>

/* What of a request is the same whoever sends it; for dps-http.c alone. */

/* DPS_ERROR_INVALID_ARGUMENT where host, path or authorization have characters that would
 * make another request of it. */
gboolean dps_http_request_check (const DpsHttpRequest *request, GError **error);

/* The header lines for libcurl; freeing wipes them, for the last one is a secret. */
struct curl_slist *dps_http_request_headers (const DpsHttpRequest *request);
void dps_http_request_free_headers (struct curl_slist *headers);
