/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

static gboolean yes;

static const GOptionEntry options[] = {
  { "yes", 0, 0, G_OPTION_ARG_NONE, &yes, "Yes, forget the identity", NULL },
  { NULL },
};

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsDBusAgent1Control) control = NULL;
  GVariantDict dict;

  if (!yes)
    return dps_ctl_fail_with (ctl,
                              DPS_CTL_EXIT_USAGE,
                              "",
                              "repeat with --yes if that is what you want",
                              "reset loses this host's identity, the key in the store "
                              "(one derived from a group key can be had again with the "
                              "group key alone) and all pacing; services lose their "
                              "access to the hub until the host is provisioned again");
  control = dps_ctl_connect_control (ctl, &error);
  if (control == NULL)
    return dps_ctl_fail (ctl, error);
  g_variant_dict_init (&dict, NULL);
  if (!dps_dbus_agent1_control_call_reset_sync (control,
                                                g_variant_dict_end (&dict),
                                                dps_ctl_call_flags (),
                                                DPS_CTL_SIGN_TIMEOUT,
                                                NULL,
                                                &error))
    return dps_ctl_fail (ctl, error);
  dps_ctl_print_done (ctl->json,
                      "the identity is forgotten; the records of the hub and the "
                      "service are as they were");
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_reset = {
  .name = "reset",
  .arguments = "--yes",
  .summary = "Forget the identity, the imported key and all pacing",
  .details = "Also cancels an attempt in flight. The records of the hub and of the "
             "provisioning\n"
             "service are not touched: disable or remove them there too where the host "
             "retires.\n\n"
             "Example:\n"
             "  dpsctl reset --yes",
  .options = options,
  .run = run,
};
