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

char *
dps_handout_token (DpsKeeper *keeper,
                   DpsReport *report,
                   const char *audience,
                   guint32 ttl_seconds,
                   guint64 *expires,
                   GError **error)
{
  DpsIdentity *identity = need_identity (keeper, report, error);
  guint64 now, expiry;
  char *token;

  if (identity == NULL)
    return NULL;
  now = (guint64) (g_get_real_time () + dps_report_get_clock_offset (report)) /
        G_USEC_PER_SEC;
  token =
      dps_credential_create_token (identity, audience, ttl_seconds, now, &expiry, error);
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
