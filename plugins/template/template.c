/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <string.h>

/* An example of a plugin for dps-agent, to copy and change; README.md says how to build,
 * check and use it. It gives each machine a key of its own, derived from a seed that the
 * agent reads for it and from a serial number:
 *
 *   registration id = NAME "-" SERIAL
 *   device key      = HMAC-SHA256 (seed, registration id)
 *
 * EXAMPLE: whoever reads the seed can be this machine, and where several machines share a
 * seed, any of them. A plugin in earnest asks a secure element instead. */

#define NAME "template" /* of the file, too */
#define SEED "seed"     /* from seed-file= */
#define SEED_MIN 32
#define SEED_MAX 1024
#define SERIAL "serial"
#define SERIAL_MAX 32
#define KEY_SIZE 32 /* of SHA-256 */

static const char no_seed[] =
    "there is no seed: set seed-file= in [plugin " NAME "] to a file of 32 to 1024 random"
    " bytes";
static const char no_serial[] =
    "there is no serial number: set serial= in [plugin " NAME "]";

/* Says why and returns result, so that a verb can end with it. The text is for an
 * operator: what is wrong and what to do, never a secret nor a part of one. */
static DpsPluginResult
refuse (const DpsHost *host, DpsPluginResult result, const char *text)
{
  host->set_error (host, text);
  return result;
}

static gboolean
is_serial (const char *serial)
{
  gsize size = strlen (serial);

  return size >= 1 && size <= SERIAL_MAX &&
         strspn (serial, G_CSET_a_2_z G_CSET_DIGITS) == size;
}

/* Usable here, with these settings? Nothing is wrong with a machine that is not set up
 * yet: that is no error but an answer. */
static DpsPluginResult
template_probe (const DpsHost *host, DpsPluginProbeOut *out)
{
  DpsPluginView seed;

  out->usable = DPS_PLUGIN_USABLE_LATER;
  if (!host->get_secret (host, SEED, &seed))
    out->reason = g_strdup (no_seed);
  else if (host->get_setting (host, SERIAL) == NULL)
    out->reason = g_strdup (no_serial);
  else
    out->usable = DPS_PLUGIN_USABLE_NOW;
  return DPS_PLUGIN_OK;
}

/* The key, KEY_SIZE bytes, into out. GHmac keeps the system's libraries few in an
 * example, but wipes nothing of what it makes of the seed; the process ends with this
 * call. */
static void
derive (DpsPluginView seed, const char *registration_id, guint8 *out)
{
  GHmac *hmac = g_hmac_new (G_CHECKSUM_SHA256, seed.data, seed.size);
  gsize size = KEY_SIZE;

  g_hmac_update (hmac, (const guchar *) registration_id, -1);
  g_hmac_get_digest (hmac, out, &size);
  g_hmac_unref (hmac);
}

/* Who this machine is: the same answer each time, as long as the settings stay. */
static DpsPluginResult
template_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *serial = host->get_setting (host, SERIAL);
  guint8 key[KEY_SIZE];
  DpsPluginView seed;

  if (!host->get_secret (host, SEED, &seed))
    return refuse (host, DPS_PLUGIN_NOT_CONFIGURED, no_seed);
  if (serial == NULL)
    return refuse (host, DPS_PLUGIN_NOT_CONFIGURED, no_serial);
  if (!is_serial (serial))
    return refuse (host,
                   DPS_PLUGIN_INVALID_ARGUMENT,
                   "serial= has to be 1 to 32 characters of a-z and 0-9; correct it in"
                   " [plugin " NAME "]");
  if (seed.size < SEED_MIN || seed.size > SEED_MAX)
    return refuse (host,
                   DPS_PLUGIN_INVALID_ARGUMENT,
                   "the file that seed-file= names has to have 32 to 1024 bytes; make it"
                   " with head -c 32 /dev/urandom");

  /* What is given away is g_malloc()ed; the host wipes the key's bytes and frees it all.
   */
  out->kind = DPS_PLUGIN_KIND_SYMMETRIC_KEY;
  out->registration_id = g_strconcat (NAME "-", serial, NULL);
  out->enrollment = g_strdup_printf ("individual enrollment, symmetric key\n"
                                     "registration id: %s\n"
                                     "primary key: HMAC-SHA256 (seed, registration id)",
                                     out->registration_id);
  derive (seed, out->registration_id, key);
  out->key.data = g_memdup2 (key, sizeof key);
  out->key.size = sizeof key;
  explicit_bzero (key, sizeof key);
  host->log (host, DPS_PLUGIN_LOG_INFO, "derived the device key from the seed");
  return DPS_PLUGIN_OK;
}

/* answer(), sign() and forget() are for machines whose key never leaves a chip; a verb
 * that is not there is NotSupported. */
DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = NAME,
  .probe = template_probe,
  .describe = template_describe,
};
