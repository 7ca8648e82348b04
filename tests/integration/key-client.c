/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "consumer.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* key-client BUS: what OpenKey gives. Prints what of the file cannot be changed, as
 * tried, and whether the key, PKCS#8 DER and nothing else, is that of
 * GetCertificateChain. */

#define KEY_MAX 4096

static void
try_changes (int fd)
{
  int seals = fcntl (fd, F_GET_SEALS);

  g_print ("%s%s%s%s",
           seals & F_SEAL_WRITE && pwrite (fd, "x", 1, 0) < 0 && errno == EPERM ? "write "
                                                                                : "",
           seals & F_SEAL_GROW && ftruncate (fd, KEY_MAX) < 0 && errno == EPERM ? "grow "
                                                                                : "",
           seals & F_SEAL_SHRINK && ftruncate (fd, 0) < 0 && errno == EPERM ? "shrink "
                                                                            : "",
           fcntl (fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EPERM ? "seal " : "");
}

static gboolean
is_key_of (int fd, DpsCertificateChain *chain)
{
  X509 *leaf = sk_X509_value (dps_certificate_chain_get_certificates (chain), 0);
  guint8 bytes[KEY_MAX];
  ssize_t size = pread (fd, bytes, sizeof bytes, 0);
  const guint8 *at = bytes;
  PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO (NULL, &at, size);
  EVP_PKEY *key = info != NULL ? EVP_PKCS82PKEY (info) : NULL;
  gboolean good =
      key != NULL && at == bytes + size && X509_check_private_key (leaf, key) == 1;

  EVP_PKEY_free (key);
  PKCS8_PRIV_KEY_INFO_free (info);
  return good;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) bus = NULL;
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (DpsCertificateChain) chain = NULL;
  int fd;

  if (argc != 2)
    return 2;
  bus = consumer_connect (argv[1]);
  reply = consumer_call (bus, "OpenKey", NULL, &fds, &error);
  chain = reply != NULL ? consumer_get_chain (bus, &error) : NULL;
  if (chain == NULL)
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  fd = g_unix_fd_list_get (fds, 0, &error);
  try_changes (fd);
  g_print ("%s\n", is_key_of (fd, chain) ? "key" : "other");
  close (fd);
  return 0;
}
