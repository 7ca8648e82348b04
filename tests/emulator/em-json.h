/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict reading of the emulator's own files: an unknown member or a wrong type is an
 * error that names its place.
 *
 * A getter leaves its out-value alone when the member is absent; WHERE is the place of
 * the object. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

/* Deeper nesting than this is refused before the parser, which recurses, sees it. */
#define EM_JSON_DEPTH_MAX 64

JsonNode *em_json_parse (const char *data, gsize len, GError **error);
JsonObject *em_json_load (const char *path, GError **error);
char *em_json_text (JsonNode *node);
/* The text of a member of somebody else's object; NULL where there is none or it is
 * something else. */
const char *em_json_peek_string (JsonObject *object, const char *member);
gboolean em_json_bad (const char *where,
                      const char *member,
                      const char *why,
                      GError **error);

gboolean em_json_check_members (JsonObject *object,
                                const char *where,
                                const char *const *known,
                                GError **error);
gboolean em_json_get_string (JsonObject *object,
                             const char *where,
                             const char *member,
                             char **out,
                             GError **error);
gboolean em_json_get_int (JsonObject *object,
                          const char *where,
                          const char *member,
                          gint64 min,
                          gint64 max,
                          gint64 *out,
                          GError **error);
gboolean em_json_get_boolean (JsonObject *object,
                              const char *where,
                              const char *member,
                              gboolean *out,
                              GError **error);
/* OUT gets the index in WORDS, a NULL-terminated array. */
gboolean em_json_get_word (JsonObject *object,
                           const char *where,
                           const char *member,
                           const char *const *words,
                           int *out,
                           GError **error);
gboolean em_json_get_object (JsonObject *object,
                             const char *where,
                             const char *member,
                             JsonObject **out,
                             GError **error);

typedef gboolean (*EmJsonItem) (JsonObject *item,
                                const char *where,
                                gpointer data,
                                GError **error);
/* Calls ITEM for each object of the array, which may be absent. */
gboolean em_json_each (JsonObject *object,
                       const char *member,
                       EmJsonItem item,
                       gpointer data,
                       GError **error);
