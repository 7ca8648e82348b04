/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-key.h"

#include <string.h>

#define WRAPPED "-----BEGIN TSS2 PRIVATE KEY-----"

/* The line end that an editor puts behind it is no part of a passphrase. */
static DpsPluginView
strip_line_end (DpsPluginView text)
{
  if (text.size > 0 && text.data[text.size - 1] == '\n')
    text.size--;
  if (text.size > 0 && text.data[text.size - 1] == '\r')
    text.size--;
  return text;
}

static gboolean
is_wrapped (const DpsPluginView *key)
{
  return memmem (key->data, key->size, WRAPPED, strlen (WRAPPED)) != NULL;
}

X509Key *
x509_key_open (const DpsHost *host, X509Error *error)
{
  const char *setting = host->get_setting (host, "key");
  const DpsPluginView *passphrase = NULL;
  DpsPluginView text, key;

  if (host->get_secret (host, "passphrase", &text))
    {
      text = strip_line_end (text);
      passphrase = &text;
    }
  if (setting != NULL && g_str_has_prefix (setting, "pkcs11:"))
    return x509_key_open_pkcs11 (host, setting, passphrase, error);
  if (setting != NULL && g_str_has_prefix (setting, "handle:"))
    return x509_key_open_tpm_handle (host, setting, passphrase, error);
  if (!host->get_secret (host, "key", &key))
    {
      x509_error_set (error,
                      DPS_PLUGIN_NOT_CONFIGURED,
                      X509_CAUSE_KEY,
                      "there is no private key; set key= in [plugin x509]");
      return NULL;
    }
  if (is_wrapped (&key))
    return x509_key_open_tpm_wrapped (host, &key, passphrase, error);
  return x509_key_open_file (host, &key, passphrase, error);
}

void
x509_key_free (X509Key *self)
{
  self->free (self);
}
