/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "x509-error.h"

#include <openssl/err.h>

gboolean
x509_error_set (X509Error *error,
                DpsPluginResult result,
                const char *cause,
                const char *format,
                ...)
{
  va_list args;

  error->result = result;
  error->cause = cause;
  va_start (args, format);
  g_vsnprintf (error->text, sizeof error->text, format, args);
  va_end (args);
  ERR_clear_error ();
  return FALSE;
}

DpsPluginResult
x509_error_report (const DpsHost *host, const X509Error *error)
{
  if (error->cause != NULL && DPS_HOST_HAS_SET_CAUSE (host))
    host->set_cause (host, error->cause);
  host->set_error (host, error->text);
  return error->result;
}
