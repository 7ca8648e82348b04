/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "bus/dps-call.h"
#include "bus/dps-options.h"
#include "common/dps-error.h"
#include "common/dps-log.h"
#include "core/dps-handout.h"

#include <string.h>

#define TOKEN_TTL_DEFAULT 600

static void
run_not_supported (DpsCall *call)
{
  dps_call_fail (call,
                 g_error_new (DPS_ERROR,
                              DPS_ERROR_NOT_SUPPORTED,
                              "this version of dps-agent does not do %s yet",
                              g_dbus_method_invocation_get_method_name (
                                  call->invocation)));
}

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

const DpsMethod dps_credentials_methods[] = {
  { "handle-create-sas-token", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_STORE, run_create_token },
  { "handle-get-certificate-chain",
    DPS_RIGHT_CREDENTIALS,
    DPS_NEEDS_NOTHING,
    run_not_supported },
  { "handle-sign", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_NOTHING, run_not_supported },
  { "handle-get-payload", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_STORE, run_get_payload },
  { "handle-open-key", DPS_RIGHT_CREDENTIALS, DPS_NEEDS_NOTHING, run_not_supported },
  { NULL },
};
