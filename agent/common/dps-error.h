/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The one error domain of the agent. Each code has exactly one D-Bus name below
 * DPS_ERROR_PREFIX; agent/bus/dps-error-gate.c is where foreign errors become one of
 * these. */
#define DPS_ERROR (dps_error_quark ())
#define DPS_ERROR_PREFIX "org.dpsagent.Error."

typedef enum
{
  DPS_ERROR_FAILED,
  DPS_ERROR_ACCESS_DENIED,
  DPS_ERROR_INVALID_ARGUMENT,
  DPS_ERROR_NOT_CONFIGURED,
  DPS_ERROR_NOT_PROVISIONED,
  DPS_ERROR_NOT_SUPPORTED,
  DPS_ERROR_BUSY,
  DPS_ERROR_REJECTED,
  DPS_ERROR_LIMITS_EXCEEDED,
  DPS_ERROR_TIMED_OUT,
  DPS_N_ERRORS
} DpsError;

GQuark dps_error_quark (void);

/* "org.dpsagent.Error.Failed" and so on; static. */
const char *dps_error_name (DpsError code);

/* The only place that says what may be tried again without an operator: time-outs,
 * a busy resource, and GIO errors of network and memory pressure. */
gboolean dps_error_is_transient (const GError *error);
