/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "config/dps-config-parse.h"
#include "common/dps-error.h"

#include <gio/gio.h>
#include <string.h>

#define NAME_MAX_SHOWN 64
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

typedef struct
{
  const char *file_name;
  GPtrArray *entries;
  GHashTable *seen; /* "group\nkey" → line */
  char *group;      /* NULL before the first one */
  guint line;
} Parser;

static void
entry_free (gpointer data)
{
  DpsConfigEntry *entry = data;

  g_free (entry->group);
  g_free (entry->key);
  g_free (entry->value);
  g_free (entry);
}

static void
parser_clear (Parser *parser)
{
  g_clear_pointer (&parser->entries, g_ptr_array_unref);
  g_clear_pointer (&parser->seen, g_hash_table_unref);
  g_clear_pointer (&parser->group, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parser, parser_clear)

/* Always FALSE. key may be NULL. */
static gboolean
fail (const Parser *parser, const char *key, const char *what, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_append_printf (text, "%s:%u:", parser->file_name, parser->line);
  if (parser->group != NULL)
    g_string_append_printf (text, " [%s]", parser->group);
  if (key != NULL)
    g_string_append_printf (text, " %s", key);
  if (parser->group != NULL || key != NULL)
    g_string_append_c (text, ':');
  g_string_append_printf (text, " %s", what);
  g_set_error_literal (error, DPS_ERROR, DPS_ERROR_INVALID_ARGUMENT, text->str);
  return FALSE;
}

static gboolean
is_blank (char c)
{
  return c == ' ' || c == '\t';
}

static char *
dup_trimmed (const char *text, gsize size)
{
  while (size > 0 && is_blank (*text))
    {
      text++;
      size--;
    }
  while (size > 0 && is_blank (text[size - 1]))
    size--;
  return g_strndup (text, size);
}

/* What stands before the '=', where that looks like a name and can be shown. */
static char *
dup_key (const char *line, gsize size)
{
  const char *equals = memchr (line, '=', size);
  g_autofree char *key = NULL;

  if (equals == NULL)
    return NULL;
  key = dup_trimmed (line, (gsize) (equals - line));
  if (*key == '\0' || strlen (key) > NAME_MAX_SHOWN)
    return NULL;
  for (const char *p = key; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p) || strchr ("[]#;\"'", *p) != NULL)
      return NULL;
  return g_steal_pointer (&key);
}

static gboolean
check_bytes (const Parser *parser,
             const char *key,
             const char *line,
             gsize size,
             GError **error)
{
  if (size > DPS_CONFIG_LINE_MAX)
    return fail (parser, key, "the line is over 4096 bytes; shorten it", error);
  if (size > 0 && line[size - 1] == '\r')
    return fail (parser,
                 key,
                 "the line ends in CR LF; save the file with Unix line ends"
                 " (sed -i 's/\\r$//')",
                 error);
  if (parser->line == 1 && size >= 3 && memcmp (line, BYTE_ORDER_MARK, 3) == 0)
    return fail (parser,
                 NULL,
                 "the file begins with a byte order mark; save it as UTF-8 without one",
                 error);
  if (memchr (line, '\0', size) != NULL)
    return fail (parser, key, "the line has a NUL byte; remove it", error);
  if (!g_utf8_validate (line, (gssize) size, NULL))
    return fail (parser, key, "the line is not UTF-8; save the file as UTF-8", error);
  for (const char *p = line; p < line + size; p = g_utf8_next_char (p))
    if (*p != '\t' && g_unichar_iscntrl (g_utf8_get_char (p)))
      return fail (parser, key, "the line has a control character; remove it", error);
  return TRUE;
}

static void
add_entry (Parser *parser, const char *key, const char *value)
{
  DpsConfigEntry *entry = g_new0 (DpsConfigEntry, 1);

  entry->group = g_strdup (parser->group);
  entry->key = g_strdup (key);
  entry->value = g_strdup (value);
  entry->line = parser->line;
  g_ptr_array_add (parser->entries, entry);
}

static gboolean
parse_group (Parser *parser, const char *text, GError **error)
{
  gsize size = strlen (text);
  g_autofree char *name = NULL;

  g_clear_pointer (&parser->group, g_free);
  if (text[size - 1] != ']')
    return fail (parser,
                 NULL,
                 "the group does not end in ']'; write [group] alone on its line",
                 error);
  name = dup_trimmed (text + 1, size - 2);
  if (*name == '\0' || strlen (name) > NAME_MAX_SHOWN || strpbrk (name, "[]") != NULL)
    return fail (parser,
                 NULL,
                 "the group has no usable name; write [group] alone on its line",
                 error);
  parser->group = g_steal_pointer (&name);
  add_entry (parser, NULL, NULL);
  return TRUE;
}

static gboolean
check_value (const Parser *parser,
             const char *key,
             const char *raw,
             const char *value,
             GError **error)
{
  gsize size = strlen (value);

  for (const char *p = raw; *p != '\0'; p++)
    if (is_blank (p[0]) && p[1] == '#')
      return fail (parser,
                   key,
                   "a comment stands behind the value; put it on a line of its own",
                   error);
  if (size > DPS_CONFIG_VALUE_MAX)
    return fail (parser, key, "the value is over 1024 bytes; shorten it", error);
  if (size > 0 && value[size - 1] == '\\')
    return fail (parser,
                 key,
                 "the value ends in a backslash, and there are no continuation lines;"
                 " write it on one line",
                 error);
  return TRUE;
}

static gboolean
check_once (Parser *parser, const char *key, GError **error)
{
  g_autofree char *name = g_strdup_printf ("%s\n%s", parser->group, key);
  guint first = GPOINTER_TO_UINT (g_hash_table_lookup (parser->seen, name));
  g_autofree char *what = NULL;

  if (first == 0)
    {
      g_hash_table_insert (parser->seen,
                           g_steal_pointer (&name),
                           GUINT_TO_POINTER (parser->line));
      return TRUE;
    }
  what = g_strdup_printf ("the key is given twice in this file, first in line %u; remove"
                          " one of the two",
                          first);
  return fail (parser, key, what, error);
}

static gboolean
parse_key (Parser *parser, const char *key, const char *line, gsize size, GError **error)
{
  const char *equals = memchr (line, '=', size);
  g_autofree char *raw = NULL;
  g_autofree char *value = NULL;

  if (equals == NULL)
    return fail (parser,
                 NULL,
                 "the line is neither a comment nor [group] nor key=value; there are no"
                 " continuation lines",
                 error);
  if (key == NULL)
    return fail (parser,
                 NULL,
                 "there is no usable key before the '='; write key=value",
                 error);
  if (parser->group == NULL)
    return fail (parser,
                 key,
                 "the key stands before any group; put a line like [provisioning] above"
                 " it",
                 error);
  raw = g_strndup (equals + 1, size - (gsize) (equals + 1 - line));
  value = dup_trimmed (raw, strlen (raw));
  if (!check_value (parser, key, raw, value, error) || !check_once (parser, key, error))
    return FALSE;
  add_entry (parser, key, value);
  return TRUE;
}

static gboolean
parse_line (Parser *parser, const char *line, gsize size, GError **error)
{
  g_autofree char *key = dup_key (line, size);
  g_autofree char *text = NULL;

  if (!check_bytes (parser, key, line, size, error))
    return FALSE;
  text = dup_trimmed (line, size);
  if (*text == '\0' || *text == '#' || *text == ';')
    return TRUE;
  if (*text == '[')
    return parse_group (parser, text, error);
  return parse_key (parser, key, line, size, error);
}

GPtrArray *
dps_config_parse (const char *data, gsize size, const char *file_name, GError **error)
{
  g_auto (Parser) parser = { .file_name = file_name };

  if (size > DPS_CONFIG_FILE_MAX)
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_INVALID_ARGUMENT,
                   "%s: the file is over 64 KiB; split it into drop-ins",
                   file_name);
      return NULL;
    }
  parser.entries = g_ptr_array_new_with_free_func (entry_free);
  parser.seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (gsize at = 0; at < size;)
    {
      const char *end = memchr (data + at, '\n', size - at);
      gsize length = end != NULL ? (gsize) (end - (data + at)) : size - at;

      parser.line++;
      if (!parse_line (&parser, data + at, length, error))
        return NULL;
      at += length + 1;
    }
  return g_steal_pointer (&parser.entries);
}
