/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-landlock.h"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

guint
dps_landlock_abi (void)
{
  long abi =
      syscall (SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

  return abi < 1 ? 0 : (guint) MIN (abi, DPS_LANDLOCK_ABI_MAX);
}
