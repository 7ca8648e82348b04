/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "em-certs.h"

#include "em-pair.h"

#include <errno.h>

#include <openssl/x509v3.h>

#define CURVE "P-256"

static char *
alternative_names (const char *const *names)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; names[i] != NULL; i++)
    g_string_append_printf (text,
                            "%s%s:%s",
                            i > 0 ? "," : "",
                            g_hostname_is_ip_address (names[i]) ? "IP" : "DNS",
                            names[i]);
  return g_string_free (text, FALSE);
}

static gboolean
make_server (EmPair *server, const EmPair *ca, const char *const *names, GError **error)
{
  g_autofree char *alternatives = alternative_names (names);

  /* A common name is limited to 64 characters and nobody looks at it. */
  if (!em_pair_make (server, "dps-emulator", CURVE, error))
    return FALSE;
  if (!em_cert_add_extension (server->cert,
                              ca->cert,
                              NID_basic_constraints,
                              "critical,CA:FALSE") ||
      !em_cert_add_extension (server->cert,
                              ca->cert,
                              NID_key_usage,
                              "critical,digitalSignature") ||
      !em_cert_add_extension (server->cert, ca->cert, NID_ext_key_usage, "serverAuth") ||
      !em_cert_add_extension (server->cert, ca->cert, NID_subject_alt_name, alternatives))
    return em_openssl_failed ("describing the server", error);
  return em_pair_sign (server, ca, error);
}

static gboolean
covers (X509 *cert, const char *name)
{
  if (g_hostname_is_ip_address (name))
    return X509_check_ip_asc (cert, name, 0) == 1;
  return X509_check_host (cert, name, 0, X509_CHECK_FLAG_NO_WILDCARDS, NULL) == 1;
}

static gboolean
still_fits (const EmPair *server, const EmPair *ca, const char *const *names)
{
  if (X509_verify (server->cert, ca->key) != 1)
    return FALSE;
  for (guint i = 0; names[i] != NULL; i++)
    if (!covers (server->cert, names[i]))
      return FALSE;
  return TRUE;
}

gboolean
em_certs_prepare (const char *dir,
                  const char *const *names,
                  char **cert_pem,
                  char **key_pem,
                  GError **error)
{
  g_auto (EmPair) ca = { 0 };
  g_auto (EmPair) server = { 0 };

  if (g_mkdir_with_parents (dir, 0755) < 0)
    {
      g_set_error (error,
                   G_IO_ERROR,
                   g_io_error_from_errno (errno),
                   "making '%s': %s",
                   dir,
                   g_strerror (errno));
      return FALSE;
    }

  if (!em_pair_load (&ca, dir, "ca") &&
      (!em_pair_make_ca (&ca, NULL, "dps-emulator CA", CURVE, "", error) ||
       !em_pair_save (&ca, dir, "ca", error)))
    return FALSE;

  if ((!em_pair_load (&server, dir, "server") || !still_fits (&server, &ca, names)) &&
      (!make_server (&server, &ca, names, error) ||
       !em_pair_save (&server, dir, "server", error)))
    return FALSE;

  ERR_clear_error ();
  *cert_pem = em_pair_cert_text (&server);
  *key_pem = em_pair_key_text (&server);
  return TRUE;
}
