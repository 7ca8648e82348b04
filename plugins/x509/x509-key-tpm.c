/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-key.h"

static X509Key *
refuse (X509Error *error)
{
  x509_error_set (error,
                  DPS_PLUGIN_NOT_SUPPORTED,
                  X509_CAUSE_TPM_KEY,
                  "this version does not open the key in the TPM that key= in [plugin "
                  "x509] names; use a file");
  return NULL;
}

X509Key *
x509_key_open_tpm_handle (const DpsHost *host,
                          const char *uri,
                          const DpsPluginView *auth,
                          X509Error *error)
{
  return refuse (error);
}

X509Key *
x509_key_open_tpm_wrapped (const DpsHost *host,
                           const DpsPluginView *pem,
                           const DpsPluginView *auth,
                           X509Error *error)
{
  return refuse (error);
}
