/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-json.h"

#include <string.h>

const char *
em_json_peek_string (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_string (node)
                                                      : NULL;
}

gboolean
em_json_bad (const char *where, const char *member, const char *why, GError **error)
{
  g_set_error (error,
               G_IO_ERROR,
               G_IO_ERROR_INVALID_DATA,
               "%s%s%s: %s",
               where,
               *where != '\0' ? "." : "",
               member,
               why);
  return FALSE;
}

static gboolean
is_shallow (const char *data, gsize len)
{
  guint depth = 0;
  gboolean in_string = FALSE;

  for (gsize i = 0; i < len; i++)
    {
      if (in_string && data[i] == '\\')
        i++;
      else if (data[i] == '"')
        in_string = !in_string;
      else if (!in_string && (data[i] == '[' || data[i] == '{') &&
               ++depth > EM_JSON_DEPTH_MAX)
        return FALSE;
      else if (!in_string && (data[i] == ']' || data[i] == '}') && depth > 0)
        depth--;
    }

  return TRUE;
}

JsonNode *
em_json_parse (const char *data, gsize len, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  JsonNode *root;

  if (!is_shallow (data, len))
    {
      g_set_error_literal (error,
                           G_IO_ERROR,
                           G_IO_ERROR_INVALID_DATA,
                           "nested too deeply");
      return NULL;
    }
  if (!g_utf8_validate_len (data, len, NULL))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "not UTF-8");
      return NULL;
    }
  if (!json_parser_load_from_data (parser, data, (gssize) len, error))
    return NULL;

  root = json_parser_steal_root (parser);
  if (root == NULL)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "empty");
  return root;
}

JsonObject *
em_json_load (const char *path, GError **error)
{
  g_autofree char *data = NULL;
  g_autoptr (JsonNode) root = NULL;
  gsize len;

  if (!g_file_get_contents (path, &data, &len, error))
    return NULL;

  root = em_json_parse (data, len, error);
  if (root == NULL)
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }
  if (!JSON_NODE_HOLDS_OBJECT (root))
    {
      g_set_error (error,
                   G_IO_ERROR,
                   G_IO_ERROR_INVALID_DATA,
                   "%s: not a JSON object",
                   path);
      return NULL;
    }

  return json_node_dup_object (root);
}

char *
em_json_text (JsonNode *node)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();

  json_generator_set_root (generator, node);
  return json_generator_to_data (generator, NULL);
}

gboolean
em_json_check_members (JsonObject *object,
                       const char *where,
                       const char *const *known,
                       GError **error)
{
  g_autoptr (GList) members = json_object_get_members (object);

  for (GList *l = members; l != NULL; l = l->next)
    if (!g_strv_contains (known, l->data))
      return em_json_bad (where, l->data, "unknown member", error);

  return TRUE;
}

static JsonNode *
get_value (JsonObject *object, const char *member, GType type)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != type)
    return NULL;
  return node;
}

gboolean
em_json_get_string (JsonObject *object,
                    const char *where,
                    const char *member,
                    char **out,
                    GError **error)
{
  JsonNode *node;

  if (!json_object_has_member (object, member))
    return TRUE;

  node = get_value (object, member, G_TYPE_STRING);
  if (node == NULL)
    return em_json_bad (where, member, "not a string", error);

  g_free (*out);
  *out = json_node_dup_string (node);
  return TRUE;
}

gboolean
em_json_get_int (JsonObject *object,
                 const char *where,
                 const char *member,
                 gint64 min,
                 gint64 max,
                 gint64 *out,
                 GError **error)
{
  g_autofree char *why = NULL;
  JsonNode *node;

  if (!json_object_has_member (object, member))
    return TRUE;

  node = get_value (object, member, G_TYPE_INT64);
  if (node == NULL || json_node_get_int (node) < min || json_node_get_int (node) > max)
    {
      why = g_strdup_printf ("not a whole number from %" G_GINT64_FORMAT
                             " to %" G_GINT64_FORMAT,
                             min,
                             max);
      return em_json_bad (where, member, why, error);
    }

  *out = json_node_get_int (node);
  return TRUE;
}

gboolean
em_json_get_boolean (JsonObject *object,
                     const char *where,
                     const char *member,
                     gboolean *out,
                     GError **error)
{
  JsonNode *node;

  if (!json_object_has_member (object, member))
    return TRUE;

  node = get_value (object, member, G_TYPE_BOOLEAN);
  if (node == NULL)
    return em_json_bad (where, member, "not true or false", error);

  *out = json_node_get_boolean (node);
  return TRUE;
}

gboolean
em_json_get_word (JsonObject *object,
                  const char *where,
                  const char *member,
                  const char *const *words,
                  int *out,
                  GError **error)
{
  g_autofree char *word = NULL;
  g_autofree char *list = NULL;
  g_autofree char *why = NULL;

  if (!em_json_get_string (object, where, member, &word, error))
    return FALSE;
  if (word == NULL)
    return TRUE;

  for (int i = 0; words[i] != NULL; i++)
    if (g_str_equal (words[i], word))
      {
        *out = i;
        return TRUE;
      }

  list = g_strjoinv (", ", (char **) words);
  why = g_strdup_printf ("not one of %s", list);
  return em_json_bad (where, member, why, error);
}

gboolean
em_json_get_object (JsonObject *object,
                    const char *where,
                    const char *member,
                    JsonObject **out,
                    GError **error)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return em_json_bad (where, member, "not an object", error);

  *out = json_node_get_object (node);
  return TRUE;
}

gboolean
em_json_each (JsonObject *object,
              const char *member,
              EmJsonItem item,
              gpointer data,
              GError **error)
{
  JsonNode *node = json_object_get_member (object, member);
  JsonArray *array;

  if (node == NULL)
    return TRUE;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return em_json_bad ("", member, "not an array", error);

  array = json_node_get_array (node);
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      g_autofree char *where = g_strdup_printf ("%s[%u]", member, i);
      JsonNode *element = json_array_get_element (array, i);

      if (!JSON_NODE_HOLDS_OBJECT (element))
        {
          g_set_error (error,
                       G_IO_ERROR,
                       G_IO_ERROR_INVALID_DATA,
                       "%s: not an object",
                       where);
          return FALSE;
        }
      if (!item (json_node_get_object (element), where, data, error))
        return FALSE;
    }

  return TRUE;
}
