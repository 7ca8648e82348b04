/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-activation.h"
#include "tpm-enrollment.h"
#include "tpm-registration-id.h"
#include "tpm-shared-handle.h"
#include "tpm-signing.h"

#include "tpm/dps-tpm-error.h"

#include <string.h>
#include <tss2/tss2_mu.h>

/* Attestation with the TPM's endorsement key (dps-protocol §5). What a verb finds out of
 * the TPM stays for the next verb of the same process; nothing stays in the TPM. */

#define MECHANISM "HMAC-SHA256"
#define NO_DEVICE "there is no TPM: no descriptor was passed; see tcti= in [tpm]"

static TpmKeys keys;

static DpsPluginResult
refuse (const DpsHost *host, DpsPluginResult result, const char *text)
{
  host->set_error (host, text);
  return result;
}

static DpsPluginResult
result_of (const GError *error)
{
  switch ((DpsTpmError) error->code)
    {
    case DPS_TPM_ERROR_OWNER_AUTH:
    case DPS_TPM_ERROR_ENDORSEMENT_AUTH:
    case DPS_TPM_ERROR_SRK_AUTH:
      return DPS_PLUGIN_INVALID_ARGUMENT;
    case DPS_TPM_ERROR_NOT_SUPPORTED:
      return DPS_PLUGIN_NOT_SUPPORTED;
    case DPS_TPM_ERROR_CLEARED:
    case DPS_TPM_ERROR_REPLACED:
    case DPS_TPM_ERROR_OTHER_EK:
    case DPS_TPM_ERROR_OTHER_SRK:
    case DPS_TPM_ERROR_CHALLENGE_MALFORMED:
    case DPS_TPM_ERROR_CHALLENGE_DAMAGED:
      return DPS_PLUGIN_REJECTED;
    case DPS_TPM_ERROR_BUSY:
    case DPS_TPM_ERROR_MEMORY:
      return DPS_PLUGIN_BUSY;
    default:
      return DPS_PLUGIN_FAILED;
    }
}

/* Ends a verb: with OK where error is NULL, else by why not. */
static DpsPluginResult
finish (const DpsHost *host, const GError *error)
{
  if (error == NULL)
    return DPS_PLUGIN_OK;
  if (keys.tpm != NULL)
    tpm_keys_forget (&keys);
  if (DPS_HOST_HAS_SET_CAUSE (host))
    host->set_cause (host, dps_tpm_error_word ((DpsTpmError) error->code));
  return refuse (host, result_of (error), error->message);
}

/* DPS_PLUGIN_OK: keys are open. Settings, secrets and descriptor stay the same as long as
 * the process lives. */
static DpsPluginResult
prepare (const DpsHost *host)
{
  g_autoptr (GError) error = NULL;
  TpmSettings settings;
  const char *wrong = tpm_settings_read (host, &settings);

  if (wrong != NULL)
    {
      g_autofree char *text =
          g_strdup_printf ("%s= in [plugin tpm] has a value that it can not have", wrong);

      return refuse (host, DPS_PLUGIN_INVALID_ARGUMENT, text);
    }
  if (keys.tpm != NULL)
    {
      keys.host = host;
      return DPS_PLUGIN_OK;
    }
  if (host->tpm_fd (host) < 0)
    g_set_error_literal (&error, DPS_TPM_ERROR, DPS_TPM_ERROR_NO_DEVICE, NO_DEVICE);
  else
    tpm_keys_open (&keys, host, &settings, &error);
  return finish (host, error);
}

/* No command: reading the keys would wake a TPM for a list of plugins. */
static DpsPluginResult
tpm_probe (const DpsHost *host, DpsPluginProbeOut *out)
{
  TpmSettings settings;
  const char *wrong = tpm_settings_read (host, &settings);

  out->usable = DPS_PLUGIN_USABLE_NOW;
  if (wrong != NULL)
    {
      out->usable = DPS_PLUGIN_USABLE_NEVER;
      out->reason =
          g_strdup_printf ("%s= in [plugin tpm] has a value that it can not have", wrong);
    }
  else if (host->tpm_fd (host) < 0)
    {
      out->usable = DPS_PLUGIN_USABLE_LATER;
      out->reason = g_strdup (NO_DEVICE);
    }
  return DPS_PLUGIN_OK;
}

/* The whole TPM2B_PUBLIC, size included. */
static gsize
marshal (const TPM2B_PUBLIC *public, guint8 out[sizeof (TPM2B_PUBLIC)])
{
  size_t size = 0;

  if (Tss2_MU_TPM2B_PUBLIC_Marshal (public, out, sizeof (TPM2B_PUBLIC), &size) !=
      TSS2_RC_SUCCESS)
    g_assert_not_reached ();
  return size;
}

static char *
base64_of (const TPM2B_PUBLIC *public)
{
  guint8 bytes[sizeof (TPM2B_PUBLIC)];

  return g_base64_encode (bytes, marshal (public, bytes));
}

static char *
registration_id_of (const TPM2B_PUBLIC *public)
{
  guint8 bytes[sizeof (TPM2B_PUBLIC)];

  return tpm_registration_id (bytes, marshal (public, bytes), keys.settings.hex);
}

static char *
hex_of (const TPM2B_NAME *name)
{
  GString *text = g_string_new (NULL);

  for (UINT16 i = 0; i < name->size; i++)
    g_string_append_printf (text, "%02x", name->name[i]);
  return g_string_free (text, FALSE);
}

static void
add (GStrvBuilder *builder, const char *name, const char *value)
{
  if (value == NULL)
    return;
  g_strv_builder_add (builder, name);
  g_strv_builder_add (builder, value);
}

static void
fill_description (DpsPluginDescribeOut *out, const char *other_registration_id)
{
  g_autoptr (GStrvBuilder) material = g_strv_builder_new ();
  g_autofree char *ek = base64_of (&keys.ek.key.public);
  g_autofree char *srk = base64_of (&keys.srk.key.public);
  g_autofree char *srk_name = hex_of (&keys.srk.key.name);
  TpmEnrollment enrollment = { .endorsement_key = ek,
                               .storage_root_key_name = srk_name,
                               .other_registration_id = other_registration_id };

  add (material, "endorsement-key", ek);
  add (material, "storage-root-key", srk);
  add (material, "storage-root-key-name", srk_name);
  add (material, "other-registration-id", other_registration_id);
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->registration_id = registration_id_of (&keys.ek.key.public);
  out->material = g_strv_builder_end (material);
  enrollment.registration_id = out->registration_id;
  out->enrollment = tpm_enrollment_text (&enrollment);
}

static void
describe (DpsPluginDescribeOut *out, GError **error)
{
  g_autofree char *other_id = NULL;

  if (!tpm_keys_find_ek (&keys, error) || !tpm_keys_find_srk (&keys, error))
    return;
  if (keys.settings.describe_enrollment)
    {
      TPM2B_PUBLIC other;
      TPM2B_NAME name;

      if (!tpm_keys_make_other_ek (&keys, &other, &name, error))
        return;
      if (name.size > 0)
        other_id = registration_id_of (&other);
    }
  fill_description (out, other_id);
}

static DpsPluginResult
tpm_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  g_autoptr (GError) error = NULL;
  DpsPluginResult result = prepare (host);

  if (result != DPS_PLUGIN_OK)
    return result;
  describe (out, &error);
  return finish (host, error);
}

static void
answer (const DpsPluginView *bytes, DpsPluginBytes *blob, GError **error)
{
  TpmChallenge challenge;
  TpmKeyBlob key;

  if (!tpm_challenge_parse (bytes->data, bytes->size, &challenge, error) ||
      !tpm_activate (&keys, &challenge, &key, error))
    return;
  blob->data = tpm_key_blob_write (&key, &blob->size);
}

static DpsPluginResult
tpm_answer (const DpsHost *host, const DpsPluginView *challenge, DpsPluginBytes *blob)
{
  g_autoptr (GError) error = NULL;
  DpsPluginResult result = prepare (host);

  if (result != DPS_PLUGIN_OK)
    return result;
  answer (challenge, blob, &error);
  return finish (host, error);
}

static void
sign (const DpsPluginView *stored,
      const DpsPluginSignIn *in,
      DpsPluginBytes *signature,
      GError **error)
{
  gboolean persist = keys.settings.persist_handle != 0 && in->slot == DPS_PLUGIN_SLOT_HUB;
  guint8 hmac[TPM_SIGNATURE_SIZE];
  TpmKeyBlob key;

  if (!tpm_key_blob_parse (stored->data, stored->size, &key, error) ||
      !tpm_sign (&keys, &key, in->data.data, in->data.size, persist, hmac, error))
    return;
  signature->data = g_memdup2 (hmac, sizeof hmac);
  signature->size = sizeof hmac;
  explicit_bzero (hmac, sizeof hmac);
}

static DpsPluginResult
tpm_sign_verb (const DpsHost *host, const DpsPluginSignIn *in, DpsPluginBytes *signature)
{
  g_autoptr (GError) error = NULL;
  DpsPluginResult result;
  DpsPluginView blob;

  if (strcmp (in->mechanism, MECHANISM) != 0)
    return refuse (host,
                   DPS_PLUGIN_NOT_SUPPORTED,
                   "the service's keys for a TPM sign by " MECHANISM " alone");
  if (!host->get_blob (host, &blob))
    return refuse (host,
                   DPS_PLUGIN_INVALID_ARGUMENT,
                   "there is no key: no challenge of the service was answered");
  result = prepare (host);
  if (result != DPS_PLUGIN_OK)
    return result;
  sign (&blob, in, signature, &error);
  return finish (host, error);
}

/* The stored key is the agent's to remove. The endorsement key stays: it is the TPM's. */
static DpsPluginResult
tpm_forget (const DpsHost *host)
{
  g_autoptr (GError) error = NULL;
  DpsPluginResult result;
  TpmSettings settings;

  if (tpm_settings_read (host, &settings) == NULL && settings.persist_handle == 0)
    return DPS_PLUGIN_OK;
  result = prepare (host);
  if (result != DPS_PLUGIN_OK)
    return result;
  tpm_shared_handle_clear (&keys, &error);
  return finish (host, error);
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "tpm",
  .probe = tpm_probe,
  .describe = tpm_describe,
  .answer = tpm_answer,
  .sign = tpm_sign_verb,
  .forget = tpm_forget,
};
