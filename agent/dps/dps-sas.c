/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-sas.h"
#include "common/dps-error.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define HMAC_SHA256_SIZE 32

G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_MAC, EVP_MAC_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EVP_MAC_CTX, EVP_MAC_CTX_free)

static char *
percent_encode (const char *text)
{
  return g_uri_escape_string (text, NULL, FALSE);
}

char *
dps_sas_resource_for_registration (const char *scope, const char *registration_id)
{
  g_autofree char *plain = NULL;

  g_return_val_if_fail (scope != NULL && registration_id != NULL, NULL);

  plain = g_strdup_printf ("%s/registrations/%s", scope, registration_id);
  return percent_encode (plain);
}

char *
dps_sas_resource_for_device (const char *hub, const char *device, const char *module)
{
  g_autofree char *plain = NULL;

  g_return_val_if_fail (hub != NULL && device != NULL, NULL);

  plain = g_strconcat (hub,
                       "/devices/",
                       device,
                       module != NULL ? "/modules/" : NULL,
                       module,
                       NULL);
  return percent_encode (plain);
}

GBytes *
dps_sas_string_to_sign (const char *resource, guint64 expiry)
{
  char *text;

  g_return_val_if_fail (resource != NULL, NULL);

  text = g_strdup_printf ("%s\n%" G_GUINT64_FORMAT, resource, expiry);
  return g_bytes_new_take (text, strlen (text));
}

char *
dps_sas_token (const char *resource, GBytes *signature, guint64 expiry, const char *skn)
{
  g_autofree char *base64 = NULL;
  g_autofree char *sig = NULL;
  g_autofree char *policy = NULL;
  gsize size;
  const guint8 *data;

  g_return_val_if_fail (resource != NULL && signature != NULL, NULL);

  data = g_bytes_get_data (signature, &size);
  base64 = g_base64_encode (data, size);
  sig = percent_encode (base64);
  policy = skn != NULL ? percent_encode (skn) : NULL;
  return g_strdup_printf ("SharedAccessSignature sr=%s&sig=%s&se=%" G_GUINT64_FORMAT
                          "%s%s",
                          resource,
                          sig,
                          expiry,
                          policy != NULL ? "&skn=" : "",
                          policy != NULL ? policy : "");
}

static gboolean
hmac_sha256 (const DpsSecret *key,
             const void *data,
             gsize size,
             guint8 *out,
             GError **error)
{
  g_autoptr (EVP_MAC) mac = EVP_MAC_fetch (NULL, "HMAC", NULL);
  g_autoptr (EVP_MAC_CTX) context = mac != NULL ? EVP_MAC_CTX_new (mac) : NULL;
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
    OSSL_PARAM_construct_utf8_string (OSSL_MAC_PARAM_DIGEST, digest, 0),
    OSSL_PARAM_construct_end (),
  };
  gsize length = 0;

  if (context != NULL && dps_secret_size (key) > 0 &&
      EVP_MAC_init (context, dps_secret_data (key), dps_secret_size (key), params) == 1 &&
      EVP_MAC_update (context, data, size) == 1 &&
      EVP_MAC_final (context, out, &length, HMAC_SHA256_SIZE) == 1 &&
      length == HMAC_SHA256_SIZE)
    return TRUE;

  g_set_error_literal (error,
                       DPS_ERROR,
                       DPS_ERROR_FAILED,
                       dps_secret_size (key) == 0
                           ? "the key to sign with is empty"
                           : "OpenSSL cannot compute an HMAC-SHA-256");
  return FALSE;
}

GBytes *
dps_sas_sign (const DpsSecret *key, GBytes *to_sign, GError **error)
{
  guint8 mac[HMAC_SHA256_SIZE];
  gsize size;
  const void *data;

  g_return_val_if_fail (key != NULL && to_sign != NULL, NULL);

  data = g_bytes_get_data (to_sign, &size);
  if (!hmac_sha256 (key, data, size, mac, error))
    return NULL;
  return g_bytes_new (mac, sizeof mac);
}

DpsSecret *
dps_sas_derive_group_key (const DpsSecret *group_key,
                          const char *registration_id,
                          GError **error)
{
  g_autoptr (DpsSecret) key = NULL;

  g_return_val_if_fail (group_key != NULL && registration_id != NULL, NULL);

  key = dps_secret_new_empty (HMAC_SHA256_SIZE);
  if (!hmac_sha256 (group_key,
                    registration_id,
                    strlen (registration_id),
                    dps_secret_edit (key),
                    error))
    return NULL;
  return g_steal_pointer (&key);
}
