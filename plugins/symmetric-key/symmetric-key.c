/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <string.h>

/* Attestation with a symmetric key: the device key as base64 text, from the file that
 * key-file= names or from an imported key. The agent derives tokens from it itself. */

#define SECRET_NAME "key"

static const char missing[] =
    "there is no key: set key-file= in [plugin symmetric-key] or run dpsctl import-key";

/* Padding and line ends included; far above what 64 bytes need. */
#define TEXT_MAX 256

static gboolean
is_space (guint8 c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static DpsPluginView
strip (DpsPluginView text)
{
  while (text.size > 0 && is_space (text.data[0]))
    {
      text.data++;
      text.size--;
    }
  while (text.size > 0 && is_space (text.data[text.size - 1]))
    text.size--;
  return text;
}

static int
digit (guint8 c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes RFC 4648 §4 with padding and nothing else: no other alphabet, no white space
 * inside, no stray bits in the last digit. NULL, or what is wrong. out holds three bytes
 * for every four of text. */
static const char *
decode (DpsPluginView text, guint8 *out, gsize *size)
{
  gsize n = text.size, used = 0;
  guint32 bits = 0;
  guint have = 0;

  if (n % 4 != 0)
    return "its length is no multiple of four: something is cut off or was added";
  while (n > 0 && text.size - n < 2 && text.data[n - 1] == '=')
    n--;
  for (gsize i = 0; i < n; i++)
    {
      int value = digit (text.data[i]);

      if (value < 0)
        return "it has a character that is not of the standard alphabet (A-Z a-z 0-9 + "
               "/)";
      bits = (bits << 6 | (guint32) value) & 0xffff;
      have += 6;
      if (have >= 8)
        {
          have -= 8;
          out[used++] = (guint8) (bits >> have);
        }
    }
  if ((bits & ((1u << have) - 1)) != 0)
    return "its last character has bits that belong to no byte";
  *size = used;
  return NULL;
}

static DpsPluginResult refuse (const DpsHost *host,
                               DpsPluginResult result,
                               const char *format,
                               ...) G_GNUC_PRINTF (3, 4);

static DpsPluginResult
refuse (const DpsHost *host, DpsPluginResult result, const char *format, ...)
{
  va_list args;
  char *text;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  host->set_error (host, text);
  g_free (text);
  return result;
}

static DpsPluginResult
symmetric_key_probe (const DpsHost *host, DpsPluginProbeOut *out)
{
  DpsPluginView text;

  if (host->get_secret (host, SECRET_NAME, &text) && strip (text).size > 0)
    {
      out->usable = DPS_PLUGIN_USABLE_NOW;
      return DPS_PLUGIN_OK;
    }
  out->usable = DPS_PLUGIN_USABLE_LATER;
  out->reason = g_strdup (missing);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_key (const DpsHost *host, DpsPluginDescribeOut *out, const guint8 *key, gsize size)
{
  if (size < DPS_PLUGIN_KEY_MIN || size > DPS_PLUGIN_KEY_MAX)
    return refuse (host,
                   DPS_PLUGIN_INVALID_ARGUMENT,
                   "the key has %" G_GSIZE_FORMAT " bytes, where a device key has %d to "
                   "%d; copy the primary or secondary key of the enrollment",
                   size,
                   DPS_PLUGIN_KEY_MIN,
                   DPS_PLUGIN_KEY_MAX);
  out->kind = DPS_PLUGIN_KIND_SYMMETRIC_KEY;
  out->key.data = g_memdup2 (key, size);
  out->key.size = size;
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
symmetric_key_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  guint8 key[TEXT_MAX / 4 * 3];
  DpsPluginResult result;
  DpsPluginView text;
  const char *wrong;
  gsize size = 0;

  if (!host->get_secret (host, SECRET_NAME, &text))
    return refuse (host, DPS_PLUGIN_NOT_CONFIGURED, "%s", missing);
  text = strip (text);
  if (text.size == 0)
    return refuse (host, DPS_PLUGIN_NOT_CONFIGURED, "the key is empty; %s", missing);
  if (text.size > TEXT_MAX)
    return refuse (host,
                   DPS_PLUGIN_INVALID_ARGUMENT,
                   "the key is %" G_GSIZE_FORMAT
                   " characters of text, where a device key "
                   "has at most 88; is this another file?",
                   text.size);
  wrong = decode (text, key, &size);
  if (wrong != NULL)
    result = refuse (host,
                     DPS_PLUGIN_INVALID_ARGUMENT,
                     "the key is not base64 (RFC 4648, padded, one line): %s",
                     wrong);
  else
    result = give_key (host, out, key, size);
  explicit_bzero (key, sizeof key);
  return result;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "symmetric-key",
  .probe = symmetric_key_probe,
  .describe = symmetric_key_describe,
};
