/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "net/dps-failure-rows.h"

const DpsFailureRow *
dps_failure_row (DpsFailureKind kind)
{
  g_return_val_if_fail (kind < DPS_N_FAILURES, dps_failure_row (DPS_FAILURE_INTERNAL));

  return kind < DPS_FAILURE_FIRST_REMOTE
             ? &dps_failure_host_rows[kind]
             : &dps_failure_service_rows[kind - DPS_FAILURE_FIRST_REMOTE];
}

DpsFailure *
dps_failure_new (DpsFailureKind kind, const char *detail, ...)
{
  DpsFailure *self = g_new0 (DpsFailure, 1);
  va_list args;

  g_atomic_ref_count_init (&self->refs);
  self->kind = kind;
  if (detail != NULL)
    {
      va_start (args, detail);
      self->detail = g_strdup_vprintf (detail, args);
      va_end (args);
    }
  return self;
}

DpsFailure *
dps_failure_new_from_error (DpsFailureKind kind, const GError *error)
{
  return dps_failure_new (kind, "%s", error ? error->message : "");
}

DpsFailure *
dps_failure_ref (DpsFailure *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
dps_failure_unref (DpsFailure *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->detail);
  g_free (self->tracking_id);
  g_free (self);
}

char *
dps_failure_describe (const DpsFailure *self)
{
  GString *text = g_string_new (dps_failure_row (self->kind)->cause);

  if (self->detail != NULL && *self->detail != '\0')
    g_string_append_printf (text, ": %s", self->detail);
  if (self->http_status != 0)
    g_string_append_printf (text, "; HTTP status %u", self->http_status);
  if (self->service_code != 0)
    g_string_append_printf (text, "; service code %u", self->service_code);
  if (self->tracking_id != NULL)
    g_string_append_printf (text, "; tracking id %s", self->tracking_id);
  return g_string_free (text, FALSE);
}

GError *
dps_failure_to_error (const DpsFailure *self, DpsError code)
{
  const DpsFailureRow *row = dps_failure_row (self->kind);
  g_autofree char *text = dps_failure_describe (self);

  return g_error_new (DPS_ERROR, (gint) code, "%s %s; %s", row->code, text, row->remedy);
}

/* A code that stands in a failed registrationState speaks of the service's own dealings.
 */
static DpsFailureKind
diagnose_state (const DpsAnswerFacts *facts)
{
  if (facts->is_disabled)
    return DPS_FAILURE_DISABLED;
  switch (facts->service_code)
    {
    case 400207:
      return DPS_FAILURE_ALLOCATION_FUNCTION;
    case 400208:
      return DPS_FAILURE_NO_HUB;
    case 400209:
    case 401001:
    case 401002:
      return DPS_FAILURE_HUB_REFUSES_SERVICE;
    default:
      return DPS_FAILURE_REGISTRATION_FAILED;
    }
}

DpsFailureKind
dps_failure_diagnose (const DpsAnswerFacts *facts)
{
  if (facts->in_state)
    return diagnose_state (facts);
  if (facts->http_status == 429)
    return DPS_FAILURE_THROTTLED;
  if (facts->http_status >= 500)
    return DPS_FAILURE_SERVICE;
  /* A 401 with a proxy's page still is what a refused network looks like to the operator.
   */
  if (facts->foreign && facts->http_status != 401)
    return DPS_FAILURE_NOT_THE_SERVICE;
  switch (facts->http_status)
    {
    case 401:
      return DPS_FAILURE_UNAUTHORISED;
    case 403:
      return DPS_FAILURE_FORBIDDEN;
    case 404:
      return facts->polling ? DPS_FAILURE_OPERATION_LOST : DPS_FAILURE_NOT_FOUND;
    case 409:
      return DPS_FAILURE_SERVICE;
    default:
      return facts->http_status >= 400 ? DPS_FAILURE_BAD_REQUEST
                                       : DPS_FAILURE_ANSWER_MALFORMED;
    }
}
