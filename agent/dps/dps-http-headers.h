/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-http.h"

#include <curl/curl.h>

/* DPS_ERROR_INVALID_ARGUMENT for what would not be one request to that host, whatever is
 * in it. */
gboolean dps_http_headers_check (const DpsHttpRequest *request, GError **error);

/* The headers of a request; the caller's, to be freed with dps_http_headers_wipe(). */
struct curl_slist *dps_http_headers_make (const DpsHttpRequest *request);

/* libcurl keeps copies of its own; these are the ones within reach. */
void dps_http_headers_wipe (struct curl_slist *headers);
