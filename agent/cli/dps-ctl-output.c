/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-output.h"

#include <stdio.h>

static gboolean
is_harmless (gunichar c)
{
  GUnicodeType type = g_unichar_type (c);

  return g_unichar_isprint (c) && type != G_UNICODE_LINE_SEPARATOR &&
         type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

char *
dps_ctl_escape (const char *text)
{
  GString *out = g_string_new (NULL);

  for (const char *p = text; *p != '\0';)
    {
      gunichar c = g_utf8_get_char_validated (p, -1);

      if (c == (gunichar) -1 || c == (gunichar) -2)
        {
          g_string_append_printf (out, "\\x%02x", (guint8) *p++);
          continue;
        }
      if (is_harmless (c))
        g_string_append_unichar (out, c);
      else
        g_string_append_printf (out, "\\u{%x}", c);
      p = g_utf8_next_char (p);
    }
  return g_string_free (out, FALSE);
}

char *
dps_ctl_format_span (guint64 microseconds)
{
  guint64 seconds = microseconds / G_USEC_PER_SEC;

  if (seconds < 120)
    return g_strdup_printf ("%" G_GUINT64_FORMAT " s", seconds);
  if (seconds < 120 * 60)
    return g_strdup_printf ("%" G_GUINT64_FORMAT " min", seconds / 60);
  if (seconds < 48 * 3600)
    return g_strdup_printf ("%" G_GUINT64_FORMAT " h", seconds / 3600);
  return g_strdup_printf ("%" G_GUINT64_FORMAT " d", seconds / 86400);
}

char *
dps_ctl_format_time (guint64 time, guint64 now)
{
  g_autofree char *span = NULL;
  g_autofree char *absolute = NULL;
  g_autoptr (GDateTime) date = NULL;

  if (time == 0)
    return g_strdup ("-");
  span = dps_ctl_format_span (time > now ? time - now : now - time);
  date = g_date_time_new_from_unix_utc ((gint64) (time / G_USEC_PER_SEC));
  /* Beyond the year 9999 there is no date. */
  absolute = date != NULL ? g_date_time_format (date, "%Y-%m-%dT%H:%M:%SZ")
                          : g_strdup_printf ("%" G_GUINT64_FORMAT " us", time);
  return time > now ? g_strdup_printf ("%s (in %s)", absolute, span)
                    : g_strdup_printf ("%s (%s ago)", absolute, span);
}

void
dps_ctl_json_add_string (JsonBuilder *builder, const char *member, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "", -1);

  json_builder_set_member_name (builder, member);
  json_builder_add_string_value (builder, valid);
}

void
dps_ctl_json_add_time (JsonBuilder *builder, const char *member, guint64 time)
{
  json_builder_set_member_name (builder, member);
  json_builder_add_int_value (builder, (gint64) MIN (time, (guint64) G_MAXINT64));
}

void
dps_ctl_json_add_variant (JsonBuilder *builder, const char *member, GVariant *value)
{
  g_autofree char *text = NULL;

  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_BOOLEAN:
      json_builder_set_member_name (builder, member);
      json_builder_add_boolean_value (builder, g_variant_get_boolean (value));
      break;
    case G_VARIANT_CLASS_UINT32:
      dps_ctl_json_add_time (builder, member, g_variant_get_uint32 (value));
      break;
    case G_VARIANT_CLASS_UINT64:
      dps_ctl_json_add_time (builder, member, g_variant_get_uint64 (value));
      break;
    case G_VARIANT_CLASS_STRING:
      dps_ctl_json_add_string (builder, member, g_variant_get_string (value, NULL));
      break;
    default:
      text = g_variant_print (value, FALSE);
      dps_ctl_json_add_string (builder, member, text);
      break;
    }
}

/* The generator leaves what lies beyond ASCII as it is; such characters occur only within
 * strings, where \u is the same. */
static void
append_json_escaped (GString *out, gunichar c)
{
  if (c > 0xffff)
    {
      g_string_append_printf (out, "\\u%04x", 0xd800 + ((c - 0x10000) >> 10));
      c = 0xdc00 + ((c - 0x10000) & 0x3ff);
    }
  g_string_append_printf (out, "\\u%04x", c);
}

void
dps_ctl_print_json (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  g_autofree char *text = json_to_string (root, FALSE);
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (is_harmless (c))
        g_string_append_unichar (out, c);
      else
        append_json_escaped (out, c);
    }
  puts (out->str);
}

void
dps_ctl_print_done (gboolean json, const char *text)
{
  g_autoptr (JsonBuilder) builder = NULL;

  if (!json)
    {
      puts (text);
      return;
    }
  builder = json_builder_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "ok");
  json_builder_add_boolean_value (builder, TRUE);
  json_builder_end_object (builder);
  dps_ctl_print_json (builder);
}
