/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

/* Bounded access to JSON from outside. json-glib takes more than JSON and leaks where it
 * refuses, so before it sees a byte one pass checks all of RFC 8259, size, nesting, and
 * that no object names a member twice; so the parser recurses no deeper than
 * DPS_JSON_MAX_DEPTH. Refused, though JSON, is what would
 * not come out as it went in: an escaped NUL, half of a surrogate pair, an integer beyond
 * 64 bits and a number beyond a double. */

#define DPS_JSON_MAX_DEPTH 8
#define DPS_JSON_MAX_SIZE (64u * 1024u)

/* Parses data as one JSON object. NULL and DPS_ERROR_REJECTED, with the offset of what is
 * wrong, on failure. The object is the caller's. */
JsonObject *dps_json_parse_object (const char *data, gsize size, GError **error);

/* The same, and the text of the value at path, member names from the outside to it: as it
 * came, so that its numbers may be of any size. *text is the caller's, NULL where there
 * is no such member or path is empty, which stands for the whole; text itself may be
 * NULL. The object has wrong values for numbers that do not fit. */
JsonObject *dps_json_parse_object_keeping (const char *data,
                                           gsize size,
                                           const char *const *path,
                                           char **text,
                                           GError **error);

/* Typed members. An absent or null member leaves *value NULL (0) and is TRUE; one of
 * another type, or a string of more than max bytes or with control characters, is
 * DPS_ERROR_REJECTED naming the member. Strings and objects are borrowed from object. */
gboolean dps_json_get_string (JsonObject *object,
                              const char *member,
                              gsize max,
                              const char **value,
                              GError **error);
gboolean dps_json_get_int (JsonObject *object,
                           const char *member,
                           gint64 *value,
                           GError **error);
gboolean dps_json_get_object (JsonObject *object,
                              const char *member,
                              JsonObject **value,
                              GError **error);

/* A node as compact JSON text; the caller's. */
char *dps_json_to_text (JsonNode *node);
