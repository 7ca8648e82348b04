/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-address.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <gio/gio.h>
#include <string.h>

#define FORMS "write ADDRESS[:PORT] or HOST=ADDRESS[:PORT], an IPv6 address in brackets"

static gpointer
refuse (guint number, const char *what, GError **error)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_INVALID_ARGUMENT,
               "entry %u of the list %s; " FORMS,
               number,
               what);
  return NULL;
}

/* 1..65535 in plain digits, else 0. */
static guint
parse_port (const char *text)
{
  guint64 port;

  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT16, &port, NULL))
    return 0;
  return (guint) port;
}

/* Takes "A", "A:P", "[A]" and "[A]:P" apart; the port is 0 where it is no number. */
static char *
split_port (const char *text, gboolean *bracketed, guint *port)
{
  const char *end;
  const char *rest;
  char *address;

  *bracketed = *text == '[';
  if (*bracketed)
    {
      end = strchr (text, ']');
      if (end == NULL)
        return NULL;
      address = g_strndup (text + 1, (gsize) (end - text - 1));
      rest = end + 1;
    }
  else
    {
      end = strchrnul (text, ':');
      address = g_strndup (text, (gsize) (end - text));
      rest = end;
    }
  *port = DPS_CONFIG_ADDRESS_PORT;
  if (*rest != '\0')
    *port = *rest == ':' ? parse_port (rest + 1) : 0;
  return address;
}

/* "ADDRESS:PORT" in its one form. */
static char *
normalise_address (const char *text, guint number, GError **error)
{
  g_autofree char *address = NULL;
  g_autofree char *canonical = NULL;
  g_autoptr (GInetAddress) inet = NULL;
  gboolean bracketed;
  guint port;

  if (strpbrk (text, "/") != NULL)
    return refuse (number, "has a '/'", error);
  if (*text != '[' && strchr (text, ':') != strrchr (text, ':'))
    return refuse (number, "is an IPv6 address without brackets", error);
  address = split_port (text, &bracketed, &port);
  inet = address != NULL ? g_inet_address_new_from_string (address) : NULL;
  if (inet == NULL || strchr (address, '%') != NULL ||
      bracketed != (g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV6))
    return refuse (number, "has no valid IP address", error);
  if (port == 0)
    return refuse (number, "has a port that is no number from 1 to 65535", error);
  if (g_inet_address_get_is_any (inet) || g_inet_address_get_is_multicast (inet))
    return refuse (number, "has an address nothing can be connected to", error);
  canonical = g_inet_address_to_string (inet);
  return g_strdup_printf (bracketed ? "[%s]:%u" : "%s:%u", canonical, port);
}

/* A bare entry without an endpoint to pin is checked and left out. */
static gboolean
add_pin (GPtrArray *pins,
         GHashTable *hosts,
         const char *entry,
         const char *endpoint,
         guint number,
         GError **error)
{
  const char *equals = strchr (entry, '=');
  g_autofree char *named = NULL;
  g_autofree char *host = NULL;
  g_autofree char *address = NULL;

  if (equals != NULL)
    {
      named = g_strndup (entry, (gsize) (equals - entry));
      g_strstrip (named);
      if (!dps_name_check_host (named, NULL))
        return refuse (number, "has no host name before the '='", error), FALSE;
    }
  address =
      normalise_address (equals != NULL ? equals + 1 + strspn (equals + 1, " \t") : entry,
                         number,
                         error);
  if (address == NULL)
    return FALSE;
  if (named == NULL && endpoint == NULL)
    return TRUE;
  host = g_ascii_strdown (named != NULL ? named : endpoint, -1);
  if (!g_hash_table_add (hosts, g_strdup (host)))
    return refuse (number, "pins a host that is pinned already", error), FALSE;
  g_ptr_array_add (pins, g_strdup_printf ("%s=%s", host, address));
  return TRUE;
}

GStrv
dps_config_parse_addresses (const char *value, const char *endpoint, GError **error)
{
  g_auto (GStrv) entries = g_strsplit (value, ";", DPS_CONFIG_ADDRESSES_MAX + 1);
  g_autoptr (GPtrArray) pins = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) hosts =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (g_strv_length (entries) > DPS_CONFIG_ADDRESSES_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "the list has more than %u entries; shorten it",
                   DPS_CONFIG_ADDRESSES_MAX);
      return NULL;
    }
  for (guint i = 0; entries[i] != NULL; i++)
    {
      g_strstrip (entries[i]);
      if (*entries[i] == '\0')
        return refuse (i + 1, "is empty", error);
      if (!add_pin (pins, hosts, entries[i], endpoint, i + 1, error))
        return NULL;
    }
  g_ptr_array_add (pins, NULL);
  return (GStrv) g_ptr_array_steal (pins, NULL);
}
