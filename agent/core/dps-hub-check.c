/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-hub-check.h"
#include "common/dps-log.h"
#include "core/dps-credential.h"
#include "core/dps-http-setup.h"
#include "core/dps-tls-signer.h"
#include "dps/dps-client.h"

#include <string.h>

#define TOKEN_TTL 600

typedef struct
{
  DpsConfig *config;
  DpsHttpSessions *sessions;
  DpsSigner *signer;
  DpsIdentity *identity;
  DpsSecret *token;    /* for all tries, which take less than it lives; or: */
  DpsTlsIdentity *tls; /* of a certificate */
  gint64 clock_offset;
  DpsProofHistory history;
  DpsHttp *http;               /* made by the first try, in the worker */
  char *detail;                /* of the last answer */
  DpsFailureKind unsigned_why; /* NONE while the credential signs */
} Check;

static void
check_free (Check *check)
{
  g_object_unref (check->config);
  dps_http_sessions_unref (check->sessions);
  g_clear_object (&check->signer);
  dps_identity_unref (check->identity);
  g_clear_pointer (&check->token, dps_secret_unref);
  g_clear_pointer (&check->tls, dps_tls_identity_unref);
  g_clear_pointer (&check->http, dps_http_free);
  g_free (check->detail);
  g_free (check);
}

/* Whoever signs names the row by its code, as the first word (dps_failure_to_error()). */
static DpsFailureKind
kind_of (const GError *error)
{
  for (guint kind = DPS_FAILURE_NONE + 1; kind < DPS_N_FAILURES; kind++)
    if (g_str_has_prefix (error->message, dps_failure_row (kind)->code))
      return kind;
  return DPS_FAILURE_INTERNAL;
}

static void
note_unsigned (Check *check, const GError *error)
{
  g_free (check->detail);
  check->detail = g_strdup (error->message);
  check->unsigned_why = kind_of (error);
}

/* Gives the HTTP status, 0 where no answer came. */
static guint
ask_once (Check *check, GCancellable *cancellable)
{
  g_auto (DpsOutcome) outcome = { 0 };
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&check->detail, g_free);
  if (dps_client_hub_modules (check->http,
                              check->identity->hub,
                              check->identity->device_id,
                              check->token,
                              cancellable,
                              &outcome,
                              &error))
    {
      check->detail =
          g_strdup_printf ("the hub answers with HTTP status %u", outcome.http_status);
      return outcome.http_status;
    }
  if (outcome.failure == DPS_HTTP_FAILURE_CLIENT_KEY)
    note_unsigned (check, error);
  /* The hub may mean it; but who inspects TLS on the way refuses every certificate. */
  else if (outcome.failure == DPS_HTTP_FAILURE_CLIENT_REFUSED)
    check->detail = g_strdup_printf ("%s: by the hub, or by what inspects TLS before it",
                                     error->message);
  else
    check->detail = g_strdup (error->message);
  return 0;
}

static void
ask_in_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  guint status = 0;

  if (check->http == NULL)
    check->http = dps_http_setup (check->config, check->sessions, check->tls, &error);
  if (check->http != NULL)
    status = ask_once (check, cancellable);
  else
    {
      g_free (check->detail);
      check->detail = g_strdup (error->message);
    }
  g_task_return_int (task, status);
}

static void ask (GTask *task);

static void
finish (GTask *task, DpsProofVerdict verdict)
{
  g_task_return_int (task, verdict);
  g_object_unref (task);
}

static gboolean
on_wait_over (gpointer data)
{
  GTask *task = data;

  if (g_cancellable_is_cancelled (g_task_get_cancellable (task)))
    finish (task, DPS_PROOF_INCONCLUSIVE);
  else
    ask (task);
  return G_SOURCE_REMOVE;
}

/* Until wait (µs) is over or the check is cancelled. */
static void
ask_after (GTask *task, gint64 wait)
{
  g_autoptr (GSource) timer = g_timeout_source_new ((guint) (wait / 1000));
  g_autoptr (GSource) cancelled =
      g_cancellable_source_new (g_task_get_cancellable (task));

  g_source_set_dummy_callback (cancelled);
  g_source_add_child_source (timer, cancelled);
  g_source_set_callback (timer, on_wait_over, task, NULL);
  g_source_attach (timer, NULL);
}

/* status: HTTP's, 0 = no answer. */
static void
judge (GTask *task, guint status)
{
  Check *check = g_task_get_task_data (task);
  gint64 wait = 0;
  DpsProofVerdict verdict =
      dps_hub_proof_judge (&check->history, status, g_get_monotonic_time (), &wait);

  dps_debug ((TOPIC ("hub"), OBJECT (check->identity->hub)),
             "try %u: %s",
             check->history.tries,
             check->detail);
  if (g_cancellable_is_cancelled (g_task_get_cancellable (task)))
    verdict = DPS_PROOF_INCONCLUSIVE;
  if (verdict == DPS_PROOF_AGAIN)
    ask_after (task, wait);
  else
    finish (task, verdict);
}

static void
on_asked (GObject *source, GAsyncResult *result, gpointer data)
{
  judge (data, (guint) g_task_propagate_int (G_TASK (result), NULL));
}

static void
ask_in_worker (GTask *task)
{
  g_autoptr (GTask) worker =
      g_task_new (NULL, g_task_get_cancellable (task), on_asked, task);

  g_task_set_check_cancellable (worker, FALSE);
  g_task_set_task_data (worker, g_task_get_task_data (task), NULL);
  g_task_run_in_thread (worker, ask_in_thread);
}

static void
on_token (GObject *source, GAsyncResult *result, gpointer data)
{
  GTask *task = data;
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  guint64 expiry;
  char *token = dps_credential_create_token_finish (result, &expiry, &error);

  if (token == NULL)
    {
      note_unsigned (check, error);
      judge (task, 0);
      return;
    }
  check->token = dps_secret_new (token, strlen (token));
  explicit_bzero (token, strlen (token));
  g_free (token);
  ask_in_worker (task);
}

static void
make_token (GTask *task)
{
  Check *check = g_task_get_task_data (task);
  gint64 now = g_get_real_time () + check->clock_offset;

  dps_credential_create_token_async (check->signer,
                                     check->identity,
                                     "device",
                                     TOKEN_TTL,
                                     (guint64) now / G_USEC_PER_SEC,
                                     g_task_get_cancellable (task),
                                     on_token,
                                     task);
}

/* A certificate goes with the connection, which signs for itself. */
static void
make_tls (GTask *task)
{
  Check *check = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;

  check->tls = dps_tls_signer_new_for_identity (check->signer,
                                                check->identity,
                                                g_task_get_cancellable (task),
                                                &error);
  if (check->tls != NULL)
    {
      ask_in_worker (task);
      return;
    }
  note_unsigned (check, error);
  judge (task, 0);
}

static void
ask (GTask *task)
{
  Check *check = g_task_get_task_data (task);

  if (check->token != NULL || check->tls != NULL)
    ask_in_worker (task);
  else if (check->identity->shape == DPS_SHAPE_CERTIFICATE)
    make_tls (task);
  else
    make_token (task);
}

void
dps_hub_check_async (DpsConfig *config,
                     DpsHttpSessions *sessions,
                     DpsSigner *signer,
                     DpsIdentity *identity,
                     gboolean fresh,
                     gint64 clock_offset,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, data);
  Check *check = g_new0 (Check, 1);

  check->config = g_object_ref (config);
  check->sessions = dps_http_sessions_ref (sessions);
  check->signer = signer ? g_object_ref (signer) : NULL;
  check->identity = dps_identity_ref (identity);
  check->history.fresh = fresh;
  check->clock_offset = clock_offset;
  g_task_set_check_cancellable (task, FALSE);
  g_task_set_task_data (task, check, (GDestroyNotify) check_free);
  ask (task);
}

DpsProofVerdict
dps_hub_check_finish (GAsyncResult *result, char **detail, DpsFailureKind *unsigned_why)
{
  Check *check = g_task_get_task_data (G_TASK (result));

  if (unsigned_why != NULL)
    *unsigned_why = check->unsigned_why;
  *detail = g_strdup (check->detail);
  return (DpsProofVerdict) g_task_propagate_int (G_TASK (result), NULL);
}
