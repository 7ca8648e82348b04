/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-registration-id.h"

#define DIGEST_SIZE 32

static char *
base32 (const guint8 *data, gsize size)
{
  static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
  GString *text = g_string_sized_new (size * 8 / 5 + 1);
  guint bits = 0, have = 0;

  for (gsize i = 0; i < size; i++)
    {
      bits = (bits << 8 | data[i]) & 0xfff;
      for (have += 8; have >= 5; have -= 5)
        g_string_append_c (text, digits[bits >> (have - 5) & 31]);
    }
  if (have > 0)
    g_string_append_c (text, digits[bits << (5 - have) & 31]);
  return g_string_free (text, FALSE);
}

char *
tpm_registration_id (const guint8 *public, gsize size, gboolean hex)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[DIGEST_SIZE];
  gsize length = sizeof digest;

  g_checksum_update (sum, public, (gssize) size);
  if (hex)
    return g_strdup (g_checksum_get_string (sum));
  g_checksum_get_digest (sum, digest, &length);
  return base32 (digest, length);
}
