/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-access.h"

static gboolean
in_group (const DpsCaller *caller, gid_t group)
{
  if (group == (gid_t) -1)
    return FALSE;
  for (gsize i = 0; i < caller->n_groups; i++)
    if (caller->groups[i] == group)
      return TRUE;
  return FALSE;
}

DpsAccess
dps_access_decide (const DpsCaller *caller, DpsRight right, gid_t admin_group)
{
  if (right == DPS_RIGHT_READ)
    return DPS_ACCESS_ALLOW;
  if (!caller->known)
    return DPS_ACCESS_DENY;
  if (caller->uid == 0)
    return DPS_ACCESS_ALLOW;
  if (right == DPS_RIGHT_CONTROL)
    return in_group (caller, admin_group) ? DPS_ACCESS_ALLOW : DPS_ACCESS_ASK_POLKIT;
  return DPS_ACCESS_DENY;
}
