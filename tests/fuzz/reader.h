/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A second reading of an answer's bytes, which shares no line with the agent and allows
 * what RFC 9112 and RFC 8259 allow and not more. What it cannot read, nobody may believe.
 */
typedef struct
{
  gboolean whole; /* head and body are complete and well formed */
  guint status;
  gboolean foreign; /* the type is given, and it is not JSON */
  GString *body;
} ReaderAnswer;

/* ignore_body: only the head counts. */
ReaderAnswer *reader_read_answer (const char *data, gsize size, gboolean ignore_body);
void reader_answer_free (ReaderAnswer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReaderAnswer, reader_answer_free)

/* The texts that make an assignment; NULL where absent or no string. */
typedef struct
{
  char *status;
  char *inner_status;
  char *hub;
  char *device;
} ReaderNames;

/* FALSE where data is not one JSON object of at most 8 levels and 64 KiB without members
 * given twice. wrapped: hub and device are in registrationState. */
gboolean reader_read_json (const char *data,
                           gsize size,
                           gboolean wrapped,
                           ReaderNames *names);
void reader_names_clear (ReaderNames *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReaderNames, reader_names_clear)

/* Whether hub and device are names of a hub and a device. */
gboolean reader_check_names (const char *hub, const char *device);
