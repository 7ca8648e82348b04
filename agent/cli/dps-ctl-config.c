/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-failure.h"

#include <errno.h>
#include <unistd.h>

static char *agent = NULL;

/* --agent is for tests, which look at an agent that is not installed. */
static const GOptionEntry options[] = {
  { "agent", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &agent, NULL, "PATH" },
  { NULL },
};

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  char *program = agent != NULL ? agent : (char *) DPS_LIBEXEC_DIR "/dps-agentd";
  char *argv[6] = { program, (char *) "--print-config" };
  guint n = 2;
  int saved;

  if (ctl->json)
    argv[n++] = (char *) "--json";
  if (ctl->config_dir != NULL)
    {
      argv[n++] = (char *) "--config-dir";
      argv[n++] = (char *) ctl->config_dir;
    }
  execv (program, argv);
  saved = errno;
  return dps_ctl_fail_with (ctl,
                            DPS_CTL_EXIT_FAILED,
                            "",
                            "is dps-agent installed? See 'apt policy dps-agent'",
                            "cannot run %s: %s",
                            program,
                            g_strerror (saved));
}

const DpsCtlVerb dps_ctl_config = {
  .name = "config",
  .arguments = "",
  .summary = "Show the configuration on disk as the agent reads it",
  .details = "The main file and all drop-ins, put together and checked; no key is shown, "
             "only where\n"
             "it comes from. The agent in memory takes it up at 'dpsctl reload'.\n\n"
             "Example:\n"
             "  dpsctl config --config-dir ./image/etc/dps-agent",
  .options = options,
  .run = run,
};
