/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dps-plugin.h>

/* The words by which the agent finds code and remedy: the plugin's README has the list.
 */
#define X509_CAUSE_CERTIFICATE "x509-certificate"
#define X509_CAUSE_KEY "x509-key"
#define X509_CAUSE_EXPIRED "x509-expired"
#define X509_CAUSE_NOT_YET_VALID "x509-not-yet-valid"
#define X509_CAUSE_KEY_MISMATCH "x509-key-mismatch"
#define X509_CAUSE_CHAIN "x509-chain"
#define X509_CAUSE_COMMON_NAME "x509-common-name"
#define X509_CAUSE_USAGE "x509-usage"
#define X509_CAUSE_PASSPHRASE "x509-passphrase"
#define X509_CAUSE_PIN "pkcs11-pin"
#define X509_CAUSE_PIN_LOCKED "pkcs11-pin-locked"
#define X509_CAUSE_NO_TOKEN "pkcs11-no-token"
#define X509_CAUSE_NO_KEY "pkcs11-no-key"
#define X509_CAUSE_MODULE "pkcs11-module"
#define X509_CAUSE_TPM_KEY "x509-tpm-key"
#define X509_CAUSE_FAILED "x509-failed"

/* Why a verb fails. Starts as { 0 }. */
typedef struct
{
  DpsPluginResult result;
  const char *cause; /* static; NULL = none */
  char text[512];    /* what, where, what to do; never a secret */
} X509Error;

/* cause: a static string, or NULL. A longer text is cut. Drops OpenSSL's own errors of
 * this thread. Always FALSE. */
gboolean x509_error_set (X509Error *error,
                         DpsPluginResult result,
                         const char *cause,
                         const char *format,
                         ...) G_GNUC_PRINTF (4, 5);

/* Tells the host; error->result, for the verb to return. */
DpsPluginResult x509_error_report (const DpsHost *host, const X509Error *error);
