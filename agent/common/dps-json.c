/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-json.h"
#include "common/dps-error.h"
#include "common/dps-name.h"

#include <string.h>

/* One scan position, and per open object the set of its member names. */
typedef struct
{
  const char *data;
  gsize size;
  gsize at;
  guint depth;
  gboolean rooted; /* the outermost value has begun */
  gboolean is_object[DPS_JSON_MAX_DEPTH];
  GHashTable *names[DPS_JSON_MAX_DEPTH];
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

/* The string that begins at the quote, escapes untouched; leaves at behind its end. */
static gboolean
scan_string (Scan *scan, const char **start, gsize *length, GError **error)
{
  gsize begin = ++scan->at;

  while (scan->at < scan->size && scan->data[scan->at] != '"')
    {
      if ((guint8) scan->data[scan->at] < 0x20)
        return reject (scan, "control character in a string", error);
      scan->at += scan->data[scan->at] == '\\' ? 2 : 1;
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

/* A string followed by a colon inside an object is a member name. */
static gboolean
note_name (Scan *scan, const char *text, gsize length, GError **error)
{
  skip_space (scan);
  if (scan->at >= scan->size || scan->data[scan->at] != ':')
    return TRUE;
  if (scan->depth == 0 || !scan->is_object[scan->depth - 1])
    return reject (scan, "member name outside an object", error);
  if (!g_hash_table_add (scan->names[scan->depth - 1], plain_name (text, length)))
    return reject (scan, "a member is given twice", error);
  return TRUE;
}

static gboolean
open_level (Scan *scan, gboolean object, GError **error)
{
  if (scan->depth == 0 && scan->rooted)
    return reject (scan, "something follows the end", error);
  scan->rooted = TRUE;
  if (scan->depth == DPS_JSON_MAX_DEPTH)
    return reject (scan, "nested deeper than 8 levels", error);
  scan->is_object[scan->depth] = object;
  scan->names[scan->depth] =
      object ? g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) : NULL;
  scan->depth++;
  return TRUE;
}

static gboolean
close_level (Scan *scan, gboolean object, GError **error)
{
  if (scan->depth == 0 || scan->is_object[scan->depth - 1] != object)
    return reject (scan, "unbalanced brackets", error);
  scan->depth--;
  g_clear_pointer (&scan->names[scan->depth], g_hash_table_unref);
  return TRUE;
}

static gboolean
scan_token (Scan *scan, GError **error)
{
  const char *text;
  gsize length;
  char c = scan->data[scan->at];

  if (c == '"')
    return scan_string (scan, &text, &length, error) &&
           note_name (scan, text, length, error);
  scan->at++;
  switch (c)
    {
    case '{':
    case '[':
      return open_level (scan, c == '{', error);
    case '}':
    case ']':
      return close_level (scan, c == '}', error);
    /* json-glib knows strings in single quotes; taking no note of one would hide what
     * stands between two of them from this pass. */
    case '\'':
    case '/':
    case '\0':
      return reject (scan, "a character that JSON does not have", error);
    default:
      return TRUE;
    }
}

static gboolean
scan_all (Scan *scan, GError **error)
{
  for (skip_space (scan); scan->at < scan->size; skip_space (scan))
    if (!scan_token (scan, error))
      return FALSE;
  if (scan->depth != 0)
    return reject (scan, "ends inside an object or array", error);
  return TRUE;
}

JsonObject *
dps_json_parse_object (const char *data, gsize size, GError **error)
{
  g_autoptr (JsonParser) parser = NULL;
  g_autoptr (GError) local_error = NULL;
  Scan scan = { .data = data, .size = size };
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
  return json_object_ref (json_node_get_object (root));
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
