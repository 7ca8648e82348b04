/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-key.h"

X509Key *
x509_key_open_pkcs11 (const DpsHost *host,
                      const char *uri,
                      const DpsPluginView *pin,
                      X509Error *error)
{
  x509_error_set (error,
                  DPS_PLUGIN_NOT_SUPPORTED,
                  X509_CAUSE_MODULE,
                  "this version does not open the pkcs11: key that key= in [plugin x509] "
                  "names; use a file");
  return NULL;
}
