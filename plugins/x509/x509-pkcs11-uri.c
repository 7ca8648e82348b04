/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-pkcs11-uri.h"

#include <string.h>

#define SCHEME "pkcs11:"
#define URI_MAX 1024
#define VALUE_MAX 255
#define NAME_MAX_SHOWN 32

typedef enum
{
  KIND_TEXT,
  KIND_BYTES,
  KIND_TYPE,
  KIND_NUMBER,
  KIND_PATH,
  KIND_NAME,
} Kind;

/* Where in X509Pkcs11Uri the value goes. */
typedef struct
{
  const char *name;
  gboolean in_query;
  Kind kind;
  gsize offset;
} Attribute;

#define AT(member) G_STRUCT_OFFSET (X509Pkcs11Uri, member)

static const Attribute attributes[] = {
  { "token", FALSE, KIND_TEXT, AT (token) },
  { "manufacturer", FALSE, KIND_TEXT, AT (manufacturer) },
  { "serial", FALSE, KIND_TEXT, AT (serial) },
  { "model", FALSE, KIND_TEXT, AT (model) },
  { "object", FALSE, KIND_TEXT, AT (object) },
  { "id", FALSE, KIND_BYTES, AT (id) },
  { "type", FALSE, KIND_TYPE, 0 },
  { "slot-id", FALSE, KIND_NUMBER, AT (slot_id) },
  { "module-path", TRUE, KIND_PATH, AT (module_path) },
  { "module-name", TRUE, KIND_NAME, AT (module_name) },
};

static gboolean
refuse (X509Error *error, const char *name, const char *what)
{
  return x509_error_set (error,
                         DPS_PLUGIN_INVALID_ARGUMENT,
                         X509_CAUSE_KEY,
                         "the pkcs11: URI of key= in [plugin x509]%s%.*s%s %s",
                         name != NULL ? ": '" : "",
                         NAME_MAX_SHOWN,
                         name != NULL ? name : "",
                         name != NULL ? "'" : "",
                         what);
}

/* RFC 7512, 2.3: what stands for itself; "&" only in the path, "/", "?" and "|" only
 * behind it. */
static gboolean
is_plain (char c, gboolean in_query)
{
  return g_ascii_isalnum (c) ||
         (c != '\0' && (strchr ("-._~:[]@!$'()*+,=", c) != NULL ||
                        strchr (in_query ? "/?|" : "&", c) != NULL));
}

/* NULL where text is no value. */
static GByteArray *
decode (const char *text, gboolean in_query)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();

  for (const char *p = text; *p != '\0'; p++)
    {
      guint8 byte = (guint8) *p;

      if (*p == '%')
        {
          if (!g_ascii_isxdigit (p[1]) || !g_ascii_isxdigit (p[2]))
            return NULL;
          byte =
              (guint8) (g_ascii_xdigit_value (p[1]) << 4 | g_ascii_xdigit_value (p[2]));
          p += 2;
        }
      else if (!is_plain (*p, in_query))
        return NULL;
      g_byte_array_append (out, &byte, 1);
    }
  return out->len >= 1 && out->len <= VALUE_MAX ? g_steal_pointer (&out) : NULL;
}

static gboolean
is_number (const char *text)
{
  return strspn (text, "0123456789") == strlen (text) && strlen (text) <= 10 &&
         (text[0] != '0' || text[1] == '\0');
}

static gboolean
is_path (const char *text)
{
  return text[0] == '/' && strstr (text, "/../") == NULL;
}

static gboolean
is_name (const char *text)
{
  return text[0] != '.' && strlen (text) <= 64 &&
         strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == strlen (text);
}

static gboolean
fits (Kind kind, const char *text)
{
  switch (kind)
    {
    case KIND_TYPE:
      return g_str_equal (text, "private");
    case KIND_NUMBER:
      return is_number (text);
    case KIND_PATH:
      return is_path (text);
    case KIND_NAME:
      return is_name (text);
    default:
      return TRUE;
    }
}

static gboolean
take_value (X509Pkcs11Uri *out, const Attribute *attribute, const char *value)
{
  g_autoptr (GByteArray) bytes = decode (value, attribute->in_query);
  g_autofree char *text = NULL;
  gpointer place = (guint8 *) out + attribute->offset;

  if (bytes == NULL)
    return FALSE;
  if (attribute->kind == KIND_BYTES)
    {
      *(GBytes **) place = g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
      return TRUE;
    }
  text = g_strndup ((const char *) bytes->data, bytes->len);
  if (strlen (text) != bytes->len || !g_utf8_validate (text, -1, NULL) ||
      !fits (attribute->kind, text))
    return FALSE;
  if (attribute->kind != KIND_TYPE)
    *(char **) place = g_steal_pointer (&text);
  return TRUE;
}

static const Attribute *
find (const char *name, gboolean in_query)
{
  for (gsize i = 0; i < G_N_ELEMENTS (attributes); i++)
    if (attributes[i].in_query == in_query && g_str_equal (attributes[i].name, name))
      return &attributes[i];
  return NULL;
}

/* One "NAME=VALUE"; *seen has a bit for each that was there. A value is in no text: it
 * may be a PIN in the wrong place. */
static gboolean
take (X509Pkcs11Uri *out,
      const char *pair,
      gboolean in_query,
      guint *seen,
      X509Error *error)
{
  const char *equals = strchr (pair, '=');
  g_autofree char *name = NULL;
  const Attribute *attribute;
  guint bit;

  if (equals == NULL)
    return refuse (error, NULL, "has an attribute without '='");
  name = g_strndup (pair, (gsize) (equals - pair));
  if (g_str_has_prefix (name, "pin-"))
    return refuse (error,
                   NULL,
                   "has a PIN, or names where one is; remove it, since others read this "
                   "file, put the PIN into a file of its own and set passphrase-file=");
  attribute = find (name, in_query);
  if (attribute == NULL)
    return refuse (error,
                   g_str_is_ascii (name) ? name : "?",
                   in_query ? "is not known behind '?'; module-path= and module-name= are"
                            : "is not known; token=, serial=, manufacturer=, model=, "
                              "slot-id=, object=, id= and type= are");
  bit = 1u << (attribute - attributes);
  if ((*seen & bit) != 0)
    return refuse (error, name, "is there twice");
  *seen |= bit;
  return take_value (out, attribute, equals + 1) ||
         refuse (error, name, "has a value that it can not have");
}

static gboolean
take_all (X509Pkcs11Uri *out, const char *text, gboolean in_query, X509Error *error)
{
  g_auto (GStrv) pairs = g_strsplit (text, in_query ? "&" : ";", -1);
  guint seen = 0;

  for (gsize i = 0; pairs[i] != NULL; i++)
    if (!take (out, pairs[i], in_query, &seen, error))
      return FALSE;
  return TRUE;
}

gboolean
x509_pkcs11_uri_parse (const char *text, X509Pkcs11Uri *out, X509Error *error)
{
  g_autofree char *path = NULL;
  const char *query;

  if (!g_str_has_prefix (text, SCHEME) || strlen (text) > URI_MAX)
    return refuse (error, NULL, "is none, or longer than 1024 bytes");
  path = g_strdup (text + strlen (SCHEME));
  query = strchr (text, '?');
  if (query != NULL)
    *strchr (path, '?') = '\0';
  if (*path == '\0')
    return refuse (error, NULL, "names no key; give it token= and object= or id=");
  if (!take_all (out, path, FALSE, error) ||
      (query != NULL && !take_all (out, query + 1, TRUE, error)))
    return FALSE;
  if (out->module_path != NULL && out->module_name != NULL)
    return refuse (error, NULL, "has module-path= and module-name=; give it one of them");
  return TRUE;
}

void
x509_pkcs11_uri_clear (X509Pkcs11Uri *self)
{
  g_free (self->token);
  g_free (self->manufacturer);
  g_free (self->serial);
  g_free (self->model);
  g_free (self->object);
  g_clear_pointer (&self->id, g_bytes_unref);
  g_free (self->slot_id);
  g_free (self->module_path);
  g_free (self->module_name);
  *self = (X509Pkcs11Uri){ NULL };
}
