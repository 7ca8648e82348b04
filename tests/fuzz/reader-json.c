/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "reader.h"

#include <string.h>

#define LEVELS 8
#define SIZE_MAX_READ 65536

/* Path and text of the strings that were found, "registrationState/deviceId". */
typedef struct
{
  const char *at;
  const char *end;
  guint level;
  GHashTable *strings;
} Json;

static gboolean take_value (Json *json, const char *path);

static void
skip_space (Json *json)
{
  while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' ||
                                  *json->at == '\n' || *json->at == '\r'))
    json->at++;
}

static gboolean
take_char (Json *json, char c)
{
  skip_space (json);
  if (json->at == json->end || *json->at != c)
    return FALSE;
  json->at++;
  return TRUE;
}

static gboolean
take_hex (Json *json, gunichar *unit)
{
  *unit = 0;
  for (int i = 0; i < 4; i++, json->at++)
    {
      if (json->at == json->end || !g_ascii_isxdigit (*json->at))
        return FALSE;
      *unit = *unit * 16 + (gunichar) g_ascii_xdigit_value (*json->at);
    }
  return TRUE;
}

static gboolean
take_unicode (Json *json, GString *text)
{
  gunichar high, low;

  if (!take_hex (json, &high) || high == 0 || (high >= 0xdc00 && high <= 0xdfff))
    return FALSE;
  if (high >= 0xd800 && high <= 0xdbff)
    {
      if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u')
        return FALSE;
      json->at += 2;
      if (!take_hex (json, &low) || low < 0xdc00 || low > 0xdfff)
        return FALSE;
      high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
  g_string_append_unichar (text, high);
  return TRUE;
}

static gboolean
take_escape (Json *json, GString *text)
{
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char *found;

  if (json->at == json->end || *json->at == '\0')
    return FALSE;
  if (*json->at == 'u')
    {
      json->at++;
      return take_unicode (json, text);
    }
  found = strchr (letters, *json->at++);
  if (found == NULL)
    return FALSE;
  g_string_append_c (text, meant[found - letters]);
  return TRUE;
}

/* The caller's; NULL where there is none. */
static char *
take_string (Json *json)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (!take_char (json, '"'))
    return NULL;
  while (json->at < json->end && *json->at != '"')
    {
      char c = *json->at++;

      if ((guchar) c < 0x20 || (c == '\\' && !take_escape (json, text)))
        return NULL;
      if (c != '\\')
        g_string_append_c (text, c);
    }
  if (json->at == json->end)
    return NULL;
  json->at++;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
take_member (Json *json, GHashTable *names, const char *path)
{
  char *name = take_string (json);
  g_autofree char *below = NULL;

  if (name == NULL)
    return FALSE;
  below = *path != '\0' ? g_strconcat (path, "/", name, NULL) : g_strdup (name);
  return g_hash_table_add (names, name) && take_char (json, ':') &&
         take_value (json, below);
}

static gboolean
take_members (Json *json, const char *path)
{
  g_autoptr (GHashTable) names =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (take_char (json, '}'))
    return TRUE;
  do
    if (!take_member (json, names, path))
      return FALSE;
  while (take_char (json, ','));
  return take_char (json, '}');
}

static gboolean
take_elements (Json *json)
{
  if (take_char (json, ']'))
    return TRUE;
  do
    if (!take_value (json, "[]"))
      return FALSE;
  while (take_char (json, ','));
  return take_char (json, ']');
}

static gboolean
take_word (Json *json)
{
  static GRegex *pattern = NULL;
  g_autoptr (GMatchInfo) match = NULL;
  int end;

  if (pattern == NULL)
    pattern = g_regex_new ("\\A(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?"
                           "(?:[eE][+-]?[0-9]+)?)(?![A-Za-z0-9.+_-])",
                           G_REGEX_RAW,
                           0,
                           NULL);
  if (!g_regex_match_full (pattern,
                           json->at,
                           json->end - json->at,
                           0,
                           G_REGEX_MATCH_ANCHORED,
                           &match,
                           NULL))
    return FALSE;
  g_match_info_fetch_pos (match, 0, NULL, &end);
  json->at += end;
  return TRUE;
}

static gboolean
take_value (Json *json, const char *path)
{
  gboolean good;

  skip_space (json);
  if (json->at == json->end)
    return FALSE;
  if (*json->at == '"')
    {
      char *text = take_string (json);

      if (text != NULL)
        g_hash_table_replace (json->strings, g_strdup (path), text);
      return text != NULL;
    }
  if (*json->at != '{' && *json->at != '[')
    return take_word (json);
  if (json->level == LEVELS)
    return FALSE;
  json->level++;
  good = *json->at++ == '{' ? take_members (json, path) : take_elements (json);
  json->level--;
  return good;
}

static char *
dup_string (const Json *json, gboolean wrapped, const char *name)
{
  g_autofree char *path =
      wrapped ? g_strconcat ("registrationState/", name, NULL) : g_strdup (name);

  return g_strdup (g_hash_table_lookup (json->strings, path));
}

gboolean
reader_read_json (const char *data, gsize size, gboolean wrapped, ReaderNames *names)
{
  g_autoptr (GHashTable) strings =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Json json = { data, data + size, 0, strings };

  if (size > SIZE_MAX_READ || !g_utf8_validate_len (data, size, NULL))
    return FALSE;
  skip_space (&json);
  if (json.at == json.end || *json.at != '{' || !take_value (&json, ""))
    return FALSE;
  skip_space (&json);
  if (json.at != json.end)
    return FALSE;
  names->status = dup_string (&json, FALSE, "status");
  names->inner_status = dup_string (&json, TRUE, "status");
  names->hub = dup_string (&json, wrapped, "assignedHub");
  names->device = dup_string (&json, wrapped, "deviceId");
  return TRUE;
}

void
reader_names_clear (ReaderNames *self)
{
  g_free (self->status);
  g_free (self->inner_status);
  g_free (self->hub);
  g_free (self->device);
}

gboolean
reader_check_names (const char *hub, const char *device)
{
  static const char hub_form[] =
      "\\A(?!privatelink\\.)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
      "\\.(?:(?:device\\.)?azure-devices\\.net|azure-devices\\.us|azure-devices\\.cn)\\z";
  static const char device_form[] = "\\A[A-Za-z0-9:.+%_#*?!(),=@$'-]{1,128}\\z";

  return g_regex_match_simple (hub_form, hub, G_REGEX_CASELESS, 0) &&
         g_regex_match_simple (device_form, device, 0, 0);
}
