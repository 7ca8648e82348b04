/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

#include <stdio.h>

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  const DpsCtlVerb *verb = NULL;
  g_autofree char *text = NULL;
  g_autoptr (JsonBuilder) builder = NULL;

  if (arguments[0] != NULL)
    {
      verb = dps_ctl_verb_find (arguments[0]);
      if (verb == NULL)
        return dps_ctl_fail_with (ctl,
                                  DPS_CTL_EXIT_USAGE,
                                  "",
                                  "'dpsctl help' lists the verbs",
                                  "there is no verb '%s'",
                                  arguments[0]);
    }
  text = dps_ctl_help (verb);
  if (!ctl->json)
    {
      fputs (text, stdout);
      return DPS_CTL_EXIT_OK;
    }
  builder = json_builder_new ();
  json_builder_begin_object (builder);
  dps_ctl_json_add_string (builder, "help", text);
  json_builder_end_object (builder);
  dps_ctl_print_json (builder);
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_help_verb = {
  .name = "help",
  .arguments = "[VERB]",
  .summary = "Show this, or the help of a verb",
  .details = "Example:\n"
             "  dpsctl help token",
  .max_arguments = 1,
  .run = run,
};
