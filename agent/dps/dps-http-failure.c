/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-failure.h"
#include "common/dps-error.h"

#include <gio/gio.h>
#include <openssl/x509_vfy.h>

/* One row a cause: its name, the text, and the error that callers match. */
static const struct
{
  const char *name;
  const char *text;
  gboolean io;
  gint code;
} causes[DPS_HTTP_N_FAILURES] = {
  [DPS_HTTP_FAILURE_NONE] = { "none", "", FALSE, DPS_ERROR_FAILED },
  [DPS_HTTP_FAILURE_RESOLVE] = { "resolve",
                                 "its name cannot be resolved",
                                 TRUE,
                                 G_IO_ERROR_HOST_NOT_FOUND },
  [DPS_HTTP_FAILURE_ADDRESS_REFUSED] = { "address-refused",
                                         "none of its addresses is allowed here",
                                         FALSE,
                                         DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_CONNECT_REFUSED] = { "connect-refused",
                                         "the connection was refused",
                                         TRUE,
                                         G_IO_ERROR_CONNECTION_REFUSED },
  [DPS_HTTP_FAILURE_CONNECT_UNREACHABLE] = { "connect-unreachable",
                                             "it cannot be reached",
                                             TRUE,
                                             G_IO_ERROR_HOST_UNREACHABLE },
  [DPS_HTTP_FAILURE_CONNECT_TIMEOUT] = { "connect-timeout",
                                         "it does not answer to connections",
                                         TRUE,
                                         G_IO_ERROR_TIMED_OUT },
  [DPS_HTTP_FAILURE_TLS_NAME] = { "tls-name",
                                  "its certificate is for another name",
                                  FALSE,
                                  DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_UNTRUSTED] = { "tls-untrusted",
                                       "its certificate leads to no trusted root",
                                       FALSE,
                                       DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_TIME] = { "tls-time",
                                  "by the clock of this host its certificate is not "
                                  "valid",
                                  FALSE,
                                  DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_SELF_SIGNED] = { "tls-self-signed",
                                         "its certificate is signed by itself",
                                         FALSE,
                                         DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_ISSUER] = { "tls-issuer",
                                    "the issuer of its certificate is not known here",
                                    FALSE,
                                    DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_WEAK_KEY] = { "tls-weak-key",
                                      "its certificate, or the issuer of it, has too "
                                      "short a key",
                                      FALSE,
                                      DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_WEAK_SIGNATURE] = { "tls-weak-signature",
                                            "its certificate is signed with a digest "
                                            "that is broken",
                                            FALSE,
                                            DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_USAGE] = { "tls-usage",
                                   "its certificate is not one for servers",
                                   FALSE,
                                   DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_VERSION] = { "tls-version",
                                     "it does not speak TLS 1.2 or later",
                                     FALSE,
                                     DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_CUT] = { "tls-cut",
                                 "it left in the middle of the TLS handshake",
                                 FALSE,
                                 DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_TLS_OTHER] = { "tls-other",
                                   "the TLS handshake failed",
                                   FALSE,
                                   DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_CLIENT_KEY] = { "client-key",
                                    "the key of this host's certificate did not sign",
                                    FALSE,
                                    DPS_ERROR_FAILED },
  [DPS_HTTP_FAILURE_CLIENT_REFUSED] = { "client-refused",
                                        "it refuses this host's certificate, or that "
                                        "there is none",
                                        FALSE,
                                        DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_CLOSED] = { "closed",
                                "the connection broke off",
                                TRUE,
                                G_IO_ERROR_CONNECTION_CLOSED },
  [DPS_HTTP_FAILURE_TIMEOUT] = { "timeout",
                                 "the answer did not come in time",
                                 TRUE,
                                 G_IO_ERROR_TIMED_OUT },
  [DPS_HTTP_FAILURE_TOO_LARGE] = { "too-large",
                                   "the answer has more than 64 KiB, or more than 16 KiB"
                                   " of headers",
                                   FALSE,
                                   DPS_ERROR_LIMITS_EXCEEDED },
  [DPS_HTTP_FAILURE_MALFORMED] = { "malformed",
                                   "the answer is not HTTP",
                                   FALSE,
                                   DPS_ERROR_REJECTED },
  [DPS_HTTP_FAILURE_CANCELLED] = { "cancelled", "cancelled", TRUE, G_IO_ERROR_CANCELLED },
  [DPS_HTTP_FAILURE_LOCAL] = { "local",
                               "the request cannot be made",
                               FALSE,
                               DPS_ERROR_FAILED },
};

const char *
dps_http_failure_to_string (DpsHttpFailure failure)
{
  return causes[failure < DPS_HTTP_N_FAILURES ? failure : DPS_HTTP_FAILURE_LOCAL].name;
}

DpsHttpFailure
dps_http_failure_of_verify (long verify_result)
{
  switch (verify_result)
    {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return DPS_HTTP_FAILURE_TLS_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return DPS_HTTP_FAILURE_TLS_TIME;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return DPS_HTTP_FAILURE_TLS_SELF_SIGNED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return DPS_HTTP_FAILURE_TLS_ISSUER;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
      return DPS_HTTP_FAILURE_TLS_WEAK_KEY;
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return DPS_HTTP_FAILURE_TLS_WEAK_SIGNATURE;
    case X509_V_ERR_INVALID_PURPOSE:
      return DPS_HTTP_FAILURE_TLS_USAGE;
    default:
      return DPS_HTTP_FAILURE_TLS_UNTRUSTED;
    }
}

void
dps_http_failure_set_error (DpsHttpFailure failure,
                            const char *host,
                            const char *detail,
                            GError **error)
{
  g_autofree char *shown = g_utf8_make_valid (detail, -1);

  for (char *p = shown; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      *p = ' ';
  g_set_error (error,
               causes[failure].io ? G_IO_ERROR : DPS_ERROR,
               causes[failure].code,
               "%s: %s%s%s%s",
               host,
               causes[failure].text,
               shown[0] != '\0' ? " (" : "",
               shown,
               shown[0] != '\0' ? ")" : "");
}
