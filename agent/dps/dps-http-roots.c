/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-roots.h"
#include "common/dps-error.h"

#include <inttypes.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/pem.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BIO, BIO_free_all)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509, X509_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (X509_STORE, X509_STORE_free)

static gboolean
load (X509_STORE *roots, const char *path, GError **error)
{
  gboolean directory = g_file_test (path, G_FILE_TEST_IS_DIR);
  int done =
      directory ? X509_STORE_load_path (roots, path) : X509_STORE_load_file (roots, path);

  if (done == 1)
    return TRUE;
  g_set_error (error,
               DPS_ERROR,
               DPS_ERROR_NOT_CONFIGURED,
               "cannot load root certificates (PEM) from %s; check that the file exists,"
               " is readable for the agent and has only certificates",
               path);
  return FALSE;
}

/* The certificates of one PEM text, at least one. */
static gboolean
add_pem (X509_STORE *roots, GBytes *pem, GError **error)
{
  g_autoptr (BIO) bio =
      BIO_new_mem_buf (g_bytes_get_data (pem, NULL), (int) g_bytes_get_size (pem));
  gboolean whole;
  guint n = 0;

  for (;;)
    {
      g_autoptr (X509) certificate = PEM_read_bio_X509 (bio, NULL, NULL, NULL);

      if (certificate == NULL || X509_STORE_add_cert (roots, certificate) != 1)
        break;
      n++;
    }
  /* That no further certificate begins is the one good reason to stop. */
  whole = n > 0 && ERR_GET_REASON (ERR_peek_last_error ()) == PEM_R_NO_START_LINE;
  ERR_clear_error ();
  if (!whole)
    g_set_error (error,
                 DPS_ERROR,
                 DPS_ERROR_NOT_CONFIGURED,
                 "the file that ca-file= names is not PEM with certificates");
  return whole;
}

static const char *
system_roots (const char *system_ca_file)
{
  if (system_ca_file != NULL)
    return system_ca_file;
  return g_file_test (DPS_SYSTEM_CA_DIR, G_FILE_TEST_IS_DIR) ? DPS_SYSTEM_CA_DIR
                                                             : DPS_SYSTEM_CA_FILE;
}

X509_STORE *
dps_http_roots_load (const char *system_ca_file, GBytes *ca_pem, GError **error)
{
  g_autoptr (X509_STORE) roots = X509_STORE_new ();
  const char *system = system_roots (system_ca_file);

  if (roots == NULL)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_FAILED, "OpenSSL has no memory");
      return NULL;
    }
  /* A host without system roots still reaches a service of a private authority. */
  if ((g_file_test (system, G_FILE_TEST_EXISTS) || ca_pem == NULL) &&
      !load (roots, system, error))
    return NULL;
  if (ca_pem != NULL && !add_pem (roots, ca_pem, error))
    return NULL;
  return g_steal_pointer (&roots);
}

char *
dps_http_roots_describe (const char *system_ca_file, GBytes *ca_pem)
{
  const char *system = system_roots (system_ca_file);
  g_autofree char *digest = NULL;
  struct stat facts = { 0 };

  if (ca_pem != NULL)
    digest = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, ca_pem);
  if (stat (system, &facts) != 0)
    facts = (struct stat){ 0 };
  return g_strdup_printf ("%s %ju %ju %jd.%09ld %s",
                          system,
                          (uintmax_t) facts.st_dev,
                          (uintmax_t) facts.st_ino,
                          (intmax_t) facts.st_mtim.tv_sec,
                          facts.st_mtim.tv_nsec,
                          digest != NULL ? digest : "none");
}
