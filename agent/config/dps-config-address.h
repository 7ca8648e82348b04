/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The value of address= in [network]. Pure. */

#define DPS_CONFIG_ADDRESSES_MAX 16
#define DPS_CONFIG_ADDRESS_PORT 443

/* Normalises a ;-separated list of ADDRESS[:PORT] and HOST=ADDRESS[:PORT] to a list of
 * "HOST=ADDRESS:PORT": hosts in lower case, IPv6 in brackets, port 443 where none is
 * given. A bare ADDRESS pins endpoint; where that is NULL it is checked and left out.
 * NULL and DPS_ERROR_INVALID_ARGUMENT, without file and key, on failure. The caller's. */
GStrv dps_config_parse_addresses (const char *value,
                                  const char *endpoint,
                                  GError **error);
