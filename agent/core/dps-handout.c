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

/* A token or a signature in the making, the data of its task. */
typedef struct
{
  DpsKeeper *keeper;
  DpsReport *report;
  DpsSigner *signer;
  DpsIdentity *identity; /* that signs */
  char *audience;        /* of a token, else NULL */
  guint32 ttl;
  guint64 expiry;
  char *mechanism; /* of a signature, else NULL */
  GBytes *digest;
} Handout;

static void
handout_free (Handout *handout)
{
  g_object_unref (handout->keeper);
  g_object_unref (handout->report);
  g_object_unref (handout->signer);
  g_clear_pointer (&handout->identity, dps_identity_unref);
  g_free (handout->audience);
  g_free (handout->mechanism);
  g_clear_pointer (&handout->digest, g_bytes_unref);
  g_free (handout);
}

static GTask *
handout_new (DpsKeeper *keeper,
             DpsReport *report,
             DpsSigner *signer,
             GAsyncReadyCallback callback,
             gpointer data)
{
  GTask *task = g_task_new (NULL, NULL, callback, data);
  Handout *handout = g_new0 (Handout, 1);

  handout->keeper = g_object_ref (keeper);
  handout->report = g_object_ref (report);
  handout->signer = g_object_ref (signer);
  g_task_set_task_data (task, handout, (GDestroyNotify) handout_free);
  return task;
}

static void begin (GTask *task);

/* Takes all but free. */
static void
hand_out (GTask *task, gpointer made, GDestroyNotify free, GError *error)
{
  Handout *handout = g_task_get_task_data (task);

  /* A signature takes its time. What a reset has ended by then signs for nobody, and
   * where there is another identity, that is what was asked for. */
  if (handout->identity != dps_keeper_get_identity (handout->keeper))
    {
      g_clear_pointer (&made, free);
      g_clear_error (&error);
      begin (task);
      return;
    }
  if (made != NULL)
    g_task_return_pointer (task, made, free);
  else
    g_task_return_error (task, error);
  g_object_unref (task);
}

static void
on_token (GObject *source, GAsyncResult *result, gpointer data)
{
  Handout *handout = g_task_get_task_data (data);
  GError *error = NULL;
  char *token = dps_credential_create_token_finish (result, &handout->expiry, &error);

  hand_out (data, token, (GDestroyNotify) dps_credential_free_token, error);
}

static void
on_signature (GObject *source, GAsyncResult *result, gpointer data)
{
  GError *error = NULL;
  GBytes *signature = dps_credential_sign_digest_finish (result, &error);

  hand_out (data, signature, (GDestroyNotify) g_bytes_unref, error);
}

static void
begin_token (Handout *handout, GTask *task)
{
  gint64 now = g_get_real_time () + dps_report_get_clock_offset (handout->report);

  dps_credential_create_token_async (handout->signer,
                                     handout->identity,
                                     handout->audience,
                                     handout->ttl,
                                     (guint64) now / G_USEC_PER_SEC,
                                     NULL,
                                     on_token,
                                     task);
}

/* Takes task. */
static void
begin (GTask *task)
{
  Handout *handout = g_task_get_task_data (task);
  GError *error = NULL;
  DpsIdentity *identity = need_identity (handout->keeper, handout->report, &error);

  if (identity == NULL)
    {
      g_task_return_error (task, error);
      g_object_unref (task);
      return;
    }
  dps_identity_ref (identity);
  g_clear_pointer (&handout->identity, dps_identity_unref);
  handout->identity = identity;
  if (handout->audience != NULL)
    begin_token (handout, task);
  else
    dps_credential_sign_digest_async (handout->signer,
                                      identity,
                                      handout->mechanism,
                                      handout->digest,
                                      NULL,
                                      on_signature,
                                      task);
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
  GTask *task = handout_new (keeper, report, signer, callback, data);
  Handout *handout = g_task_get_task_data (task);

  handout->audience = g_strdup (audience);
  handout->ttl = ttl_seconds;
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

void
dps_handout_signature_async (DpsKeeper *keeper,
                             DpsReport *report,
                             DpsSigner *signer,
                             const char *mechanism,
                             GBytes *digest,
                             GAsyncReadyCallback callback,
                             gpointer data)
{
  GTask *task = handout_new (keeper, report, signer, callback, data);
  Handout *handout = g_task_get_task_data (task);

  handout->mechanism = g_strdup (mechanism);
  handout->digest = g_bytes_ref (digest);
  begin (task);
}

GBytes *
dps_handout_signature_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

const char *
dps_handout_chain (DpsKeeper *keeper, DpsReport *report, GError **error)
{
  DpsIdentity *identity = need_identity (keeper, report, error);

  return identity != NULL ? dps_credential_get_chain (identity, error) : NULL;
}

DpsSecret *
dps_handout_key (DpsKeeper *keeper, DpsReport *report, GError **error)
{
  DpsIdentity *identity = need_identity (keeper, report, error);

  return identity != NULL ? dps_credential_get_key (identity, error) : NULL;
}

const char *
dps_handout_payload (DpsKeeper *keeper, DpsReport *report, GError **error)
{
  DpsIdentity *identity = need_identity (keeper, report, error);

  if (identity == NULL)
    return NULL;
  return identity->payload ? identity->payload : "null";
}
