/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-confinement.h"
#include "common/dps-landlock.h"

gboolean
dps_plugin_confinement_grants_unix (const char *attestation, const char *x509_key)
{
  return g_strcmp0 (attestation, "x509") == 0 && x509_key != NULL &&
         g_str_has_prefix (x509_key, "pkcs11:");
}

DpsPluginConfinement
dps_plugin_confinement_expect (gboolean unix_sockets)
{
  return (DpsPluginConfinement){ TRUE, dps_landlock_abi (), unix_sockets };
}

static void
add_words (GVariantBuilder *builder, const DpsPluginConfinement *confinement)
{
  g_variant_builder_open (builder, G_VARIANT_TYPE_STRING_ARRAY);
  if (confinement->seccomp)
    g_variant_builder_add (builder, "s", "seccomp");
  if (confinement->landlock > 0)
    {
      g_autofree char *landlock = g_strdup_printf ("landlock-%u", confinement->landlock);

      g_variant_builder_add (builder, "s", landlock);
    }
  else
    g_variant_builder_add (builder, "s", "no-landlock");
  if (confinement->unix_sockets)
    g_variant_builder_add (builder, "s", "unix-sockets");
  g_variant_builder_close (builder);
}

GVariant *
dps_plugin_confinement_describe (const char *const *names,
                                 const char *chosen,
                                 const DpsPluginConfinement *of_chosen,
                                 const DpsPluginConfinement *of_others)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{sas}"));
  for (gsize i = 0; names[i] != NULL; i++)
    {
      gboolean is_chosen = g_strcmp0 (names[i], chosen) == 0;

      g_variant_builder_open (&builder, G_VARIANT_TYPE ("{sas}"));
      g_variant_builder_add (&builder, "s", names[i]);
      add_words (&builder, is_chosen ? of_chosen : of_others);
      g_variant_builder_close (&builder);
    }
  return g_variant_builder_end (&builder);
}
