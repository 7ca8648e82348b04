/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-summary.h"
#include "common/dps-log.h"
#include "core/dps-plugin-confinement.h"
#include "core/dps-plugin-list.h"
#include "dps/dps-certificate.h"
#include "tpm/dps-tpm-device.h"

#include <string.h>
#include <unistd.h>

/* End of the certificate's validity, 0 = there is none. */
static guint64
not_after_of (const DpsIdentity *identity)
{
  g_autoptr (DpsCertificateChain) chain = NULL;

  if (identity == NULL || identity->chain == NULL)
    return 0;
  chain = dps_certificate_chain_new_from_pem (identity->chain,
                                              strlen (identity->chain),
                                              NULL);
  return chain != NULL ? (guint64) MAX (0, dps_certificate_chain_get_not_after (chain))
                       : 0;
}

static const char *
kind_of (const DpsIdentity *identity)
{
  if (identity == NULL)
    return "none";
  return identity->shape == DPS_SHAPE_CERTIFICATE ? "x509" : "sas";
}

void
dps_summary_show_identity (DpsReport *report, DpsKeeper *keeper)
{
  DpsIdentity *identity = dps_keeper_get_identity (keeper);

  dps_report_set_string (report, "assigned-hub", identity ? identity->hub : "");
  dps_report_set_string (report, "device-id", identity ? identity->device_id : "");
  dps_report_set_string (report, "credential-kind", kind_of (identity));
  g_object_set (report, "certificate-not-after", not_after_of (identity), NULL);
  dps_report_set_boolean (report, "verified", identity && identity->verified);
  dps_report_set_string (report, "protection-level", dps_keeper_get_protection (keeper));
  if (identity != NULL)
    dps_report_set_string (report, "registration-id", identity->registration_id);
}

gboolean
dps_summary_announce_identity (DpsReport *report, DpsKeeper *keeper)
{
  DpsIdentity *identity = dps_keeper_get_identity (keeper);
  g_autofree char *hub = NULL, *device = NULL;

  g_object_get (report, "assigned-hub", &hub, "device-id", &device, NULL);
  dps_summary_show_identity (report, keeper);
  dps_message ((TOPIC ("identity"), OBJECT (identity->device_id)),
               "provisioned to hub %s, %s",
               identity->hub,
               identity->verified ? "verified there" : "not verified there yet");
  return strcmp (hub, identity->hub) != 0 || strcmp (device, identity->device_id) != 0;
}

void
dps_summary_show_tpm (DpsReport *report, DpsSettings *settings)
{
  const char *tcti = dps_config_get_tcti (dps_settings_get_config (settings));
  const char *path = dps_tpm_device_path (tcti);
  const char *shown = "none";

  if (access (path, F_OK) == 0)
    shown = dps_tpm_device_is_simulator (tcti) ? "simulator" : path;
  dps_report_set_string (report, "tpm", shown);
}

void
dps_summary_show_config (DpsReport *report, DpsSettings *settings, DpsKeeper *keeper)
{
  DpsConfig *config = dps_settings_get_config (settings);
  DpsIdentity *identity = dps_keeper_get_identity (keeper);
  const char *id;

  dps_summary_show_tpm (report, settings);
  if (config == NULL)
    return;
  id = dps_config_get_string (config, DPS_CONFIG_REGISTRATION_ID);
  if (id == NULL && identity != NULL)
    id = identity->registration_id;
  dps_report_set_string (report,
                         "endpoint",
                         dps_config_get_string (config, DPS_CONFIG_ENDPOINT));
  dps_report_set_string (report,
                         "attestation",
                         dps_config_get_string (config, DPS_CONFIG_ATTESTATION));
  dps_report_set_string (report, "registration-id", id);
}

/* confinement: of the configured plugin, as it said itself; NULL = it did not run. */
static void
show_plugins (DpsReport *report,
              DpsSettings *settings,
              const char *availability,
              const char *reason,
              const DpsPluginConfinement *confinement)
{
  g_auto (GStrv) names = dps_plugin_list (dps_settings_get_plugin_dir (settings));
  DpsConfig *config = dps_settings_get_config (settings);
  const char *chosen =
      config ? dps_config_get_string (config, DPS_CONFIG_ATTESTATION) : NULL;
  const char *x509_key =
      config ? dps_config_get_string (config, DPS_CONFIG_X509_KEY) : NULL;
  DpsPluginConfinement others = dps_plugin_confinement_expect (FALSE);
  DpsPluginConfinement expected = dps_plugin_confinement_expect (
      dps_plugin_confinement_grants_unix (chosen, x509_key));

  g_object_set (report,
                "plugins",
                dps_plugin_list_describe ((const char *const *) names,
                                          dps_settings_get_plugin_dir (settings),
                                          chosen,
                                          availability,
                                          reason),
                "plugin-confinement",
                dps_plugin_confinement_describe ((const char *const *) names,
                                                 chosen,
                                                 confinement ? confinement : &expected,
                                                 &others),
                NULL);
}

/* Without a hand, and by the same plugin. */
static gboolean
may_pass (DpsFailureKind kind)
{
  return kind == DPS_FAILURE_PLUGIN_LATER ||
         (kind >= DPS_FAILURE_TPM_NO_DEVICE && kind <= DPS_FAILURE_TPM_FAILED &&
          dps_failure_row (kind)->healing == DPS_HEALS_BY_ITSELF);
}

void
dps_summary_show_plugins (DpsReport *report,
                          DpsSettings *settings,
                          const DpsFailure *failure)
{
  const char *phase = failure ? dps_failure_row (failure->kind)->phase : "";
  g_autofree char *text = failure ? dps_failure_describe (failure) : NULL;

  if (failure == NULL)
    show_plugins (report, settings, "unknown", "it is asked when it is needed", NULL);
  else if (may_pass (failure->kind))
    show_plugins (report, settings, "later", text, NULL);
  else if (strcmp (phase, "attestation") == 0)
    show_plugins (report, settings, "never", text, NULL);
}

void
dps_summary_show_plugin_usable (DpsReport *report,
                                DpsSettings *settings,
                                const DpsPluginConfinement *confinement)
{
  show_plugins (report,
                settings,
                "usable",
                confinement->landlock > 0
                    ? ""
                    : "its files are not confined: this kernel has no Landlock",
                confinement);
}
