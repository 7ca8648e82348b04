/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-plugin-request.h"
#include "common/dps-io.h"

#include <string.h>

int
dps_plugin_request_append_secret (GUnixFDList *fds, DpsSecret *secret, GError **error)
{
  dps_autofd fd = dps_secret_to_memfd (secret, error);

  return fd < 0 ? -1 : g_unix_fd_list_append (fds, fd, error);
}

GVariant *
dps_plugin_request_pack_secrets (GHashTable *secrets, GUnixFDList *fds, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{sh}"));
  GHashTableIter iter;
  gpointer name, secret;

  g_hash_table_iter_init (&iter, secrets);
  while (g_hash_table_iter_next (&iter, &name, &secret))
    {
      int handle = dps_plugin_request_append_secret (fds, secret, error);

      if (handle < 0)
        return NULL;
      g_variant_builder_add (&builder, "{sh}", name, handle);
    }
  return g_variant_builder_end (&builder);
}

GVariant *
dps_plugin_request_pack_tpm (int tpm, GUnixFDList *fds, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("ah"));
  int handle;

  if (tpm >= 0)
    {
      handle = g_unix_fd_list_append (fds, tpm, error);
      if (handle < 0)
        return NULL;
      g_variant_builder_add (&builder, "h", handle);
    }
  return g_variant_builder_end (&builder);
}

GVariant *
dps_plugin_request_pack_settings (GHashTable *settings)
{
  GVariantBuilder builder;
  g_autoptr (GList) keys = settings != NULL ? g_hash_table_get_keys (settings) : NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a{ss}"));
  keys = g_list_sort (keys, (GCompareFunc) strcmp);
  for (GList *key = keys; key != NULL; key = key->next)
    g_variant_builder_add (&builder,
                           "{ss}",
                           key->data,
                           g_hash_table_lookup (settings, key->data));
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}
