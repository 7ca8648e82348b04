/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dps-plugin.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A plugin that misbehaves as its setting "behave" says. */

static void
write_garbage (void)
{
  static const char garbage[] = "GARBAGE\n\033[31mGARBAGE\n";

  for (int fd = 0; fd < 64; fd++)
    for (int i = 0; i < 4; i++)
      if (write (fd, garbage, sizeof garbage) < 0)
        break;
}

static void
flood (void)
{
  for (int i = 0; i < 100000; i++)
    fputs ("a line of no interest\n", stderr);
}

static DpsPluginResult
give_huge_key (DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_SYMMETRIC_KEY;
  out->key.data = g_malloc (16);
  out->key.size = G_GUINT64_CONSTANT (2) << 30;
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_long_id (DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->registration_id = g_strnfill (1024 * 1024, 'a');
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
give_much_material (DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_TPM;
  out->material = g_new0 (char *, 101);
  for (int i = 0; i < 100; i++)
    out->material[i] = g_strdup_printf ("m%d", i);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
speak_to_tpm (const DpsHost *host, DpsPluginDescribeOut *out)
{
  out->kind = DPS_PLUGIN_KIND_TPM;
  return write (host->tpm_fd (host), "ping", 4) == 4 ? DPS_PLUGIN_OK : DPS_PLUGIN_FAILED;
}

/* Which process this is, and how many verbs it has served. */
static char *
say_who (void)
{
  static guint served;

  return g_strdup_printf ("p%d-%u", getpid (), ++served);
}

/* "CAUSE fails"; "CAUSE works"; "CAUSE is-taken-back". */
static DpsPluginResult
name_cause (const DpsHost *host, const char *behave)
{
  const char *end = strrchr (behave, ' ');
  g_autofree char *cause = g_strndup (behave, (gsize) (end - behave));

  if (!DPS_HOST_HAS_SET_CAUSE (host))
    return DPS_PLUGIN_NOT_SUPPORTED;
  host->set_cause (host, cause);
  if (g_str_equal (end, " is-taken-back"))
    host->set_cause (host, NULL);
  if (g_str_equal (end, " works"))
    return DPS_PLUGIN_OK;
  host->set_error (host, "[text] of its own");
  return DPS_PLUGIN_BUSY;
}

static DpsPluginResult
hostile_describe (const DpsHost *host, DpsPluginDescribeOut *out)
{
  const char *behave = host->get_setting (host, "behave");

  out->kind = DPS_PLUGIN_KIND_TPM;
  if (g_str_equal (behave, "who"))
    {
      const char *argument = host->get_setting (host, "argument");

      out->registration_id = say_who ();
      if (argument == NULL || g_str_has_suffix (out->registration_id, "-1"))
        return DPS_PLUGIN_OK;
      /* The second time. */
      behave = argument;
    }
  if (g_str_equal (behave, "crash"))
    raise (SIGSEGV);
  else if (g_str_equal (behave, "abort"))
    abort ();
  else if (g_str_equal (behave, "exit"))
    exit (7);
  else if (g_str_equal (behave, "hang"))
    for (;;)
      pause ();
  else if (g_str_equal (behave, "spin"))
    for (volatile int i = 0;; i++)
      ;
  else if (g_str_equal (behave, "stop"))
    raise (SIGSTOP);
  else if (g_str_equal (behave, "garbage"))
    write_garbage ();
  else if (g_str_equal (behave, "flood"))
    flood ();
  else if (g_str_equal (behave, "huge-key"))
    return give_huge_key (out);
  else if (g_str_equal (behave, "long-id"))
    return give_long_id (out);
  else if (g_str_equal (behave, "much-material"))
    return give_much_material (out);
  else if (g_str_equal (behave, "bad-kind"))
    out->kind = (DpsPluginKind) 77;
  else if (g_str_equal (behave, "bad-id"))
    out->registration_id = g_strdup ("not an id");
  else if (g_str_equal (behave, "bad-result"))
    return (DpsPluginResult) 99;
  else if (g_str_equal (behave, "no-key"))
    out->kind = DPS_PLUGIN_KIND_SYMMETRIC_KEY;
  else if (g_str_equal (behave, "tpm"))
    return speak_to_tpm (host, out);
  else if (g_str_has_prefix (behave, "cause "))
    return name_cause (host, behave + strlen ("cause "));
  else if (g_str_equal (behave, "bad-text"))
    {
      host->set_error (host, "first\nsecond \033[31m\xff");
      return DPS_PLUGIN_BUSY;
    }
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
hostile_probe (const DpsHost *host, DpsPluginProbeOut *out)
{
  out->usable = DPS_PLUGIN_USABLE_NEVER;
  out->reason = g_strdup ("hostile");
  return DPS_PLUGIN_OK;
}

/* The challenge backwards. */
static DpsPluginResult
hostile_answer (const DpsHost *host, const DpsPluginView *challenge, DpsPluginBytes *blob)
{
  if (host->get_setting (host, "behave") != NULL)
    {
      blob->data = g_malloc (1);
      blob->size = DPS_PLUGIN_BLOB_MAX + 1;
      return DPS_PLUGIN_OK;
    }
  blob->size = challenge->size;
  blob->data = g_malloc (blob->size);
  for (gsize i = 0; i < challenge->size; i++)
    blob->data[i] = challenge->data[challenge->size - 1 - i];
  return DPS_PLUGIN_OK;
}

/* "slot mechanism blob data" */
static DpsPluginResult
hostile_sign (const DpsHost *host, const DpsPluginSignIn *in, DpsPluginBytes *signature)
{
  const char *behave = host->get_setting (host, "behave");
  DpsPluginView blob;

  host->get_blob (host, &blob);
  if (behave != NULL && g_str_equal (behave, "slow"))
    g_usleep (6 * G_USEC_PER_SEC);
  if (behave != NULL && g_str_equal (behave, "who"))
    {
      signature->data = (guint8 *) say_who ();
      signature->size = strlen ((const char *) signature->data);
      return DPS_PLUGIN_OK;
    }
  signature->data =
      (guint8 *) g_strdup_printf ("%s %s %.*s %.*s",
                                  in->slot == DPS_PLUGIN_SLOT_HUB ? "hub" : "service",
                                  in->mechanism,
                                  (int) blob.size,
                                  (const char *) blob.data,
                                  (int) in->data.size,
                                  (const char *) in->data.data);
  signature->size = strlen ((const char *) signature->data);
  return DPS_PLUGIN_OK;
}

static DpsPluginResult
hostile_forget (const DpsHost *host)
{
  if (host->get_setting (host, "behave") == NULL)
    return DPS_PLUGIN_OK;
  host->set_error (host, "the handle is in use");
  return DPS_PLUGIN_BUSY;
}

DPS_PLUGIN_EXPORT const DpsPluginInfo dps_plugin_info = {
  .abi = DPS_PLUGIN_ABI,
  .size = sizeof (DpsPluginInfo),
  .name = "hostile",
  .probe = hostile_probe,
  .describe = hostile_describe,
  .answer = hostile_answer,
  .sign = hostile_sign,
  .forget = hostile_forget,
};
