/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-codec.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* NULL for a broken escape or an escaped NUL: neither can name anything. */
char *
em_percent_decode (const char *text)
{
  GString *out = g_string_sized_new (strlen (text));

  for (const char *p = text; *p != '\0'; p++)
    {
      int high, low;

      if (*p != '%')
        {
          g_string_append_c (out, *p);
          continue;
        }

      high = g_ascii_xdigit_value (p[1]);
      low = high < 0 ? -1 : g_ascii_xdigit_value (p[2]);
      if (low < 0 || (high == 0 && low == 0))
        {
          g_string_free (out, TRUE);
          return NULL;
        }
      g_string_append_c (out, (char) (high * 16 + low));
      p += 2;
    }

  return g_string_free (out, FALSE);
}

static gboolean
is_base64 (const char *text, gsize len)
{
  gsize padding = 0;

  if (len == 0 || len % 4 != 0)
    return FALSE;

  while (padding < 2 && text[len - 1 - padding] == '=')
    padding++;
  for (gsize i = 0; i < len - padding; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '+' && text[i] != '/')
      return FALSE;

  return TRUE;
}

/* Standard alphabet with padding, nothing else; NULL otherwise. g_base64_decode would
 * skip foreign bytes. */
GBytes *
em_base64_decode (const char *text)
{
  guchar *data;
  gsize len;

  if (!is_base64 (text, strlen (text)))
    return NULL;

  data = g_base64_decode (text, &len);
  return g_bytes_new_take (data, len);
}

gboolean
em_hmac_sha256 (GBytes *key, const char *text, gsize len, guint8 out[EM_SHA256_LEN])
{
  gsize key_len;
  const void *key_data = g_bytes_get_data (key, &key_len);
  unsigned int out_len = EM_SHA256_LEN;

  return HMAC (EVP_sha256 (),
               key_data,
               (int) key_len,
               (const unsigned char *) text,
               len,
               out,
               &out_len) != NULL;
}

/* The registration ID is hashed as it is given: its case matters, as in the official
 * tools. */
GBytes *
em_derive_key (GBytes *group_key, const char *registration_id)
{
  guint8 key[EM_SHA256_LEN];

  if (!em_hmac_sha256 (group_key, registration_id, strlen (registration_id), key))
    return NULL;

  return g_bytes_new (key, sizeof key);
}

char *
em_guid (void)
{
  return g_uuid_string_random ();
}
