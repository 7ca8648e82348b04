/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib-object.h>

#include "core/dps-state.h"
#include "net/dps-failure.h"

/* DpsReport: what the agent tells the world about itself. Its GObject properties bear the
 * names and types of the D-Bus properties of org.dpsagent.Agent1 (in GLib's spelling:
 * "assigned-hub"), so that agent/bus only has to bind them. All times are µs since the
 * epoch. Main thread only. */
#define DPS_TYPE_REPORT (dps_report_get_type ())
G_DECLARE_FINAL_TYPE (DpsReport, dps_report, DPS, REPORT, GObject)

DpsReport *dps_report_new (void);

/* NULL-terminated names of all properties; static. */
const char *const *dps_report_properties (void);

DpsState dps_report_get_state (DpsReport *self);

/* The one place where the state changes: checks the table of moves, logs, sets "state",
 * "since", "reason" and "next-attempt" (0 = none). reason may be NULL. A move that the
 * table does not have is a programming error and is refused. */
void dps_report_move (DpsReport *self,
                      DpsState state,
                      const DpsFailure *reason,
                      guint64 next_attempt);

/* Replaces the reason beside an unchanged state; NULL clears it. */
void dps_report_explain (DpsReport *self, const DpsFailure *reason);

/* Sets what an operator should see to besides the reason, one warning of each kind; NULL
 * withdraws it. Logged when it is new. */
void dps_report_warn (DpsReport *self, DpsFailureKind kind, const DpsFailure *warning);

/* Sets a property by name; a value that did not change announces nothing. */
void dps_report_set_string (DpsReport *self, const char *property, const char *value);
void dps_report_set_boolean (DpsReport *self, const char *property, gboolean value);

/* How far the service's clock is ahead of ours, in µs; 0 = no relevant difference. */
void dps_report_note_clock (DpsReport *self, gint64 offset);

/* The offset as noted, or 0 once the system clock has been set since: what was measured
 * against another clock would date tokens wrongly. */
gint64 dps_report_get_clock_offset (DpsReport *self);
