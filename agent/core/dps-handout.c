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

/* A token in the making, the data of its task. */
typedef struct
{
  DpsKeeper *keeper;
  DpsReport *report;
  DpsSigner *signer;
  DpsIdentity *identity; /* that signs */
  char *audience;
  guint32 ttl;
  guint64 expiry;
} Handout;

static void
handout_free (Handout *handout)
{
  g_object_unref (handout->keeper);
  g_object_unref (handout->report);
  g_object_unref (handout->signer);
  g_clear_pointer (&handout->identity, dps_identity_unref);
  g_free (handout->audience);
  g_free (handout);
}

static void begin (GTask *task);

static void
on_token (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GTask) task = data;
  Handout *handout = g_task_get_task_data (task);
  GError *error = NULL;
  char *token = dps_credential_create_token_finish (result, &handout->expiry, &error);

  /* A signature takes its time. What a reset has ended by then signs for nobody, and
   * where there is another identity, that is what was asked for. */
  if (handout->identity != dps_keeper_get_identity (handout->keeper))
    {
      g_clear_pointer (&token, dps_credential_free_token);
      g_clear_error (&error);
      begin (g_steal_pointer (&task));
    }
  else if (token != NULL)
    g_task_return_pointer (task, token, (GDestroyNotify) dps_credential_free_token);
  else
    g_task_return_error (task, error);
}

/* Takes task. */
static void
begin (GTask *task)
{
  g_autoptr (GTask) owned = task;
  Handout *handout = g_task_get_task_data (task);
  GError *error = NULL;
  DpsIdentity *identity = need_identity (handout->keeper, handout->report, &error);
  gint64 now = g_get_real_time () + dps_report_get_clock_offset (handout->report);

  if (identity == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  dps_identity_ref (identity);
  g_clear_pointer (&handout->identity, dps_identity_unref);
  handout->identity = identity;
  dps_credential_create_token_async (handout->signer,
                                     identity,
                                     handout->audience,
                                     handout->ttl,
                                     (guint64) now / G_USEC_PER_SEC,
                                     NULL,
                                     on_token,
                                     g_steal_pointer (&owned));
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
  GTask *task = g_task_new (NULL, NULL, callback, data);
  Handout *handout = g_new0 (Handout, 1);

  handout->keeper = g_object_ref (keeper);
  handout->report = g_object_ref (report);
  handout->signer = g_object_ref (signer);
  handout->audience = g_strdup (audience);
  handout->ttl = ttl_seconds;
  g_task_set_task_data (task, handout, (GDestroyNotify) handout_free);
  begin (task);
}

char *
dps_handout_token_finish (GAsyncResult *result, guint64 *expires, GError **error)
{
  Handout *handout = g_task_get_task_data (G_TASK (result));
  char *token = g_task_propagate_pointer (G_TASK (result), error);

  if (token != NULL)
    *expires = handout->expiry * G_USEC_PER_SEC;
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
