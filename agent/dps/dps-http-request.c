/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-request.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <string.h>

#include <openssl/crypto.h>

gboolean
dps_http_request_check (const DpsHttpRequest *request, GError **error)
{
  const char *authorization =
      request->authorization != NULL
          ? (const char *) dps_secret_data (request->authorization)
          : "";
  gsize length =
      request->authorization != NULL ? dps_secret_size (request->authorization) : 0;
  gboolean sound = request->path[0] == '/';

  if (!dps_name_check_host (request->host, error))
    return FALSE;
  for (const char *p = request->path; *p != '\0'; p++)
    sound = sound && g_ascii_isgraph (*p) && *p != '#';
  for (gsize i = 0; i < length; i++)
    sound = sound && g_ascii_isprint (authorization[i]);
  if (!sound)
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_INVALID_ARGUMENT,
                 "a request to %s has characters that HTTP does not allow",
                 request->host);
  return sound;
}

struct curl_slist *
dps_http_request_headers (const DpsHttpRequest *request)
{
  static const char name[] = "Authorization: ";
  struct curl_slist *headers = NULL;
  g_autoptr (DpsSecret) line = NULL;
  gsize size;

  headers = curl_slist_append (headers, "Accept: application/json");
  headers = curl_slist_append (headers, "Expect:");
  if (request->body != NULL)
    headers =
        curl_slist_append (headers, "Content-Type: application/json; charset=utf-8");
  if (request->authorization == NULL)
    return headers;

  size = dps_secret_size (request->authorization);
  line = dps_secret_new_empty (strlen (name) + size + 1);
  memcpy (dps_secret_edit (line), name, strlen (name));
  memcpy (dps_secret_edit (line) + strlen (name),
          dps_secret_data (request->authorization),
          size);
  return curl_slist_append (headers, (const char *) dps_secret_data (line));
}

/* libcurl keeps its own copies; this is the one within reach. */
void
dps_http_request_free_headers (struct curl_slist *headers)
{
  for (struct curl_slist *h = headers; h != NULL; h = h->next)
    OPENSSL_cleanse (h->data, strlen (h->data));
  curl_slist_free_all (headers);
}
