/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Structured logging: a topic, an object where there is one, lower case, no full stop.
 *
 *   dps_info ((TOPIC ("store"), OBJECT (name)), "wrote generation %u", n);
 *
 * Under systemd the fields DPS_TOPIC, DPS_OBJECT, MESSAGE and PRIORITY go to the journal;
 * elsewhere one line goes to standard error. Never pass a secret. */
typedef struct
{
  const char *topic;
  const char *object; /* NULL = none */
  const char *code;   /* DPS-E…, NULL = none */
} DpsLogContext;

#define TOPIC(t) .topic = (t)
#define OBJECT(o) .object = (o)
#define CODE(c) .code = (c)

/* Sends everything logged through GLib to the journal or to standard error; debug lines
 * only where debug is set. Call once from main(). */
void dps_log_init (const char *program, gboolean debug);

#define DPS_LOG_MESSAGE_ID_SIZE 33

/* The journal's message id of a failure code "DPS-E301": one 128-bit number for each, in
 * hex. */
void dps_log_message_id (const char *code, char id[DPS_LOG_MESSAGE_ID_SIZE]);

void dps_log_full (GLogLevelFlags level,
                   const DpsLogContext *context,
                   const char *format,
                   ...) G_GNUC_PRINTF (3, 4);

#define DPS_LOG_STRIP(...) __VA_ARGS__
#define dps_log_at(level, context, ...)                                                  \
  dps_log_full (level, &(const DpsLogContext){ DPS_LOG_STRIP context }, __VA_ARGS__)
#define dps_debug(context, ...) dps_log_at (G_LOG_LEVEL_DEBUG, context, __VA_ARGS__)
#define dps_info(context, ...) dps_log_at (G_LOG_LEVEL_INFO, context, __VA_ARGS__)
#define dps_message(context, ...) dps_log_at (G_LOG_LEVEL_MESSAGE, context, __VA_ARGS__)
#define dps_warning(context, ...) dps_log_at (G_LOG_LEVEL_WARNING, context, __VA_ARGS__)
