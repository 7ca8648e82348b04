/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

/* store-act DIRECTORY commit TEXT | load | reset: one action of the store as a program,
 * for strace. Prints what was loaded; exits 1 with the reason where it failed. */

#include "store/dps-host-sealer.h"
#include "store/dps-store.h"

#include <stdio.h>
#include <string.h>

static gboolean
act (DpsStore *store, char **words, GError **error)
{
  g_autoptr (DpsSecret) payload = NULL;

  if (g_str_equal (words[0], "commit") && words[1] != NULL)
    {
      payload = dps_secret_new (words[1], strlen (words[1]));
      return dps_store_commit (store, payload, error);
    }
  if (g_str_equal (words[0], "reset"))
    return dps_store_reset (store, error);
  payload = dps_store_load (store, NULL, NULL, error);
  if (payload == NULL)
    return FALSE;
  printf ("%.*s\n",
          (int) dps_secret_size (payload),
          (const char *) dps_secret_data (payload));
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (DpsSealer) sealer = NULL;
  g_autoptr (DpsStore) store = NULL;
  g_autoptr (GError) error = NULL;

  if (argc < 3)
    return 2;
  dps_secret_init ();
  sealer = dps_host_sealer_new ();
  store = dps_store_open (argv[1], sealer, &error);
  if (store != NULL && act (store, argv + 2, &error))
    return 0;
  fprintf (stderr, "%s\n", error->message);
  return 1;
}
