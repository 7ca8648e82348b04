/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The request log: one JSON object a line, flushed at once. It may be used from any
 * thread. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

typedef struct _EmLog EmLog;

/* PATH may be "-" for the standard output, or NULL for a log that keeps nothing. MODE is
 * that of a file it makes. */
EmLog *em_log_open (const char *path, int mode, GError **error);
void em_log_free (EmLog *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmLog, em_log_free)

/* A line of the kind EVENT, which carries its time; the caller adds members and hands it
 * to em_log_write. */
JsonObject *em_log_line (const char *event, gint64 time);
void em_log_write (EmLog *self, JsonObject *line);
