/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/dps-presence.h"
#include "core/dps-provisioner.h"

/* DpsService: the D-Bus face of core. Exports the three interfaces at their object, binds
 * DpsReport to the properties, and lets every method pass through one table that names
 * the right it needs. */
#define DPS_SERVICE_NAME "org.dpsagent.Agent1"
#define DPS_SERVICE_PATH "/org/dpsagent/Agent1"

#define DPS_TYPE_SERVICE (dps_service_get_type ())
G_DECLARE_FINAL_TYPE (DpsService, dps_service, DPS, SERVICE, GObject)

/* References all it is given. Calls and attempts hold presence. */
DpsService *dps_service_new (GDBusConnection *connection,
                             gboolean on_system_bus,
                             DpsProvisioner *provisioner,
                             DpsKeeper *keeper,
                             DpsReport *report,
                             DpsPresence *presence);

gboolean dps_service_export (DpsService *self, GError **error);
