/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-pin.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <gio/gio.h>
#include <string.h>

/* Splits ADDRESS[:PORT]; an IPv6 address with a port is in brackets. */
static gboolean
split_address (const char *text, char **address, guint64 *port)
{
  const char *colon;
  g_autofree char *bare = NULL;

  *port = 443;
  if (text[0] == '[')
    {
      const char *end = strchr (text, ']');

      if (end == NULL || (end[1] != '\0' && end[1] != ':'))
        return FALSE;
      bare = g_strndup (text + 1, (gsize) (end - text - 1));
      colon = end[1] == ':' ? end + 1 : NULL;
    }
  else
    {
      colon = strchr (text, ':');
      if (colon != NULL && strchr (colon + 1, ':') != NULL)
        colon = NULL;
      bare = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : g_strdup (text);
    }
  if (!g_hostname_is_ip_address (bare) || strchr (bare, '%') != NULL)
    return FALSE;
  if (colon != NULL && !g_ascii_string_to_unsigned (colon + 1, 10, 1, 65535, port, NULL))
    return FALSE;
  *address = g_steal_pointer (&bare);
  return TRUE;
}

char *
dps_http_pin_parse (const char *pin, GError **error)
{
  const char *equals = strchr (pin, '=');
  g_autofree char *host = equals != NULL ? g_strndup (pin, (gsize) (equals - pin)) : NULL;
  g_autofree char *address = NULL;
  gboolean v6;
  guint64 port;

  if (host == NULL || !dps_name_check_host (host, NULL) ||
      !split_address (equals + 1, &address, &port))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "'%s' does not pin an address: HOST=ADDRESS[:PORT] is the form, with"
                   " an IPv6 address that has a port in brackets",
                   pin);
      return NULL;
    }
  v6 = strchr (address, ':') != NULL;
  return g_strdup_printf ("%s:443:%s%s%s:%" G_GUINT64_FORMAT,
                          host,
                          v6 ? "[" : "",
                          address,
                          v6 ? "]" : "",
                          port);
}
