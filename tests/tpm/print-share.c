/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "store/dps-tpm-sealer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* print-share STATE-DIR TCTI [SRK-AUTH-FILE]: the share that the TPM has sealed (design
 * §9, T), in hex, so that a test knows what to look for. As the agent unseals it. */

#define SHARE_SIZE 32u

static DpsSecret *
read_password (const char *path)
{
  g_autofree char *text = NULL;
  gsize size;

  return g_file_get_contents (path, &text, &size, NULL) ? dps_secret_new (text, size)
                                                        : NULL;
}

int
main (int argc, char **argv)
{
  g_autoptr (DpsSecret) srk_auth = argc == 4 ? read_password (argv[3]) : NULL;
  g_autoptr (DpsSealer) sealer = NULL;
  g_autoptr (DpsSecret) ikm = NULL;
  g_autoptr (GError) error = NULL;
  const guint8 *data;
  int dir;

  setenv ("TSS2_LOG", "all+none", FALSE);
  if (argc < 3 || (argc > 3 && srk_auth == NULL) ||
      (dir = open (argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
    {
      g_printerr ("print-share STATE-DIR TCTI [SRK-AUTH-FILE]\n");
      return 2;
    }
  sealer = dps_tpm_sealer_new (argv[2], NULL, srk_auth);
  ikm = dps_sealer_unseal (sealer, dir, DPS_PROTECTION_TPM2_HOST, &error);
  close (dir);
  if (ikm == NULL)
    {
      g_printerr ("print-share: %s\n", error->message);
      return 1;
    }
  data = dps_secret_data (ikm);
  for (guint i = 0; i < SHARE_SIZE; i++)
    printf ("%02x", data[i]);
  putchar ('\n');
  return 0;
}
