/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A plugin with one fault, BAD; built once for each (see meson.build). With none it is a
 * good one, so that what dps-plugin-check finds is the fault and nothing else. */

#define NOTHING 0
#define LEAKS 1
#define FREES_BORROWED 2
#define LOGS_SECRET 3
#define TELLS_SECRET 4
#define CRASHES_ON_EMPTY 5
#define IS_UNSTABLE 6
#define IS_NOT_UTF8 7
#define ANSWERS_TOO_MUCH 8
#define HAS_NO_DESCRIBE 9
#define IS_SLOW 10
#define IS_SILENT 11
#define HAS_BAD_ID 12
#define USES_THE_HOSTS 13
#define SHOWS_SECRET 14
#define EXPORTS_MORE 15
#define EXPORTS_RESERVED 16
#define TELLS_IN_PROBE 17
#define FORGETS 18
#define HAS_NOTHING_TO_FORGET 19
#define DESCRIBES_SLOWLY 20
#define TELLS_SECRET_IN_ANSWER 21
#define READS_EMPTY 22
#define READS_BEYOND 23
#define READS_BEYOND_SECRET 24
#define OPENS_SOCKET 25
#define NEEDS_SERIAL 26
#define HAS_BAD_CAUSE 27
/* From here on they sign. */
#define SIGNS 30
#define CRASHES_ON_SIGN 31
#define SIGNS_TOO_MUCH 32
#define SIGNS_SLOWLY 33
#define LOGS_SECRET_IN_SIGN 34

static DpsPluginResult
refuse (const DpsHost *host, DpsPluginResult result, const char *text)
{
  if (BAD != IS_SILENT)
    host->set_error (host, text);
  return result;
}

static void
log_secret (const DpsHost *host, DpsPluginView key)
{
  g_autofree char *text = g_base64_encode (key.data, key.size);
  g_autofree char *line = g_strconcat ("using the key ", text, NULL);

  host->log (host, DPS_PLUGIN_LOG_DEBUG, line);
}

static void
tell_secret (const DpsHost *host, DpsPluginView key)
{
  g_autoptr (GString) text = g_string_new ("no use for the key ");

  for (gsize i = 0; i < MIN (key.size, 16); i++)
    g_string_append_printf (text, "%02X", key.data[i]);
  host->set_error (host, text->str);
}

static DpsPluginResult
bad_probe (const DpsHost *host, DpsPluginProbeOut *out)
{
  DpsPluginView key;
  gboolean has_key = host->get_secret (host, "key", &key);

  if (BAD == IS_SLOW && has_key)
    g_usleep (5 * G_USEC_PER_SEC / 2);
  out->usable = DPS_PLUGIN_USABLE_LATER;
  if (BAD == TELLS_IN_PROBE && has_key)
    out->reason = g_strndup ((const char *) key.data, MIN (key.size, 24));
  else
    out->reason = g_strdup (BAD == IS_NOT_UTF8 ? "caf\xe9" : "it waits for a key");
  return DPS_PLUGIN_OK;
}

/* As a compiler without a sanitizer has it. */
__attribute__ ((no_sanitize ("address", "undefined"))) static guint8
read_at (DpsPluginView view, gsize at)
{
  return ((const volatile guint8 *) view.data)[at];
}

static char *
make_id (void)
{
  if (BAD == IS_UNSTABLE)
    return g_strdup_printf ("device-%" G_GINT64_FORMAT, g_get_monotonic_time ());
  return g_strdup (BAD == HAS_BAD_ID ? "device 1" : "device-1");
}

static DpsPluginResult
bad_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  DpsPluginView key;

  if (!host->get_secret (host, "key", &key))
    {
      if (DPS_HOST_HAS_SET_CAUSE (host))
        host->set_cause (host, BAD == HAS_BAD_CAUSE ? "No Key\n" : "no-key");
      return refuse (host, DPS_PLUGIN_NOT_CONFIGURED, "there is no key: set key-file=");
    }
  if (BAD == DESCRIBES_SLOWLY)
    g_usleep (21 * G_USEC_PER_SEC / 2);
  if (BAD == NEEDS_SERIAL)
    read_at ((DpsPluginView){ (const guint8 *) host->get_setting (host, "serial"), 0 },
             0);
  if (BAD == OPENS_SOCKET)
    {
      int fd = socket (AF_UNIX, SOCK_STREAM, 0);

      if (fd < 0)
        return refuse (host, DPS_PLUGIN_FAILED, "the modem does not answer");
      close (fd);
    }
  if (BAD == READS_BEYOND_SECRET)
    read_at (key, key.size);
  if (BAD == LEAKS)
    memset (g_malloc (100), 1, 100);
  if (BAD == FREES_BORROWED)
    g_free ((char *) host->get_setting (host, "serial"));
  if (BAD == LOGS_SECRET)
    log_secret (host, key);
  if (BAD == TELLS_SECRET)
    {
      tell_secret (host, key);
      return DPS_PLUGIN_INVALID_ARGUMENT;
    }
#if BAD == USES_THE_HOSTS
  g_object_unref (g_file_new_for_path ("/usr"));
#endif
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->registration_id = make_id ();
  if (BAD == SHOWS_SECRET)
    out->enrollment = g_strndup ((const char *) key.data, key.size);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
bad_answer (const DpsHost *host, const DpsPluginView *challenge, DpsPluginBytes *blob)
{
  DpsPluginView key;

  if (BAD == READS_EMPTY)
    read_at (*challenge, 0);
  if (BAD == READS_BEYOND)
    read_at (*challenge, challenge->size);
  if (BAD == CRASHES_ON_EMPTY && challenge->size == 0)
    __builtin_trap ();
  if (BAD == TELLS_SECRET_IN_ANSWER && host->get_secret (host, "key", &key))
    {
      tell_secret (host, key);
      return DPS_PLUGIN_REJECTED;
    }
  if (challenge->size == 0)
    return refuse (host, DPS_PLUGIN_REJECTED, "the challenge is empty");
  blob->size = BAD == ANSWERS_TOO_MUCH ? DPS_PLUGIN_BLOB_MAX + 1 : 8;
  blob->data = g_malloc0 (blob->size);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
bad_forget (const DpsHost *host)
{
  host->log (host, DPS_PLUGIN_LOG_INFO, "forgetting");
  return BAD == FORGETS ? DPS_PLUGIN_OK
                        : refuse (host, DPS_PLUGIN_FAILED, "there is nothing to forget");
}

static DpsPluginResult
bad_sign (const DpsHost *host, const DpsPluginSignIn *in, DpsPluginBytes *signature)
{
  DpsPluginView key;

  if (BAD == CRASHES_ON_SIGN && in->data.size == 0)
    __builtin_trap ();
  if (!host->get_secret (host, "key", &key))
    return refuse (host, DPS_PLUGIN_NOT_CONFIGURED, "there is no key: set key-file=");
  if (BAD == SIGNS_SLOWLY)
    g_usleep (11 * G_USEC_PER_SEC / 2);
  if (BAD == LOGS_SECRET_IN_SIGN)
    log_secret (host, key);
  signature->size = BAD == SIGNS_TOO_MUCH ? DPS_PLUGIN_SIGNATURE_MAX + 1 : 32;
  signature->data = g_malloc0 (signature->size);
  return DPS_PLUGIN_OK;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = NAME,
  .probe = bad_probe,
  .describe = BAD == HAS_NO_DESCRIBE ? NULL : bad_describe,
  .answer = bad_answer,
  .sign = BAD >= SIGNS ? bad_sign : NULL,
  .forget = BAD == FORGETS || BAD == HAS_NOTHING_TO_FORGET ? bad_forget : NULL,
};

#if BAD == EXPORTS_MORE
DPS_PLUGIN_EXPORT int further_export;
#elif BAD == EXPORTS_RESERVED
DPS_PLUGIN_EXPORT int _further_export;
#endif
