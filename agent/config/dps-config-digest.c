/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config.h"
#include "config/dps-config-plugin.h"

/* What a plugin from elsewhere makes of its settings nobody else knows; so all count. */
static void
append_plugin_settings (DpsConfig *self, GString *text)
{
  const GPtrArray *settings = dps_config_get_plugin_settings (self);
  const char *chosen = dps_config_get_string (self, DPS_CONFIG_ATTESTATION);

  for (guint i = 0; i < settings->len; i++)
    {
      const DpsConfigPluginSetting *setting = settings->pdata[i];

      if (g_strcmp0 (setting->plugin, chosen) == 0)
        g_string_append_printf (text, "plugin %s=%s\n", setting->key, setting->value);
    }
}

/* Which TPM, and what the host is called by it; which certificate. With another
 * attestation= they are not in the text: digests of before stay what they were. */
static void
append_material (DpsConfig *self, GString *text)
{
  static const struct
  {
    const char *attestation;
    DpsConfigId id;
  } rows[] = {
    { "tpm", DPS_CONFIG_TPM_TCTI },
    { "tpm", DPS_CONFIG_EK_TEMPLATE },
    { "tpm", DPS_CONFIG_REGISTRATION_ID_FORM },
    { "x509", DPS_CONFIG_X509_CERTIFICATE },
    { "x509", DPS_CONFIG_X509_KEY },
  };
  const char *attestation = dps_config_get_string (self, DPS_CONFIG_ATTESTATION);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const char *value = dps_config_get_string (self, rows[i].id);

      if (g_strcmp0 (attestation, rows[i].attestation) == 0)
        g_string_append_printf (text,
                                "%s=%s\n",
                                dps_config_key (rows[i].id)->key,
                                value != NULL ? value : "");
    }
}

/* Only where it is asked for: digests of before stay what they were. */
static void
append_issuance (DpsConfig *self, GString *text)
{
  if (dps_config_get_boolean (self, DPS_CONFIG_CERTIFICATE_ISSUANCE))
    g_string_append_printf (text,
                            "%s=yes\n",
                            dps_config_key (DPS_CONFIG_CERTIFICATE_ISSUANCE)->key);
}

char *
dps_config_dup_identity_digest (DpsConfig *self)
{
  static const DpsConfigId ids[] = {
    DPS_CONFIG_ENDPOINT,
    DPS_CONFIG_ID_SCOPE,
    DPS_CONFIG_REGISTRATION_ID,
    DPS_CONFIG_ATTESTATION,
  };
  g_autoptr (GString) text = g_string_new ("dps-identity-1\n");

  g_return_val_if_fail (DPS_IS_CONFIG (self), NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      const char *value = dps_config_get_string (self, ids[i]);
      g_autofree char *lower = NULL;

      /* Host names and registration ids are the same in any case: protocol §1.3. The
       * scope's case counts. No value has a line end. */
      if (value != NULL && ids[i] != DPS_CONFIG_ID_SCOPE)
        lower = g_ascii_strdown (value, -1);
      g_string_append_printf (text,
                              "%s=%s\n",
                              dps_config_key (ids[i])->key,
                              lower != NULL   ? lower
                              : value != NULL ? value
                                              : "");
    }
  append_plugin_settings (self, text);
  append_material (self, text);
  append_issuance (self, text);
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text->str, (gssize) text->len);
}
