/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-machine.h"
#include "common/dps-log.h"

#include <string.h>
#include <systemd/sd-id128.h>

char *
dps_machine_dup_id (void)
{
  char text[SD_ID128_STRING_MAX];
  sd_id128_t id;
  int r = sd_id128_get_machine_app_specific (SD_ID128_MAKE (c1,
                                                            0e,
                                                            57,
                                                            2b,
                                                            86,
                                                            d4,
                                                            4f,
                                                            3a,
                                                            b3,
                                                            19,
                                                            7d,
                                                            e2,
                                                            40,
                                                            6c,
                                                            95,
                                                            a8),
                                             &id);

  if (r < 0)
    {
      dps_message ((TOPIC ("store")),
                   "this machine has no id (/etc/machine-id: %s); where no TPM seals the "
                   "store, a copy of it on another machine is not recognised",
                   g_strerror (-r));
      return NULL;
    }
  return g_strdup (sd_id128_to_string (id, text));
}
