/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An HTTP answer as a value: made by the routes, bent by the scenario, sent by the
 * server. */
#pragma once

#include <json-glib/json-glib.h>

typedef enum
{
  EM_FRAMING_DEFAULT,
  EM_FRAMING_CHUNKED,
  EM_FRAMING_LENGTH,
  EM_FRAMING_CLOSE,
} EmFraming;

typedef struct
{
  guint status;
  GPtrArray *headers; /* name, value, name, value … */
  char *body;
  gsize body_len;
  EmFraming framing;
  gsize chunk_size;
  guint delay_ms;
  gboolean reset;
  gboolean close;
  const char *sas; /* what the check said of the token */
  const char
      *certificate; /* of the client's certificate; NULL where none was asked for */
  char *fault;
} EmReply;

EmReply *em_reply_new (guint status);
EmReply *em_reply_new_json (guint status, JsonNode *body);
/* The error body of the service, with its code in a header too. */
EmReply *em_reply_new_error (guint status, int code, const char *message);
void em_reply_free (EmReply *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmReply, em_reply_free)

/* Replaces a header of the same name; a NULL value takes it away. */
void em_reply_set_header (EmReply *self, const char *name, const char *value);
const char *em_reply_get_header (EmReply *self, const char *name);
void em_reply_set_body (EmReply *self, const char *body);
/* Makes the body SIZE bytes long, and leaves JSON valid. */
void em_reply_pad_body (EmReply *self, gsize size);

/* The service's form of a time: UTC with seven fractional digits. */
char *em_time_text (gint64 us);
