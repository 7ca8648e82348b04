/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-connection.h"
#include "cli/dps-ctl-failure.h"
#include "cli/dps-ctl-output.h"

#include <stdio.h>

static char *audience;
static gint64 ttl = -1;

static const GOptionEntry options[] = {
  { "audience",
    0,
    0,
    G_OPTION_ARG_STRING,
    &audience,
    "Whom the token stands for; default device",
    "device|module:ID" },
  { "ttl",
    0,
    0,
    G_OPTION_ARG_INT64,
    &ttl,
    "Lifetime, 1 to 3600; default 600",
    "SECONDS" },
  { NULL },
};

static GVariant *
build_options (void)
{
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  if (audience != NULL)
    g_variant_dict_insert (&dict, "audience", "s", audience);
  if (ttl >= 0)
    g_variant_dict_insert (&dict, "ttl", "u", (guint32) ttl);
  return g_variant_dict_end (&dict);
}

static void
print_token (const DpsCtl *ctl, const char *token, guint64 expires)
{
  g_autoptr (JsonBuilder) builder = NULL;
  g_autofree char *shown = NULL;

  if (!ctl->json)
    {
      shown = dps_ctl_escape (token);
      puts (shown);
      return;
    }
  builder = json_builder_new ();
  json_builder_begin_object (builder);
  dps_ctl_json_add_string (builder, "token", token);
  dps_ctl_json_add_time (builder, "expires", expires);
  json_builder_end_object (builder);
  dps_ctl_print_json (builder);
}

static DpsCtlExit
run (const DpsCtl *ctl, char **arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsDBusAgent1Credentials) credentials = NULL;
  g_autofree char *token = NULL;
  guint64 expires;

  if (ttl < -1 || ttl > G_MAXUINT32)
    return dps_ctl_fail_with (ctl,
                              DPS_CTL_EXIT_USAGE,
                              "",
                              "see 'dpsctl token --help'",
                              "--ttl takes 1 to 3600 seconds");
  credentials = dps_ctl_connect_credentials (ctl, &error);
  if (credentials == NULL ||
      !dps_dbus_agent1_credentials_call_create_sas_token_sync (credentials,
                                                               build_options (),
                                                               dps_ctl_call_flags (),
                                                               DPS_CTL_SIGN_TIMEOUT,
                                                               &token,
                                                               &expires,
                                                               NULL,
                                                               &error))
    return dps_ctl_fail (ctl, error);
  print_token (ctl, token, expires);
  return DPS_CTL_EXIT_OK;
}

const DpsCtlVerb dps_ctl_token = {
  .name = "token",
  .arguments = "",
  .summary = "Print a short-lived SAS token for the assigned hub",
  .details =
      "The token stands alone on standard output. Treat it as a secret: whoever holds "
      "one for\n"
      "the audience device is the device toward the hub until it expires. Give services\n"
      "modules of their own. For root; each token leaves a record in the journal.\n\n"
      "Example:\n"
      "  dpsctl token --audience module:telemetry --ttl 300",
  .options = options,
  .run = run,
};
