/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-follow.h"

static gint64 timeout = -1;

static const GOptionEntry options[] = {
  { "timeout",
    0,
    0,
    G_OPTION_ARG_INT64,
    &timeout,
    "Give up after so long (exit code 5); 0 looks once",
    "SECONDS" },
  { NULL },
};

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  g_autoptr (DpsDBusAgent1) agent = NULL;
  DpsCtlFollow how = { .timeout = timeout };
  DpsCtlExit exit;

  if (!dps_ctl_follow_check_timeout (ctl, timeout))
    return DPS_CTL_EXIT_USAGE;
  agent = dps_ctl_open_agent (ctl, &exit);
  if (agent == NULL)
    return exit;
  return dps_ctl_follow (ctl, agent, &how);
}

const DpsCtlVerb dps_ctl_wait = {
  .name = "wait",
  .arguments = "",
  .summary = "Wait until this host has its identity",
  .details = "Shows progress like 'provision --wait', but starts nothing. Ends when the "
             "agent is\n"
             "provisioned, held (an operator must act) or not configured.\n\n"
             "Example:\n"
             "  dpsctl wait --timeout 60 && systemctl start telemetry.service",
  .options = options,
  .run = run,
};
