/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-call.h"
#include "bus/dps-options.h"
#include "common/dps-error.h"
#include "common/dps-io.h"
#include "common/dps-log.h"
#include "core/dps-handout.h"

#include <string.h>

#define TOKEN_TTL_DEFAULT 600

/* The options of CreateSasToken, or their defaults; *audience is the caller's. */
static gboolean
read_token_options (DpsCall *call, char **audience, guint32 *ttl, GError **error)
{
  static const DpsOption known[] = { { "audience", "s" }, { "ttl", "u" } };
  g_autoptr (GVariant) options = dps_call_argument (call, 0);

  if (!dps_options_check (options, known, G_N_ELEMENTS (known), error))
    return FALSE;
  *ttl = TOKEN_TTL_DEFAULT;
  g_variant_lookup (options, "ttl", "u", ttl);
  if (!g_variant_lookup (options, "audience", "s", audience))
    *audience = g_strdup ("device");
  return TRUE;
}

static void
on_token (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsCall *call = data;
  GError *error = NULL;
  g_autofree char *audience = NULL;
  guint64 expires;
  guint32 ttl;
  char *token = dps_handout_token_finish (result, &expires, &error);

  if (token == NULL)
    {
      dps_call_fail (call, error);
      return;
    }
  read_token_options (call, &audience, &ttl, NULL);
  dps_message ((TOPIC ("audit"), OBJECT (audience)),
               "handed a SAS token to user %u of %s, valid for %u s",
               call->uid,
               g_dbus_method_invocation_get_sender (call->invocation),
               ttl);
  dps_call_answer (call, g_variant_new ("(st)", token, expires));
  explicit_bzero (token, strlen (token));
  g_free (token);
}

static void
run_create_token (DpsCall *call)
{
  g_autofree char *audience = NULL;
  GError *error = NULL;
  guint32 ttl;

  if (!read_token_options (call, &audience, &ttl, &error))
    dps_call_fail (call, error);
  else
    dps_handout_token_async (call->keeper,
                             call->report,
                             dps_provisioner_get_signer (call->provisioner),
                             audience,
                             ttl,
                             on_token,
                             call);
}

static void
run_get_payload (DpsCall *call)
{
  GError *error = NULL;
  const char *payload = dps_handout_payload (call->keeper, call->report, &error);

  if (payload == NULL)
    dps_call_fail (call, error);
  else
    dps_call_answer (call, g_variant_new ("(s)", payload));
}

static void
run_get_chain (DpsCall *call)
{
  GError *error = NULL;
  const char *chain = dps_handout_chain (call->keeper, call->report, &error);

  if (chain == NULL)
    dps_call_fail (call, error);
  else
    dps_call_answer (call, g_variant_new ("(s)", chain));
}

static void
on_signature (GObject *source, GAsyncResult *result, gpointer data)
{
  DpsCall *call = data;
  GError *error = NULL;
  g_autoptr (GBytes) signature = dps_handout_signature_finish (result, &error);
  g_autoptr (GVariant) argument = NULL;
  const char *mechanism;

  if (signature == NULL)
    {
      dps_call_fail (call, error);
      return;
    }
  argument = dps_call_argument (call, 0);
  mechanism = g_variant_get_string (argument, NULL);
  dps_message ((TOPIC ("audit"), OBJECT (mechanism)),
               "signed by %s for user %u of %s",
               mechanism,
               call->uid,
               g_dbus_method_invocation_get_sender (call->invocation));
  dps_call_answer (call,
                   g_variant_new ("(@ay)",
                                  g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING,
                                                            signature,
                                                            TRUE)));
}

static void
run_sign (DpsCall *call)
{
  g_autoptr (GVariant) mechanism = dps_call_argument (call, 0);
  g_autoptr (GVariant) digest = dps_call_argument (call, 1);
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (digest);
  GError *error = NULL;

  if (!dps_rate_take (call->rate, call->uid, g_get_monotonic_time (), &error))
    dps_call_fail (call, error);
  else
    dps_handout_signature_async (call->keeper,
                                 call->report,
                                 dps_provisioner_get_signer (call->provisioner),
                                 g_variant_get_string (mechanism, NULL),
                                 bytes,
                                 on_signature,
                                 call);
}

static void
run_open_key (DpsCall *call)
{
  GError *error = NULL;
  DpsSecret *key = dps_handout_key (call->keeper, call->report, &error);
  dps_autofd fd = key != NULL ? dps_secret_to_memfd (key, &error) : -1;

  if (fd < 0)
    {
      dps_call_fail (call, error);
      return;
    }
  dps_warning ((TOPIC ("audit"), OBJECT ("private-key")),
               "handed the private key of the certificate to user %u of %s",
               call->uid,
               g_dbus_method_invocation_get_sender (call->invocation));
  dps_call_answer_with_fd (call, g_variant_new ("(h)", 0), fd);
}

const DpsMethod dps_credentials_methods[] = {
  { "handle-create-sas-token", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_STORE, run_create_token },
  { "handle-get-certificate-chain",
    DPS_RIGHT_CREDENTIALS,
    DPS_NEEDS_STORE,
    run_get_chain },
  { "handle-sign", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_STORE, run_sign },
  { "handle-get-payload", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_STORE, run_get_payload },
  { "handle-open-key", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_STORE, run_open_key },
  { NULL },
};
