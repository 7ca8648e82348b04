/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-openssl.h"

#include "common/dps-error.h"

#include <openssl/err.h>
#include <openssl/rand.h>

gboolean
dps_openssl_fail (GError **error, const char *what)
{
  const char *reason = ERR_reason_error_string (ERR_peek_last_error ());

  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_FAILED,
               "%s: %s",
               what,
               reason != NULL ? reason : "OpenSSL gives no reason");
  ERR_clear_error ();
  return FALSE;
}

gboolean
dps_openssl_random (guint8 *out, gsize size, GError **error)
{
  if (RAND_priv_bytes (out, (int) size) != 1)
    return dps_openssl_fail (error, "making random bytes");
  return TRUE;
}
