/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "consumer.h"
#include "dps/dps-tls-identity.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* sign-client BUS HUB ADDRESS:PORT CA DEVICE VERSION: a local service that asks the hub
 * for the device's modules over TLS VERSION (1.2, 1.3), with the device's certificate and
 * the agent's Sign. No key is in this process. Prints the status and what was signed.
 *
 * sign-client BUS flood MECHANISM COUNT: so many signatures at once. Prints how many were
 * given and how many refused as too many, and the milliseconds it took. */

#define PATH "/devices/%s/modules?api-version=2017-11-08-preview"

typedef struct
{
  GDBusConnection *bus;
  GString *mechanisms; /* that were signed by */
} Remote;

static GVariant *
arguments (const char *mechanism, const guint8 *digest, gsize size)
{
  return g_variant_new ("(s@ay)",
                        mechanism,
                        g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, digest, size, 1));
}

static GBytes *
sign_remotely (gpointer data,
               const char *mechanism,
               const guint8 *digest,
               gsize size,
               GError **error)
{
  Remote *remote = data;
  g_autoptr (GVariant) reply = consumer_call (remote->bus,
                                              "Sign",
                                              arguments (mechanism, digest, size),
                                              NULL,
                                              error);
  g_autoptr (GVariant) signature = NULL;

  if (reply == NULL)
    return NULL;
  g_string_append_printf (remote->mechanisms, " %s", mechanism);
  g_variant_get (reply, "(@ay)", &signature);
  return g_variant_get_data_as_bytes (signature);
}

static void
fail (const char *what)
{
  g_autoptr (GError) error = dps_tls_key_take_error ();
  char reason[256];

  ERR_error_string_n (ERR_get_error (), reason, sizeof reason);
  g_printerr ("%s: %s\n", what, error != NULL ? error->message : reason);
  exit (1);
}

static SSL_CTX *
make_context (DpsTlsIdentity *identity, const char *ca, const char *version)
{
  SSL_CTX *context = SSL_CTX_new (TLS_client_method ());
  int number = g_str_equal (version, "1.2") ? TLS1_2_VERSION : TLS1_3_VERSION;
  STACK_OF (X509) *chain = sk_X509_dup (
      dps_certificate_chain_get_certificates (dps_tls_identity_get_chain (identity)));
  X509 *leaf = sk_X509_shift (chain);

  SSL_CTX_set_verify (context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_post_handshake_auth (context, 1);
  if (SSL_CTX_load_verify_locations (context, ca, NULL) != 1 ||
      SSL_CTX_set_min_proto_version (context, number) != 1 ||
      SSL_CTX_set_max_proto_version (context, number) != 1 ||
      SSL_CTX_use_cert_and_key (context,
                                leaf,
                                dps_tls_identity_get_key (identity),
                                chain,
                                1) != 1 ||
      SSL_CTX_set1_client_sigalgs_list (context,
                                        dps_tls_identity_get_algorithms (identity)) != 1)
    fail ("setting up TLS");
  sk_X509_free (chain);
  return context;
}

/* The first line of the answer. */
static char *
ask (SSL_CTX *context, const char *hub, const char *address, const char *device)
{
  BIO *connection = BIO_new_ssl_connect (context);
  g_autofree char *path = g_strdup_printf (PATH, device);
  g_autofree char *request = g_strdup_printf ("GET %s HTTP/1.1\r\nHost: %s\r\n"
                                              "Connection: close\r\n\r\n",
                                              path,
                                              hub);
  char answer[512] = "";
  SSL *ssl = NULL;

  BIO_get_ssl (connection, &ssl);
  SSL_set_tlsext_host_name (ssl, hub);
  if (SSL_set1_host (ssl, hub) != 1 || BIO_set_conn_hostname (connection, address) != 1 ||
      BIO_do_handshake (connection) != 1)
    fail ("the handshake");
  if (BIO_write (connection, request, (int) strlen (request)) <= 0 ||
      BIO_read (connection, answer, sizeof answer - 1) <= 0)
    fail ("the request");
  BIO_free_all (connection);
  return g_strndup (answer, strcspn (answer, "\r\n"));
}

static int
authenticate (GDBusConnection *bus, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DpsCertificateChain) chain = consumer_get_chain (bus, &error);
  g_autoptr (DpsTlsIdentity) identity = NULL;
  Remote remote = { bus, g_string_new (NULL) };
  g_autofree char *line = NULL;
  SSL_CTX *context;

  if (chain != NULL)
    identity = dps_tls_identity_new (chain, sign_remotely, &remote, NULL, &error);
  if (identity == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  context = make_context (identity, argv[4], argv[6]);
  line = ask (context, argv[2], argv[3], argv[5]);
  SSL_CTX_free (context);
  g_print ("%s;%s\n", line, remote.mechanisms->str);
  g_string_free (remote.mechanisms, TRUE);
  return 0;
}

typedef struct
{
  guint given;
  guint refused;
  guint waiting;
} Flood;

static void
on_flood (GObject *source, GAsyncResult *result, gpointer data)
{
  Flood *flood = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autofree char *name = error != NULL ? g_dbus_error_get_remote_error (error) : NULL;

  flood->waiting--;
  flood->given += reply != NULL;
  flood->refused += g_strcmp0 (name, "org.dpsagent.Error.LimitsExceeded") == 0;
  if (error != NULL && g_strcmp0 (name, "org.dpsagent.Error.LimitsExceeded") != 0)
    g_printerr ("%s\n", error->message);
}

static int
flood (GDBusConnection *bus, const char *mechanism, guint count)
{
  Flood flood = { .waiting = count };
  const guint8 digest[32] = { 1 };
  gint64 start = g_get_monotonic_time ();

  for (guint i = 0; i < count; i++)
    g_dbus_connection_call (bus,
                            "org.dpsagent.Agent1",
                            "/org/dpsagent/Agent1",
                            "org.dpsagent.Agent1.Credentials",
                            "Sign",
                            arguments (mechanism, digest, sizeof digest),
                            NULL,
                            G_DBUS_CALL_FLAGS_NONE,
                            60000,
                            NULL,
                            on_flood,
                            &flood);
  while (flood.waiting > 0)
    g_main_context_iteration (NULL, TRUE);
  g_print ("%u %u %d\n",
           flood.given,
           flood.refused,
           (int) ((g_get_monotonic_time () - start) / 1000));
  return 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GDBusConnection) bus = NULL;

  if (argc != 5 && argc != 7)
    return 2;
  bus = consumer_connect (argv[1]);
  return argc == 5 ? flood (bus, argv[3], (guint) atoi (argv[4]))
                   : authenticate (bus, argv);
}
