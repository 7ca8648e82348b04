/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dps/dps-http-roots.h"
#include "common/dps-error.h"

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

X509_STORE *
dps_http_roots_load (const char *system_ca_file, const char *ca_file, GError **error)
{
  g_autoptr (X509_STORE) roots = X509_STORE_new ();
  const char *system = system_ca_file;

  if (roots == NULL)
    {
      g_set_error (error, DPS_ERROR, DPS_ERROR_FAILED, "OpenSSL has no memory");
      return NULL;
    }
  if (system == NULL)
    system = g_file_test (DPS_SYSTEM_CA_DIR, G_FILE_TEST_IS_DIR) ? DPS_SYSTEM_CA_DIR
                                                                 : DPS_SYSTEM_CA_FILE;
  /* A host without system roots still reaches a service of a private authority. */
  if ((g_file_test (system, G_FILE_TEST_EXISTS) || ca_file == NULL) &&
      !load (roots, system, error))
    return NULL;
  if (ca_file != NULL && !load (roots, ca_file, error))
    return NULL;
  return g_steal_pointer (&roots);
}
