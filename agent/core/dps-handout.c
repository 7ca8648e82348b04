/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-handout.h"
#include "common/dps-error.h"
#include "core/dps-credential.h"

static DpsIdentity *
need_identity (DpsKeeper *keeper, DpsReport *report, GError **error)
{
  DpsIdentity *identity = dps_keeper_get_identity (keeper);

  if (identity == NULL && dps_keeper_is_readable (keeper, error))
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_NOT_PROVISIONED,
                 "this host has no identity yet; its state is %s",
                 dps_state_name (dps_report_get_state (report)));
  return identity;
}

void
dps_handout_token_async (DpsKeeper *keeper,
                         DpsReport *report,
                         DpsSigner *signer,
                         const char *audience,
                         guint32 ttl_seconds,
                         GAsyncReadyCallback callback,
                         gpointer data)
{
  GError *error = NULL;
  DpsIdentity *identity = need_identity (keeper, report, &error);
  gint64 now = g_get_real_time () + dps_report_get_clock_offset (report);

  if (identity == NULL)
    g_task_report_error (NULL, callback, data, dps_handout_token_async, error);
  else
    dps_credential_create_token_async (signer,
                                       identity,
                                       audience,
                                       ttl_seconds,
                                       (guint64) now / G_USEC_PER_SEC,
                                       NULL,
                                       callback,
                                       data);
}

char *
dps_handout_token_finish (GAsyncResult *result, guint64 *expires, GError **error)
{
  guint64 expiry;
  char *token;

  if (g_async_result_is_tagged (result, dps_handout_token_async))
    return g_task_propagate_pointer (G_TASK (result), error);
  token = dps_credential_create_token_finish (result, &expiry, error);
  if (token != NULL)
    *expires = expiry * G_USEC_PER_SEC;
  return token;
}

const char *
dps_handout_payload (DpsKeeper *keeper, DpsReport *report, GError **error)
{
  DpsIdentity *identity = need_identity (keeper, report, error);

  if (identity == NULL)
    return NULL;
  return identity->payload ? identity->payload : "null";
}
