/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-credential.h"
#include "common/dps-error.h"
#include "common/dps-name.h"
#include "dps/dps-sas.h"

#include <string.h>

#define MODULE_PREFIX "module:"

GBytes *
dps_credential_sign (const DpsIdentity *identity, GBytes *bytes, GError **error)
{
  switch (identity->shape)
    {
    case DPS_SHAPE_KEY:
      return dps_sas_sign (identity->key, bytes, error);
    case DPS_SHAPE_PLUGIN:
    case DPS_SHAPE_CERTIFICATE:
    default:
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_NOT_SUPPORTED,
                   "this version does not sign with this kind of credential");
      return NULL;
    }
}

static gboolean
parse_audience (const char *audience, const char **module, GError **error)
{
  *module = NULL;
  if (strcmp (audience, "device") == 0)
    return TRUE;
  if (!g_str_has_prefix (audience, MODULE_PREFIX))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "the audience is 'device' or 'module:ID'");
      return FALSE;
    }
  *module = audience + strlen (MODULE_PREFIX);
  return dps_name_check_device_id (*module, error);
}

char *
dps_credential_create_token (const DpsIdentity *identity,
                             const char *audience,
                             guint32 ttl,
                             guint64 now,
                             guint64 *expiry,
                             GError **error)
{
  g_autofree char *resource = NULL;
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GBytes) signature = NULL;
  const char *module;

  if (!parse_audience (audience, &module, error))
    return NULL;
  if (ttl < 1 || ttl > DPS_TOKEN_TTL_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_LIMITS_EXCEEDED,
                   "a token lives 1 to %u seconds, not %u",
                   DPS_TOKEN_TTL_MAX,
                   ttl);
      return NULL;
    }
  resource = dps_sas_resource_for_device (identity->hub, identity->device_id, module);
  text = dps_sas_string_to_sign (resource, now + ttl);
  signature = dps_credential_sign (identity, text, error);
  if (signature == NULL)
    return NULL;
  *expiry = now + ttl;
  return dps_sas_token (resource, signature, now + ttl, NULL);
}
