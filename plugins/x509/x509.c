/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-chain.h"
#include "x509-enrollment.h"
#include "x509-key.h"
#include "x509-mechanism.h"

#include <openssl/evp.h>

/* Attestation with an X.509 certificate (dps-protocol §4): the agent shows the chain in
 * TLS, and this process signs with the private key, which never leaves it. */

static X509Chain *
read_chain (const DpsHost *host, X509Error *error)
{
  DpsPluginView file;

  if (host->get_secret (host, "certificate", &file))
    return x509_chain_parse (&file, error);
  x509_error_set (error,
                  DPS_PLUGIN_NOT_CONFIGURED,
                  X509_CAUSE_CERTIFICATE,
                  "there is no certificate; set certificate= in [plugin x509]");
  return NULL;
}

static gboolean
has_key (const DpsHost *host, X509Error *error)
{
  DpsPluginView key;

  return host->get_setting (host, "key") != NULL ||
         host->get_secret (host, "key", &key) ||
         x509_error_set (error,
                         DPS_PLUGIN_NOT_CONFIGURED,
                         X509_CAUSE_KEY,
                         "there is no private key; set key= in [plugin x509]");
}

/* Opens no key: a list of plugins should not wake a token. */
static DpsPluginResult
x509_probe (const DpsHost *host, DpsPluginProbeOut *out)
{
  X509Error error = { DPS_PLUGIN_OK };
  g_autoptr (X509Chain) chain = read_chain (host, &error);

  out->usable = DPS_PLUGIN_USABLE_NOW;
  if (chain != NULL && has_key (host, &error))
    return DPS_PLUGIN_OK;
  out->usable = DPS_PLUGIN_USABLE_NEVER;
  out->reason = g_strdup (error.text);
  return DPS_PLUGIN_OK;
}

static void
log_lone_leaf (const DpsHost *host, const X509Chain *chain)
{
  g_autofree char *issuer = x509_chain_dup_issuer (chain);
  g_autofree char *text =
      g_strdup_printf ("certificate= has the device's certificate without an "
                       "intermediate: the service has to have either it or its issuer, "
                       "%s, enrolled",
                       issuer);

  host->log (host, DPS_PLUGIN_LOG_MESSAGE, text);
}

static void
add (GStrvBuilder *builder, const char *name, char *value)
{
  g_strv_builder_add (builder, name);
  g_strv_builder_add (builder, value);
  g_free (value);
}

static char **
make_material (const X509Chain *chain)
{
  g_autoptr (GStrvBuilder) material = g_strv_builder_new ();

  add (material, "certificate", x509_chain_dup_pem (chain));
  add (material, "thumbprint", x509_chain_dup_thumbprint (chain, EVP_sha256 ()));
  add (material, "thumbprint-sha1", x509_chain_dup_thumbprint (chain, EVP_sha1 ()));
  add (material, "subject", x509_chain_dup_subject (chain));
  add (material, "issuer", x509_chain_dup_issuer (chain));
  add (material, "validity", x509_chain_dup_validity (chain));
  return g_strv_builder_end (material);
}

static gboolean
check_all (const DpsHost *host, X509Chain *chain, X509Error *error)
{
  g_autoptr (X509Key) key = NULL;

  if (!x509_chain_check (chain, g_get_real_time () / G_USEC_PER_SEC, error))
    return FALSE;
  key = x509_key_open (host, error);
  return key != NULL && x509_chain_check_key (chain, key->public, error);
}

static DpsPluginResult
x509_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  X509Error error = { DPS_PLUGIN_OK };
  g_autoptr (X509Chain) chain = read_chain (host, &error);

  if (chain == NULL || !check_all (host, chain, &error))
    return x509_error_report (host, &error);
  if (x509_chain_is_lone_leaf (chain))
    log_lone_leaf (host, chain);
  out->kind = DPS_PLUGIN_KIND_X509;
  out->registration_id = g_strdup (x509_chain_get_common_name (chain));
  out->material = make_material (chain);
  out->enrollment = x509_enrollment_text (chain);
  return DPS_PLUGIN_OK;
}

static gboolean
sign (X509Key *key,
      const DpsPluginSignIn *in,
      DpsPluginBytes *signature,
      X509Error *error)
{
  g_autoptr (GBytes) bytes = NULL;

  if (!x509_mechanism_check (key->public, in->mechanism, in->data.size, error))
    return FALSE;
  bytes = key->sign (key, in->mechanism, in->data.data, in->data.size, error);
  if (bytes == NULL)
    return FALSE;
  signature->data = g_bytes_unref_to_data (g_steal_pointer (&bytes), &signature->size);
  return TRUE;
}

/* The service and the hub see the same certificate. */
static DpsPluginResult
x509_sign (const DpsHost *host, const DpsPluginSignIn *in, DpsPluginBytes *signature)
{
  X509Error error = { DPS_PLUGIN_OK };
  g_autoptr (X509Key) key = x509_key_open (host, &error);

  if (key != NULL && sign (key, in, signature, &error))
    return DPS_PLUGIN_OK;
  return x509_error_report (host, &error);
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "x509",
  .probe = x509_probe,
  .describe = x509_describe,
  .sign = x509_sign,
};
