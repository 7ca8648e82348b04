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

  if (control == NULL || !dps_dbus_agent1_control_call_reload_sync (control,
                                                                    dps_ctl_call_flags (),
                                                                    DPS_CTL_ACT_TIMEOUT,
                                                                    NULL,
                                                                    &error))
    return dps_ctl_fail (ctl, error);
  dps_ctl_print_done (ctl->json, "the configuration has been read");
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_reload = {
  .name = "reload",
  .arguments = "",
  .summary = "Read the configuration again",
  .details = "On an error the configuration in force stays, and the error names file, "
             "line, group\n"
             "and key. Refused while an attempt is in flight.\n\n"
             "Example:\n"
             "  dpsctl reload && dpsctl provision --wait",
  .run = run,
};
