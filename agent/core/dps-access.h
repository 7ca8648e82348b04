/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Who may do what, as one pure function (design §10). It knows nothing of the bus:
 * whoever asks has found out the caller's credentials from the bus daemon. */
typedef enum
{
  DPS_RIGHT_READ,        /* properties */
  DPS_RIGHT_CREDENTIALS, /* org.dpsagent.Agent1.Credentials */
  DPS_RIGHT_CONTROL      /* org.dpsagent.Agent1.Control */
} DpsRight;

typedef enum
{
  DPS_ACCESS_DENY,
  DPS_ACCESS_ALLOW,
  DPS_ACCESS_ASK_POLKIT
} DpsAccess;

typedef struct
{
  gboolean known; /* FALSE: the bus did not tell; nothing but reading is allowed */
  uid_t uid;
  const gid_t *groups; /* borrowed */
  gsize n_groups;
} DpsCaller;

/* admin_group is the gid of dps-agent-admin, or (gid_t) -1 where there is no such group.
 */
DpsAccess dps_access_decide (const DpsCaller *caller, DpsRight right, gid_t admin_group);
