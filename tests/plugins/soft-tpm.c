/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <string.h>

/* The agent's way through a challenge without a TPM: of the same kind, but the challenge
 * is the key, and the blob that key behind the first byte of the secret "life". Where
 * that byte is another one later, the blob is one of a life that a clearing ended. */

#define KEY_MAX 4096
#define SIGNATURE_SIZE 32
#define ENDORSEMENT_KEY "AARla2Vr"
#define STORAGE_ROOT_KEY "AARzcmtz"

static guint8
get_life (const DpsHost *host)
{
  DpsPluginView life;

  return host->get_secret (host, "life", &life) && life.size > 0 ? life.data[0] : '1';
}

/* So that a test can count them. */
static void
note_process (const DpsHost *host)
{
  static gboolean noted;

  if (!noted)
    host->log (host, DPS_PLUGIN_LOG_MESSAGE, "a process begins");
  noted = TRUE;
}

static DpsPluginResult
soft_tpm_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *endorsement_key = host->get_setting (host, "endorsement-key");
  const char *material[] = { "endorsement-key",
                             endorsement_key ? endorsement_key : ENDORSEMENT_KEY,
                             "storage-root-key",
                             STORAGE_ROOT_KEY,
                             NULL };

  note_process (host);
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->material = g_strdupv ((char **) material);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
soft_tpm_answer (const DpsHost *host,
                 const DpsPluginView *challenge,
                 DpsPluginBytes *blob)
{
  if (challenge->size > KEY_MAX)
    {
      host->set_error (host, "the challenge is too long");
      return DPS_PLUGIN_REJECTED;
    }
  blob->size = challenge->size + 1;
  blob->data = g_malloc (blob->size);
  blob->data[0] = get_life (host);
  memcpy (blob->data + 1, challenge->data, challenge->size);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
soft_tpm_sign (const DpsHost *host, const DpsPluginSignIn *in, DpsPluginBytes *signature)
{
  g_autoptr (GHmac) hmac = NULL;
  DpsPluginView blob;
  gsize size = SIGNATURE_SIZE;

  note_process (host);
  if (!host->get_blob (host, &blob) || blob.size < 2 ||
      strcmp (in->mechanism, "HMAC-SHA256") != 0)
    {
      host->set_error (host, "nothing to sign with");
      return DPS_PLUGIN_INVALID_ARGUMENT;
    }
  if (blob.data[0] != get_life (host))
    {
      host->set_error (host, "the key belongs to another life");
      host->set_cause (host, "tpm-cleared");
      return DPS_PLUGIN_REJECTED;
    }
  hmac = g_hmac_new (G_CHECKSUM_SHA256, blob.data + 1, blob.size - 1);
  g_hmac_update (hmac, in->data.data, (gssize) in->data.size);
  signature->data = g_malloc (size);
  g_hmac_get_digest (hmac, signature->data, &size);
  signature->size = size;
  return DPS_PLUGIN_OK;
}

/* Its settings may say why not. */
static DpsPluginResult
soft_tpm_forget (const DpsHost *host)
{
  const char *trouble = host->get_setting (host, "trouble");

  host->log (host, DPS_PLUGIN_LOG_INFO, "forgets");
  if (trouble == NULL)
    return DPS_PLUGIN_OK;
  host->set_cause (host, trouble);
  host->set_error (host, "the handle stays");
  return DPS_PLUGIN_FAILED;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "soft-tpm",
  .describe = soft_tpm_describe,
  .answer = soft_tpm_answer,
  .sign = soft_tpm_sign,
  .forget = soft_tpm_forget,
};
