/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli/dps-ctl.h"

#include "dps-agent-generated.h"

/* The agent's properties, as dpsctl shows them. now is µs since the epoch. */

/* Aligned lines for people; free with g_free. */
char *dps_ctl_view_text (DpsDBusAgent1 *agent, guint64 now);

/* One JSON object with all properties on standard output (dpsctl.1, "JSON"). */
void dps_ctl_view_print_json (DpsDBusAgent1 *agent);

/* Both: the one asked for, on standard output. */
void dps_ctl_view_print (const DpsCtl *ctl, DpsDBusAgent1 *agent);

/* The plugins alone. */
void dps_ctl_view_print_plugins (const DpsCtl *ctl, DpsDBusAgent1 *agent);

/* The state in one line with its reason and the next attempt; free with g_free. */
char *dps_ctl_view_line (DpsDBusAgent1 *agent, guint64 now);

/* The parts of Reason; borrowed until the property changes. "" where there is none. */
void dps_ctl_view_reason (DpsDBusAgent1 *agent,
                          const char **code,
                          const char **text,
                          const char **remedy);

/* The exit code that tells scripts what the state is. */
DpsCtlExit dps_ctl_view_exit (DpsDBusAgent1 *agent);
