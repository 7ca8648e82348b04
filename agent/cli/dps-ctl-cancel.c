/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsDBusAgent1Control) control = dps_ctl_connect_control (ctl, &error);

  if (control == NULL || !dps_dbus_agent1_control_call_cancel_sync (control,
                                                                    dps_ctl_call_flags (),
                                                                    DPS_CTL_ACT_TIMEOUT,
                                                                    NULL,
                                                                    &error))
    return dps_ctl_fail (ctl, error);
  dps_ctl_print_done (ctl->json,
                      "nothing is in flight; begin again with 'dpsctl provision'");
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_cancel = {
  .name = "cancel",
  .arguments = "",
  .summary = "End an attempt, or the wait for the next",
  .details = "Nothing stored changes, and no attempt follows by itself until the next "
             "provision or\n"
             "boot.\n\n"
             "Example:\n"
             "  dpsctl cancel",
  .run = run,
};
