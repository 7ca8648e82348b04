/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-reply.h"

#include "em-codec.h"
#include "em-json.h"

#include <string.h>

EmReply *
em_reply_new (guint status)
{
  EmReply *self = g_new0 (EmReply, 1);
  g_autofree char *id = em_guid ();

  self->status = status;
  self->headers = g_ptr_array_new_with_free_func (g_free);
  self->body = g_strdup ("");
  em_reply_set_header (self, "x-ms-request-id", id);
  return self;
}

void
em_reply_free (EmReply *self)
{
  g_ptr_array_unref (self->headers);
  g_free (self->body);
  g_free (self->fault);
  g_free (self);
}

EmReply *
em_reply_new_json (guint status, JsonNode *body)
{
  EmReply *self = em_reply_new (status);
  g_autofree char *text = em_json_text (body);

  em_reply_set_body (self, text);
  em_reply_set_header (self, "Content-Type", "application/json; charset=utf-8");
  return self;
}

char *
em_time_text (gint64 us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (us / G_USEC_PER_SEC);
  g_autofree char *seconds = g_date_time_format (time, "%Y-%m-%dT%H:%M:%S");

  return g_strdup_printf ("%s.%07dZ", seconds, (int) (us % G_USEC_PER_SEC) * 10);
}

EmReply *
em_reply_new_error (guint status, int code, const char *message)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *guid = em_guid ();
  g_autofree char *now = em_time_text (g_get_real_time ());
  g_autofree char *code_text = g_strdup_printf ("%d", code);
  EmReply *self;

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "errorCode");
  json_builder_add_int_value (builder, code);
  json_builder_set_member_name (builder, "trackingId");
  json_builder_add_string_value (builder, guid);
  json_builder_set_member_name (builder, "message");
  json_builder_add_string_value (builder, message);
  json_builder_set_member_name (builder, "timestampUtc");
  json_builder_add_string_value (builder, now);
  json_builder_end_object (builder);

  root = json_builder_get_root (builder);
  self = em_reply_new_json (status, root);
  em_reply_set_header (self, "x-ms-error-code", code_text);
  return self;
}

static guint
find_header (EmReply *self, const char *name)
{
  guint i;

  for (i = 0; i < self->headers->len; i += 2)
    if (g_ascii_strcasecmp (self->headers->pdata[i], name) == 0)
      break;
  return i;
}

void
em_reply_set_header (EmReply *self, const char *name, const char *value)
{
  guint i = find_header (self, name);

  if (i < self->headers->len)
    g_ptr_array_remove_range (self->headers, i, 2);
  if (value == NULL)
    return;
  g_ptr_array_add (self->headers, g_strdup (name));
  g_ptr_array_add (self->headers, g_strdup (value));
}

const char *
em_reply_get_header (EmReply *self, const char *name)
{
  guint i = find_header (self, name);

  return i < self->headers->len ? self->headers->pdata[i + 1] : NULL;
}

void
em_reply_set_body (EmReply *self, const char *body)
{
  g_free (self->body);
  self->body = g_strdup (body);
  self->body_len = strlen (body);
}

/* An object takes a member "padding" as its last; anything else takes blanks, which JSON
 * allows at the end. */
void
em_reply_pad_body (EmReply *self, gsize size)
{
  static const char open[] = ",\"padding\":\"";
  static const char close[] = "\"}";
  gsize overhead = strlen (open) + strlen (close) - 1;
  g_autoptr (GString) body = g_string_new (self->body);
  gboolean object =
      body->len > 2 && body->str[0] == '{' && g_str_has_suffix (body->str, "}");
  gsize fill;

  if (size <= body->len)
    return;

  fill = size - body->len;
  if (object && fill >= overhead)
    {
      g_string_truncate (body, body->len - 1);
      g_string_append (body, open);
    }
  else
    {
      object = FALSE;
      overhead = 0;
    }

  g_string_set_size (body, body->len + fill - overhead);
  memset (body->str + body->len - (fill - overhead), object ? 'x' : ' ', fill - overhead);
  if (object)
    g_string_append (body, close);

  em_reply_set_body (self, body->str);
}
