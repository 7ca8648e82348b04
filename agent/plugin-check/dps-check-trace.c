/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-trace.h"

#include <string.h>

#define SECRET_MAX 1024

/* A row of one character tells nothing. */
static gboolean
is_telling (const char *window, gsize size)
{
  for (gsize i = 1; i < size; i++)
    if (window[i] != window[0])
      return TRUE;
  return FALSE;
}

/* Whether text has any row of size characters of form. */
static gboolean
shares (const char *text, gsize text_size, const char *form, gsize form_size, gsize size)
{
  char window[2 * DPS_CHECK_TRACE_MIN];

  for (gsize i = 0; i + size <= form_size; i++)
    {
      memcpy (window, form + i, size);
      if (memmem (text, text_size, window, size) != NULL && is_telling (window, size))
        return TRUE;
    }
  return FALSE;
}

static gboolean
shares_hex (const char *text, const guint8 *secret, gsize secret_size)
{
  g_autofree char *lower = g_ascii_strdown (text, -1);
  g_autoptr (GString) hex = g_string_new (NULL);

  for (gsize i = 0; i < secret_size; i++)
    g_string_append_printf (hex, "%02x", secret[i]);
  return shares (lower, strlen (lower), hex->str, hex->len, 2 * DPS_CHECK_TRACE_MIN);
}

/* Three bytes are four digits, so a part of the secret looks one of three ways. */
static gboolean
shares_base64 (const char *text, const guint8 *secret, gsize secret_size)
{
  for (gsize shift = 0; shift < MIN (3, secret_size); shift++)
    {
      g_autofree char *form = g_base64_encode (secret + shift, secret_size - shift);
      gsize size = strcspn (form, "=");

      if (shares (text, strlen (text), form, size, DPS_CHECK_TRACE_MIN / 3 * 4))
        return TRUE;
    }
  return FALSE;
}

/* The text without the frames of PEM files, which are in every one. */
static char *
without_frames (const char *text)
{
  g_autoptr (GRegex) frame = g_regex_new ("-----[A-Z0-9 ]+-----", G_REGEX_RAW, 0, NULL);

  return g_regex_replace_literal (frame, text, -1, 0, "", 0, NULL);
}

const char *
dps_check_find_trace (const char *told, const guint8 *secret, gsize secret_size)
{
  gsize size = MIN (secret_size, SECRET_MAX);
  g_autofree char *text = without_frames (told);

  if (shares (text, strlen (text), (const char *) secret, size, DPS_CHECK_TRACE_MIN))
    return "as it is";
  if (shares_hex (text, secret, size))
    return "in hex";
  return shares_base64 (text, secret, size) ? "in base64" : NULL;
}
