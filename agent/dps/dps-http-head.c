/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-head.h"

#include <string.h>

#define VERSION "HTTP/1."
#define STATUS_AT 9 /* "HTTP/1.1 200" */
#define STATUS_END 12

static gboolean
is_status_line (const char *line, gsize size)
{
  if (size <= STATUS_END || memcmp (line, VERSION, strlen (VERSION)) != 0 ||
      !g_ascii_isdigit (line[strlen (VERSION)]) || line[STATUS_AT - 1] != ' ' ||
      line[STATUS_AT] == '0')
    return FALSE;
  for (gsize i = STATUS_AT; i < STATUS_END; i++)
    if (!g_ascii_isdigit (line[i]))
      return FALSE;
  return strchr (" \r\n", line[STATUS_END]) != NULL && line[STATUS_END] != '\0';
}

/* The value of the line where it is a field of this name, the caller's. */
static char *
dup_value (const char *line, gsize size, const char *name)
{
  gsize length = strlen (name);

  if (size <= length || g_ascii_strncasecmp (line, name, length) != 0 ||
      line[length] != ':')
    return NULL;
  return g_strstrip (g_strndup (line + length + 1, size - length - 1));
}

static gboolean
take_length (DpsHttpHead *self, const char *value)
{
  gsize size = strlen (value);

  if (size == 0 || size >= sizeof self->length || strspn (value, "0123456789") != size ||
      (self->length[0] != '\0' && strcmp (self->length, value) != 0))
    return FALSE;
  memcpy (self->length, value, size + 1);
  return TRUE;
}

gboolean
dps_http_head_take (DpsHttpHead *self, const char *line, gsize size)
{
  g_autofree char *length = NULL;
  g_autofree char *coding = NULL;

  if (self->complete) /* a trailer */
    return TRUE;
  if (!self->begun)
    {
      *self = (DpsHttpHead){ .begun = is_status_line (line, size) };
      self->interim = self->begun && line[STATUS_AT] == '1';
      return self->begun;
    }
  if (line[0] == '\r' || line[0] == '\n')
    {
      self->begun = self->complete = !self->interim;
      return TRUE;
    }
  length = dup_value (line, size, "Content-Length");
  coding = dup_value (line, size, "Transfer-Encoding");
  if (length != NULL && !take_length (self, length))
    return FALSE;
  if (coding != NULL && (self->chunked || g_ascii_strcasecmp (coding, "chunked") != 0))
    return FALSE;
  self->chunked = self->chunked || coding != NULL;
  return TRUE;
}
