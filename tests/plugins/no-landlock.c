/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-landlock.h"

/* What the plugin host is told where the kernel has no Landlock; the linker puts it in
 * the place of the real one (--wrap). */
guint __wrap_dps_landlock_abi (void);

guint
__wrap_dps_landlock_abi (void)
{
  return 0;
}
