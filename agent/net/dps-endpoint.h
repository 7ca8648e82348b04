/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Which host names the agent talks to at all: design §8, dps-protocol §1.1. Pure; names
 * are compared without regard to case. */

typedef enum
{
  DPS_CLOUD_NONE, /* no name of the provisioning service or of IoT Hub */
  DPS_CLOUD_PUBLIC,
  DPS_CLOUD_US,
  DPS_CLOUD_CHINA,
} DpsCloud;

/* Accepts <tenant>.azure-devices-provisioning.{net,us,cn}, the service endpoint of one
 * DPS instance; a global device endpoint only where allow_global is set. Everything else
 * is DPS_ERROR_INVALID_ARGUMENT, and the message says what to write in its place. */
gboolean dps_endpoint_check (const char *endpoint, gboolean allow_global, GError **error);

/* TRUE for the global device endpoint of any cloud. */
gboolean dps_endpoint_is_global (const char *endpoint);

/* The cloud that the suffix of a service endpoint or hub name belongs to. */
DpsCloud dps_endpoint_cloud (const char *host);

/* "public", "us", "china" or "none"; static. */
const char *dps_cloud_name (DpsCloud cloud);

/* Judges the host name an assignment brought, before any credential goes there: only
 * <hub>.azure-devices.{net,us,cn} and <hub>.device.azure-devices.net pass, all else is
 * DPS_ERROR_REJECTED. A hub of another cloud than endpoint_cloud passes with *warning set
 * (the caller's, NULL = none). warning may be NULL. */
gboolean dps_endpoint_check_hub (const char *hub_host,
                                 DpsCloud endpoint_cloud,
                                 char **warning,
                                 GError **error);
