/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* What came from the bus, fit for a terminal: control characters, invisible ones that
 * reorder or hide text, and invalid bytes become \u{…} or \x…. Free with g_free. */
char *dps_ctl_escape (const char *text);

/* A duration in words of one unit: "42 s", "5 min", "3 h", "2 d". */
char *dps_ctl_format_span (guint64 microseconds);

/* A point in time, µs since the epoch, as "2030-01-02T03:04:05Z (in 42 s)"; "-" for 0.
 */
char *dps_ctl_format_time (guint64 time, guint64 now);

/* A member of the object being built. Text that is no UTF-8 is mended. */
void dps_ctl_json_add_string (JsonBuilder *builder, const char *member, const char *text);

/* A number that may exceed what JSON integers of this library hold is capped there. */
void dps_ctl_json_add_time (JsonBuilder *builder, const char *member, guint64 time);

/* A value of a D-Bus dictionary: booleans, integers and strings as such, all else as its
 * GVariant text. */
void dps_ctl_json_add_variant (JsonBuilder *builder, const char *member, GVariant *value);

/* The finished object on one line of standard output, in ASCII where a terminal could
 * mistake the character. */
void dps_ctl_print_json (JsonBuilder *builder);

/* For verbs that only act: text, or {"ok":true}. */
void dps_ctl_print_done (gboolean json, const char *text);
