/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-follow.h"
#include "cli/dps-ctl-output.h"
#include "cli/dps-ctl-view.h"

static gboolean wait_for_it;
static gboolean again;
static gboolean boot;
static gboolean renew;
static gint64 timeout = -1;

static const GOptionEntry options[] = {
  { "wait",
    0,
    0,
    G_OPTION_ARG_NONE,
    &wait_for_it,
    "Show progress until provisioned or held",
    NULL },
  { "again", 0, 0, G_OPTION_ARG_NONE, &again, "Register even if provisioned", NULL },
  { "timeout",
    0,
    0,
    G_OPTION_ARG_INT64,
    &timeout,
    "With --wait: give up waiting after so long (exit code 5)",
    "SECONDS" },
  { "boot",
    0,
    0,
    G_OPTION_ARG_NONE,
    &boot,
    "Spread the first attempt over splay-seconds, as at boot",
    NULL },
  { "renew",
    0,
    0,
    G_OPTION_ARG_NONE,
    &renew,
    "Do nothing but renew a certificate that is due, as the timer does",
    NULL },
  { NULL },
};

static gboolean
check_options (const DpsCtl *ctl)
{
  const char *problem = NULL;

  if (timeout != -1 && !wait_for_it)
    problem = "--timeout goes with --wait";
  else if (boot + again + renew > 1)
    problem = "--again, --boot and --renew exclude each other";
  if (problem == NULL)
    return dps_ctl_follow_check_timeout (ctl, timeout);
  dps_ctl_fail_with (ctl,
                     DPS_CTL_EXIT_USAGE,
                     "",
                     "see 'dpsctl provision --help'",
                     "%s",
                     problem);
  return FALSE;
}

static gboolean
ask (DpsDBusAgent1Control *control, GError **error)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  if (again)
    return dps_dbus_agent1_control_call_reprovision_sync (control,
                                                          g_variant_dict_end (&dict),
                                                          dps_ctl_call_flags (),
                                                          DPS_CTL_ACT_TIMEOUT,
                                                          NULL,
                                                          error);
  if (boot || renew)
    g_variant_dict_insert (&dict, "origin", "s", boot ? "boot" : "timer");
  return dps_dbus_agent1_control_call_provision_sync (control,
                                                      g_variant_dict_end (&dict),
                                                      dps_ctl_call_flags (),
                                                      DPS_CTL_ACT_TIMEOUT,
                                                      NULL,
                                                      error);
}

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsDBusAgent1) agent = NULL;
  g_autoptr (DpsDBusAgent1Control) control = NULL;
  DpsCtlFollow how = { .timeout = timeout, .asked = TRUE, .again = again };
  DpsCtlExit exit;

  if (!check_options (ctl))
    return DPS_CTL_EXIT_USAGE;
  control = dps_ctl_connect_control (ctl, &error);
  if (control == NULL)
    return dps_ctl_fail (ctl, error);
  if (wait_for_it)
    {
      agent = dps_ctl_open_agent (ctl, &exit);
      if (agent == NULL)
        return exit;
      how.since_before = dps_dbus_agent1_get_since (agent);
    }
  if (!ask (control, &error))
    return dps_ctl_fail (ctl, error);
  if (wait_for_it)
    return dps_ctl_follow (ctl, agent, &how);
  dps_ctl_print_done (ctl->json,
                      "the agent sees to it; follow it with 'dpsctl wait' or 'dpsctl "
                      "status'");
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_provision = {
  .name = "provision",
  .arguments = "",
  .summary = "See to it that this host has its identity",
  .details = "Does nothing where a valid identity of the present configuration exists, "
             "joins an\n"
             "attempt in flight, and otherwise starts one at once. The agent goes on by "
             "itself,\n"
             "whether or not somebody waits.\n\n"
             "Example:\n"
             "  dpsctl provision --wait --timeout 120",
  .options = options,
  .run = run,
};
