/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-json.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <math.h>
#include <string.h>

/* What may come next; nothing of it behind the end. */
enum
{
  EXPECT_VALUE = 1,
  EXPECT_NAME = 2,
  EXPECT_COMMA = 4,
  EXPECT_CLOSE = 8,
};

/* One scan position, and per open object the set of its member names. */
typedef struct
{
  const char *data;
  gsize size;
  gsize at;
  guint depth;
  guint expect;
  gboolean is_object[DPS_JSON_MAX_DEPTH];
  GHashTable *names[DPS_JSON_MAX_DEPTH];

  const char *const *path; /* names of the member whose text is kept, or NULL */
  guint matched;           /* how many of them lead to the position */
  gsize kept_from, kept_to;
} Scan;

static gboolean
reject (const Scan *scan, const char *what, GError **error)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "bad JSON at byte %" G_GSIZE_FORMAT ": %s",
               scan->at,
               what);
  return FALSE;
}

static void
skip_space (Scan *scan)
{
  while (scan->at < scan->size && strchr (" \t\r\n", scan->data[scan->at]) != NULL &&
         scan->data[scan->at] != '\0')
    scan->at++;
}

/* The unit of UTF-16 that \uXXXX at the position gives, -1 where it is none. */
static int
peek_unit (const Scan *scan)
{
  int unit = 0;

  if (scan->size - scan->at < 6 || scan->data[scan->at] != '\\' ||
      scan->data[scan->at + 1] != 'u')
    return -1;
  for (gsize i = 2; i < 6; i++)
    {
      int digit = g_ascii_xdigit_value (scan->data[scan->at + i]);

      if (digit < 0)
        return -1;
      unit = unit << 4 | digit;
    }
  return unit;
}

static gboolean
is_low_surrogate (int unit)
{
  return unit >= 0xdc00 && unit <= 0xdfff;
}

static gboolean
is_high_surrogate (int unit)
{
  return unit >= 0xd800 && unit <= 0xdbff;
}

/* An escaped NUL would cut a C string, half a surrogate pair is no character: json-glib
 * takes both. */
static gboolean
scan_escape (Scan *scan, GError **error)
{
  int unit = peek_unit (scan);

  if (unit < 0)
    {
      if (scan->at + 1 >= scan->size || scan->data[scan->at + 1] == '\0' ||
          strchr ("\"\\/bfnrt", scan->data[scan->at + 1]) == NULL)
        return reject (scan, "an escape that JSON does not have", error);
      scan->at += 2;
      return TRUE;
    }
  if (unit == 0 || is_low_surrogate (unit))
    return reject (scan, "a NUL or half a character in a string", error);
  scan->at += 6;
  if (!is_high_surrogate (unit))
    return TRUE;
  if (!is_low_surrogate (peek_unit (scan)))
    return reject (scan, "half a character in a string", error);
  scan->at += 6;
  return TRUE;
}

/* The string that begins at the quote, escapes untouched; leaves at behind its end. */
static gboolean
scan_string (Scan *scan, const char **start, gsize *length, GError **error)
{
  gsize begin = ++scan->at;

  while (scan->at < scan->size && scan->data[scan->at] != '"')
    {
      if ((guint8) scan->data[scan->at] < 0x20)
        return reject (scan, "control character in a string", error);
      if (scan->data[scan->at] != '\\')
        scan->at++;
      else if (!scan_escape (scan, error))
        return FALSE;
    }
  if (scan->at >= scan->size)
    return reject (scan, "string without end", error);
  *start = scan->data + begin;
  *length = scan->at - begin;
  scan->at++;
  return TRUE;
}

/* Undoes \uXXXX of ASCII and the simple escapes, so that two spellings of a name are one.
 */
static char *
plain_name (const char *text, gsize length)
{
  g_autofree char *quoted = g_strdup_printf ("\"%.*s\"", (int) length, text);
  g_autoptr (JsonNode) node = json_from_string (quoted, NULL);

  if (node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
      json_node_get_value_type (node) == G_TYPE_STRING)
    return json_node_dup_string (node);
  return g_strndup (text, length);
}

/* Inside the member whose text is kept. */
static gboolean
is_keeping (const Scan *scan)
{
  return scan->path != NULL && scan->path[scan->matched] == NULL;
}

static void
follow_path (Scan *scan, const char *name)
{
  if (scan->path == NULL || is_keeping (scan) || scan->matched != scan->depth - 1 ||
      strcmp (scan->path[scan->matched], name) != 0)
    return;
  scan->matched++;
  scan->kept_from = scan->at + 1;
}

/* At the comma or bracket behind a member of the innermost object. */
static void
leave_path (Scan *scan)
{
  if (scan->path == NULL || scan->depth == 0 || scan->matched < scan->depth)
    return;
  if (is_keeping (scan))
    scan->kept_to = scan->at;
  scan->matched = scan->depth - 1;
}

/* A member's name and its colon. */
static gboolean
scan_name (Scan *scan, GError **error)
{
  const char *text;
  gsize length;
  char *name;

  if (!scan_string (scan, &text, &length, error))
    return FALSE;
  skip_space (scan);
  if (scan->at >= scan->size || scan->data[scan->at] != ':')
    return reject (scan, "a name without a colon", error);
  name = plain_name (text, length);
  follow_path (scan, name);
  scan->at++;
  scan->expect = EXPECT_VALUE;
  if (!g_hash_table_add (scan->names[scan->depth - 1], name))
    return reject (scan, "a member is given twice", error);
  return TRUE;
}

static void
end_value (Scan *scan)
{
  scan->expect = scan->depth > 0 ? EXPECT_COMMA | EXPECT_CLOSE : 0;
}

static gboolean
open_level (Scan *scan, gboolean object, GError **error)
{
  if (scan->depth == DPS_JSON_MAX_DEPTH)
    return reject (scan, "nested deeper than 8 levels", error);
  scan->is_object[scan->depth] = object;
  scan->names[scan->depth] =
      object ? g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) : NULL;
  scan->depth++;
  scan->expect = EXPECT_CLOSE | (object ? EXPECT_NAME : EXPECT_VALUE);
  return TRUE;
}

static gboolean
close_level (Scan *scan, gboolean object, GError **error)
{
  if (scan->depth == 0 || scan->is_object[scan->depth - 1] != object)
    return reject (scan, "unbalanced brackets", error);
  scan->depth--;
  g_clear_pointer (&scan->names[scan->depth], g_hash_table_unref);
  end_value (scan);
  return TRUE;
}

static gboolean
take_digits (const char **at)
{
  const char *begin = *at;

  while (g_ascii_isdigit (**at))
    (*at)++;
  return *at > begin;
}

/* RFC 8259 §6; without wide only what fits into an integer of 64 bits or a finite double,
 * as json-glib makes another number of anything larger. */
static gboolean
is_number (const char *word, gboolean wide)
{
  const char *at = word + (*word == '-');
  gboolean integer = TRUE;

  if (at[0] == '0' && g_ascii_isdigit (at[1]))
    return FALSE;
  if (!take_digits (&at))
    return FALSE;
  if (*at == '.')
    {
      integer = FALSE;
      at++;
      if (!take_digits (&at))
        return FALSE;
    }
  if (*at == 'e' || *at == 'E')
    {
      integer = FALSE;
      at += strchr ("+-", at[1]) != NULL && at[1] != '\0' ? 2 : 1;
      if (!take_digits (&at))
        return FALSE;
    }
  if (*at != '\0' || wide)
    return *at == '\0';
  return integer ? g_ascii_string_to_signed (word, 10, G_MININT64, G_MAXINT64, NULL, NULL)
                 : isfinite (g_ascii_strtod (word, NULL));
}

/* json-glib reads numbers and names as C and JavaScript have them. */
static gboolean
scan_word (Scan *scan, GError **error)
{
  g_autofree char *word = NULL;
  gsize end = scan->at;

  while (end < scan->size &&
         (g_ascii_isalnum (scan->data[end]) ||
          (scan->data[end] != '\0' && strchr ("+-._", scan->data[end]) != NULL)))
    end++;
  if (end == scan->at)
    return reject (scan, "a character that JSON does not have", error);
  word = g_strndup (scan->data + scan->at, end - scan->at);
  if (strcmp (word, "true") != 0 && strcmp (word, "false") != 0 &&
      strcmp (word, "null") != 0 && !is_number (word, is_keeping (scan)))
    return reject (scan,
                   "neither true, false, null nor a number that fits into 64 bits",
                   error);
  scan->at = end;
  end_value (scan);
  return TRUE;
}

/* A value that is neither object nor array. */
static gboolean
scan_scalar (Scan *scan, GError **error)
{
  const char *text;
  gsize length;

  if (scan->depth == 0)
    return reject (scan, "not an object", error);
  if (scan->data[scan->at] != '"')
    return scan_word (scan, error);
  if (!scan_string (scan, &text, &length, error))
    return FALSE;
  end_value (scan);
  return TRUE;
}

static guint
kind_of (const Scan *scan, char c)
{
  if (c == ',')
    return EXPECT_COMMA;
  if (c == '}' || c == ']')
    return EXPECT_CLOSE;
  return c == '"' && (scan->expect & EXPECT_NAME) != 0 ? EXPECT_NAME : EXPECT_VALUE;
}

static gboolean
scan_token (Scan *scan, GError **error)
{
  char c = scan->data[scan->at];
  guint kind = kind_of (scan, c);

  if (scan->expect == 0)
    return reject (scan, "something follows the end", error);
  if ((scan->expect & kind) == 0)
    return reject (scan, "something out of its place", error);
  if (kind == EXPECT_NAME)
    return scan_name (scan, error);
  if (c == ',' || c == '}')
    leave_path (scan);
  if (kind == EXPECT_VALUE && c != '{' && c != '[')
    return scan_scalar (scan, error);
  scan->at++;
  if (kind == EXPECT_VALUE)
    return open_level (scan, c == '{', error);
  if (kind == EXPECT_CLOSE)
    return close_level (scan, c == '}', error);
  scan->expect = scan->is_object[scan->depth - 1] ? EXPECT_NAME : EXPECT_VALUE;
  return TRUE;
}

static gboolean
scan_all (Scan *scan, GError **error)
{
  scan->expect = EXPECT_VALUE;
  for (skip_space (scan); scan->at < scan->size; skip_space (scan))
    if (!scan_token (scan, error))
      return FALSE;
  if (scan->expect != 0)
    return reject (scan, "ends inside an object or array", error);
  return TRUE;
}

static char *
dup_kept (const Scan *scan)
{
  return scan->kept_to > 0 ? g_strstrip (g_strndup (scan->data + scan->kept_from,
                                                    scan->kept_to - scan->kept_from))
                           : NULL;
}

JsonObject *
dps_json_parse_object_keeping (const char *data,
                               gsize size,
                               const char *const *path,
                               char **text,
                               GError **error)
{
  g_autoptr (JsonParser) parser = NULL;
  g_autoptr (GError) local_error = NULL;
  Scan scan = { .data = data, .size = size, .path = path };
  JsonNode *root;
  gboolean sound;

  if (size > DPS_JSON_MAX_SIZE)
    return reject (&scan, "larger than 64 KiB", error), NULL;
  if (!g_utf8_validate_len (data, size, NULL))
    return reject (&scan, "not UTF-8", error), NULL;
  sound = scan_all (&scan, error);
  for (guint i = 0; i < DPS_JSON_MAX_DEPTH; i++)
    g_clear_pointer (&scan.names[i], g_hash_table_unref);
  if (!sound)
    return NULL;

  parser = json_parser_new_immutable ();
  if (!json_parser_load_from_data (parser, data, (gssize) size, &local_error))
    {
      g_set_error (error,
                   DPS_ERROR,
                   DPS_ERROR_REJECTED,
                   "bad JSON: %s",
                   local_error->message);
      return NULL;
    }
  root = json_parser_get_root (parser);
  if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root))
    return reject (&scan, "not an object", error), NULL;
  if (text != NULL)
    *text = dup_kept (&scan);
  return json_object_ref (json_node_get_object (root));
}

JsonObject *
dps_json_parse_object (const char *data, gsize size, GError **error)
{
  return dps_json_parse_object_keeping (data, size, NULL, NULL, error);
}

static gboolean
wrong_member (const char *member, const char *what, GError **error)
{
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_REJECTED,
               "member '%s' of the answer %s",
               member,
               what);
  return FALSE;
}

/* NULL where the member is absent or null. */
static JsonNode *
present (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node == NULL || JSON_NODE_HOLDS_NULL (node) ? NULL : node;
}

gboolean
dps_json_get_string (JsonObject *object,
                     const char *member,
                     gsize max,
                     const char **value,
                     GError **error)
{
  JsonNode *node = present (object, member);
  const char *text;

  *value = NULL;
  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return wrong_member (member, "is not a string", error);
  text = json_node_get_string (node);
  if (!dps_name_check_text (text, max, member, NULL))
    return wrong_member (member, "is too long or has control characters", error);
  *value = text;
  return TRUE;
}

gboolean
dps_json_get_int (JsonObject *object, const char *member, gint64 *value, GError **error)
{
  JsonNode *node = present (object, member);

  *value = 0;
  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64)
    return wrong_member (member, "is not an integer", error);
  *value = json_node_get_int (node);
  return TRUE;
}

gboolean
dps_json_get_object (JsonObject *object,
                     const char *member,
                     JsonObject **value,
                     GError **error)
{
  JsonNode *node = present (object, member);

  *value = NULL;
  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return wrong_member (member, "is not an object", error);
  *value = json_node_get_object (node);
  return TRUE;
}

char *
dps_json_to_text (JsonNode *node)
{
  return json_to_string (node, FALSE);
}
