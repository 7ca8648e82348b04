/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-issued-chain.h"

#include "common/dps-error.h"

#include <openssl/x509v3.h>
#include <time.h>

static gboolean G_GNUC_PRINTF (2, 3) reject (GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, DPS_ERROR, DPS_ERROR_REJECTED, text);
  return FALSE;
}

static gboolean
check_key (X509 *leaf, EVP_PKEY *public_key, GError **error)
{
  EVP_PKEY *certified = X509_get0_pubkey (leaf);

  return (certified != NULL && EVP_PKEY_eq (certified, public_key) == 1) ||
         reject (error, "it certifies another key than the one of the request");
}

static gboolean
check_name (DpsCertificateChain *chain, const char *registration_id, GError **error)
{
  const char *name = dps_certificate_chain_get_common_name (chain);

  if (name == NULL)
    return reject (error, "it has no common name; asked for was '%s'", registration_id);
  return g_ascii_strcasecmp (name, registration_id) == 0 ||
         reject (error, "it is for '%s'; asked for was '%s'", name, registration_id);
}

/* Key usage of a certificate that says nothing is every usage. */
static gboolean
check_usage (X509 *leaf, GError **error)
{
  if ((X509_get_extended_key_usage (leaf) & (XKU_SSL_CLIENT | XKU_ANYEKU)) == 0)
    return reject (error, "its extended key usage is not for authenticating a client");
  return (X509_get_key_usage (leaf) & KU_DIGITAL_SIGNATURE) != 0 ||
         reject (error, "its key usage does not allow signatures");
}

static char *
format_time (gint64 time)
{
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (time / G_USEC_PER_SEC);

  return date != NULL ? g_date_time_format (date, "%Y-%m-%dT%H:%M:%SZ") : g_strdup ("?");
}

static gboolean
get_time (const ASN1_TIME *from, gint64 *time)
{
  struct tm parts;

  if (ASN1_TIME_to_tm (from, &parts) != 1)
    return FALSE;
  *time = (gint64) timegm (&parts) * G_USEC_PER_SEC;
  return TRUE;
}

/* which counts from 1. */
static gboolean
check_dates (X509 *certificate, int which, gint64 now, GError **error)
{
  g_autofree char *here = format_time (now);
  g_autofree char *there = NULL;
  gint64 not_before, not_after;

  if (!get_time (X509_get0_notBefore (certificate), &not_before) ||
      !get_time (X509_get0_notAfter (certificate), &not_after))
    return reject (error, "certificate %d of it has dates that cannot be read", which);
  if (not_before > now + DPS_ISSUED_CHAIN_AHEAD)
    {
      there = format_time (not_before);
      return reject (error,
                     "certificate %d of it is not valid before %s, and now is %s",
                     which,
                     there,
                     here);
    }
  if (not_after <= now)
    {
      there = format_time (not_after);
      return reject (error,
                     "certificate %d of it was valid until %s, and now is %s",
                     which,
                     there,
                     here);
    }
  return TRUE;
}

static gboolean
check_links (DpsCertificateChain *chain, GError **error)
{
  STACK_OF (X509) *all = dps_certificate_chain_get_certificates (chain);
  X509 *last = sk_X509_value (all, sk_X509_num (all) - 1);
  g_autoptr (GError) local = NULL;

  if (!dps_certificate_chain_links (chain, &local))
    return reject (error, "its chain does not hold: %s", local->message);
  if (X509_NAME_cmp (X509_get_subject_name (last), X509_get_issuer_name (last)) == 0 &&
      X509_verify (last, X509_get0_pubkey (last)) != 1)
    return reject (error, "its chain does not hold: the root was not signed by itself");
  return TRUE;
}

gboolean
dps_issued_chain_check (DpsCertificateChain *chain,
                        EVP_PKEY *public_key,
                        const char *registration_id,
                        gint64 now,
                        GError **error)
{
  STACK_OF (X509) *all = dps_certificate_chain_get_certificates (chain);
  X509 *leaf = sk_X509_value (all, 0);

  if (!check_key (leaf, public_key, error) ||
      !check_name (chain, registration_id, error) || !check_usage (leaf, error))
    return FALSE;
  for (int i = 0; i < sk_X509_num (all); i++)
    if (!check_dates (sk_X509_value (all, i), i + 1, now, error))
      return FALSE;
  return check_links (chain, error);
}
