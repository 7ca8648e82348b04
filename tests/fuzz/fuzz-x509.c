/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "target.h"
#include "x509-chain.h"
#include "x509-key.h"

#include <string.h>

/* First byte: c a file of certificates, k one of a private key, as the agent hands them
 * to the x509 plugin. What is taken is within its bounds; all else has a cause. */

#define NOW 1790000000 /* any time will do */

static void
try_chain (const DpsPluginView *file)
{
  X509Error error = { DPS_PLUGIN_OK };
  g_autoptr (X509Chain) chain = x509_chain_parse (file, &error);
  g_autofree char *pem = NULL;

  if (chain == NULL || !x509_chain_check (chain, NOW, &error))
    {
      g_assert_nonnull (error.cause);
      g_assert_true (g_utf8_validate (error.text, -1, NULL));
    }
  else
    g_assert_cmpuint (strlen (x509_chain_get_common_name (chain)),
                      <=,
                      X509_COMMON_NAME_MAX);
  if (chain == NULL)
    return;
  pem = x509_chain_dup_pem (chain);
  g_assert_cmpuint (strlen (pem), <=, DPS_PLUGIN_MATERIAL_VALUE_MAX);
}

/* Without a passphrase: a file may ask for rounds of hashing that take minutes, which in
 * the agent the verb's deadline ends. */
static void
try_key (const DpsPluginView *file)
{
  X509Error error = { DPS_PLUGIN_OK };
  g_autoptr (X509Key) key = x509_key_open_file (NULL, file, NULL, &error);

  if (key == NULL)
    g_assert_nonnull (error.cause);
  else
    g_assert_cmpint (EVP_PKEY_get_bits (key->public), <=, 4096);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  DpsPluginView file = { data + 1, size - 1 };

  /* The agent passes on neither an empty file nor a larger one. */
  if (size < 2 || file.size > DPS_PLUGIN_BLOB_MAX)
    return 0;
  if (data[0] == 'c')
    try_chain (&file);
  if (data[0] == 'k')
    try_key (&file);
  return 0;
}
