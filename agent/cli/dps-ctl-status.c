/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-view.h"

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  DpsCtlExit exit;
  g_autoptr (DpsDBusAgent1) agent = dps_ctl_open_agent (ctl, &exit);

  if (agent == NULL)
    return exit;
  dps_ctl_view_print (ctl, agent);
  return dps_ctl_view_exit (agent);
}

const DpsCtlVerb dps_ctl_status = {
  .name = "status",
  .arguments = "",
  .summary = "Show what this host is, and why",
  .details = "Everybody may look. The exit code tells the state: 0 provisioned, 3 not "
             "provisioned,\n"
             "6 not configured.\n\n"
             "Example:\n"
             "  dpsctl status --json | jq -r .deviceId",
  .run = run,
};
