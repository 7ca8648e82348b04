/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "reader.h"

#include <string.h>

typedef struct
{
  const char *at;
  const char *end;
} Input;

void
reader_answer_free (ReaderAnswer *self)
{
  g_string_free (self->body, TRUE);
  g_free (self);
}

/* The next line without its end, LF alone being one too; the caller's. NULL = no line. */
static char *
take_line (Input *in)
{
  const char *feed = memchr (in->at, '\n', (gsize) (in->end - in->at));
  gsize size;
  char *line;

  if (feed == NULL || memchr (in->at, '\0', (gsize) (feed - in->at)) != NULL)
    return NULL;
  size = (gsize) (feed - in->at);
  line = g_strndup (in->at, size);
  if (size > 0 && line[size - 1] == '\r')
    line[size - 1] = '\0';
  in->at = feed + 1;
  return line;
}

/* The code, 0 where the line is no status line. */
static guint
parse_status_line (const char *line)
{
  static GRegex *pattern = NULL;
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree char *code = NULL;

  if (pattern == NULL)
    pattern = g_regex_new ("\\AHTTP/1\\.[0-9] ([1-9][0-9][0-9])(?: .*)?\\z",
                           G_REGEX_RAW | G_REGEX_DOTALL,
                           0,
                           NULL);
  if (!g_regex_match (pattern, line, 0, &match))
    return 0;
  code = g_match_info_fetch (match, 1);
  return (guint) g_ascii_strtoull (code, NULL, 10);
}

/* Name to values, joined by commas where one is given several times. */
static gboolean
take_headers (Input *in, GHashTable *headers, char **first_type)
{
  char *line;

  while ((line = take_line (in)) != NULL && *line != '\0')
    {
      g_autofree char *owned = line;
      char *colon = strchr (line, ':');
      char *value, *name;
      const char *before;

      if (*line == ' ' || *line == '\t' || colon == NULL)
        continue;
      *colon = '\0';
      name = g_ascii_strdown (line, -1);
      value = g_strstrip (colon + 1);
      if (strcmp (name, "content-type") == 0 && *first_type == NULL)
        *first_type = g_strdup (value);
      before = g_hash_table_lookup (headers, name);
      g_hash_table_replace (headers,
                            name,
                            before != NULL ? g_strconcat (before, ",", value, NULL)
                                           : g_strdup (value));
    }
  g_free (line);
  return line != NULL;
}

static gboolean
is_json_type (const char *type)
{
  gsize n = strlen ("application/json");

  return g_ascii_strncasecmp (type, "application/json", n) == 0 &&
         strchr ("; \t", type[n]) != NULL;
}

/* All the lengths given, which have to be one and the same. */
static gboolean
parse_length (const char *text, gsize *length)
{
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    {
      guint64 number;

      if (!g_ascii_string_to_unsigned (g_strstrip (parts[i]),
                                       10,
                                       0,
                                       1 << 30,
                                       &number,
                                       NULL) ||
          (i > 0 && number != *length))
        return FALSE;
      *length = (gsize) number;
    }
  return parts[0] != NULL;
}

static gboolean
take_chunk (Input *in, GString *body, gboolean *last)
{
  g_autofree char *line = take_line (in);
  gsize digits = 0;
  guint64 size;

  while (line != NULL && g_ascii_isxdigit (line[digits]))
    digits++;
  /* What stands behind the digits moves no byte of the body, extension or not, and the
   * agent's library shows nobody. */
  if (digits == 0)
    return FALSE;
  line[digits] = '\0';
  if (!g_ascii_string_to_unsigned (line, 16, 0, 1 << 30, &size, NULL) ||
      size > (gsize) (in->end - in->at))
    return FALSE;
  *last = size == 0;
  g_string_append_len (body, in->at, (gssize) size);
  in->at += size;
  if (!*last)
    {
      g_autofree char *rest = take_line (in);

      return rest != NULL && *rest == '\0';
    }
  return TRUE;
}

static gboolean
take_chunks (Input *in, GString *body)
{
  gboolean last = FALSE;
  char *line;

  while (!last)
    if (!take_chunk (in, body, &last))
      return FALSE;
  while ((line = take_line (in)) != NULL && *line != '\0')
    g_free (line);
  g_free (line);
  return line != NULL;
}

static gboolean
take_body (Input *in, GHashTable *headers, guint status, GString *body)
{
  const char *coding = g_hash_table_lookup (headers, "transfer-encoding");
  const char *length_text = g_hash_table_lookup (headers, "content-length");
  gsize length;

  if (status == 204 || status == 304)
    return TRUE;
  if (coding != NULL && g_ascii_strcasecmp (coding, "identity") != 0)
    return g_ascii_strcasecmp (coding, "chunked") == 0 && take_chunks (in, body);
  if (length_text == NULL)
    {
      /* Cut off or not: behind the end of a JSON object nothing can be missing. */
      g_string_append_len (body, in->at, in->end - in->at);
      return TRUE;
    }
  if (!parse_length (length_text, &length) || length > (gsize) (in->end - in->at))
    return FALSE;
  g_string_append_len (body, in->at, (gssize) length);
  return TRUE;
}

ReaderAnswer *
reader_read_answer (const char *data, gsize size, gboolean ignore_body)
{
  ReaderAnswer *self = g_new0 (ReaderAnswer, 1);
  g_autoptr (GHashTable) headers =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Input in = { data, data + size };
  g_autofree char *type = NULL;

  self->body = g_string_new (NULL);
  do
    {
      g_autofree char *line = take_line (&in);

      g_clear_pointer (&type, g_free);
      g_hash_table_remove_all (headers);
      self->status = line != NULL ? parse_status_line (line) : 0;
      if (self->status == 0 || self->status == 101 || !take_headers (&in, headers, &type))
        return self;
    }
  while (self->status < 200);
  self->foreign = type != NULL && *type != '\0' && !is_json_type (type);
  self->whole = ignore_body || take_body (&in, headers, self->status, self->body);
  return self;
}
