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
  dps_ctl_view_print_plugins (ctl, agent);
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_plugins = {
  .name = "plugins",
  .arguments = "",
  .summary =
      "Show the attestation plugins, whether they can be used and what confines them",
  .details =
      "Name, availability (usable, later, never, unknown), confinement and the "
      "reason. Only the\n"
      "configured plugin is asked; of the others availability is unknown.\n"
      "Confinement: seccomp, the system call filter; landlock-ABI, only files of "
      "the system can\n"
      "be read, or no-landlock, files are not confined; unix-sockets, may speak to "
      "a token's daemon.\n\n"
      "Example:\n"
      "  dpsctl plugins",
  .run = run,
};
