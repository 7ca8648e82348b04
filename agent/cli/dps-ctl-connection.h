/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli/dps-ctl.h"

#include "dps-agent-generated.h"

/* Time limits of calls in ms: reading includes the start of the agent by the bus, which
 * has its own limit of 25 s; acting includes somebody typing a password for polkit. */
#define DPS_CTL_READ_TIMEOUT 30000
#define DPS_CTL_ACT_TIMEOUT 120000
/* Signing may wait for a TPM: above the 150 s that its plugin gets. */
#define DPS_CTL_SIGN_TIMEOUT (160 * 1000)

/* The agent's three faces, each on a connection of its own; nothing has been asked yet
 * and the agent not been started. NULL and error where the bus cannot be reached. The
 * caller owns the proxy. */
DpsDBusAgent1 *dps_ctl_connect_agent (const DpsCtl *ctl, GError **error);
DpsDBusAgent1Control *dps_ctl_connect_control (const DpsCtl *ctl, GError **error);
DpsDBusAgent1Credentials *dps_ctl_connect_credentials (const DpsCtl *ctl, GError **error);

/* Asks the agent for all its properties, starting it if need be, and puts them into the
 * proxy's cache. */
gboolean dps_ctl_read_agent (DpsDBusAgent1 *agent, GError **error);

/* The same for use in a main loop: in step with the signals that announce changes. */
void dps_ctl_read_agent_async (DpsDBusAgent1 *agent,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer data);
gboolean dps_ctl_read_agent_finish (DpsDBusAgent1 *agent,
                                    GAsyncResult *result,
                                    GError **error);

/* Connects, reads, and prints what goes wrong. NULL after a failure, with its exit code.
 */
DpsDBusAgent1 *dps_ctl_open_agent (const DpsCtl *ctl, DpsCtlExit *exit);

/* Polkit may ask the operator for a password only where somebody sits at a terminal. */
GDBusCallFlags dps_ctl_call_flags (void);
