/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-access.h"

#define ADMIN 200
#define NONE ((gid_t) -1)

static const gid_t admin[] = { 100, ADMIN };
static const gid_t others[] = { 100, 101 };
static const gid_t minus_one[] = { (gid_t) -1 };

static void
test_table (void)
{
  static const struct
  {
    DpsCaller caller;
    DpsRight right;
    gid_t admin_group;
    DpsAccess access;
  } table[] = {
    { { FALSE, 0, NULL, 0 }, DPS_RIGHT_READ, ADMIN, DPS_ACCESS_ALLOW },
    { { TRUE, 1000, others, 2 }, DPS_RIGHT_READ, ADMIN, DPS_ACCESS_ALLOW },
    { { TRUE, 0, NULL, 0 }, DPS_RIGHT_CREDENTIALS, ADMIN, DPS_ACCESS_ALLOW },
    { { TRUE, 0, NULL, 0 }, DPS_RIGHT_CONTROL, ADMIN, DPS_ACCESS_ALLOW },
    { { TRUE, 1000, others, 2 }, DPS_RIGHT_CREDENTIALS, ADMIN, DPS_ACCESS_DENY },
    { { TRUE, 1000, admin, 2 }, DPS_RIGHT_CREDENTIALS, ADMIN, DPS_ACCESS_DENY },
    { { TRUE, 1000, admin, 2 }, DPS_RIGHT_CONTROL, ADMIN, DPS_ACCESS_ALLOW },
    { { TRUE, 1000, others, 2 }, DPS_RIGHT_CONTROL, ADMIN, DPS_ACCESS_ASK_POLKIT },
    { { TRUE, 1000, admin, 2 }, DPS_RIGHT_CONTROL, NONE, DPS_ACCESS_ASK_POLKIT },
    { { TRUE, 1000, minus_one, 1 }, DPS_RIGHT_CONTROL, NONE, DPS_ACCESS_ASK_POLKIT },
    /* fail closed: an unknown caller is not UID 0 */
    { { FALSE, 0, NULL, 0 }, DPS_RIGHT_CREDENTIALS, ADMIN, DPS_ACCESS_DENY },
    { { FALSE, 0, admin, 2 }, DPS_RIGHT_CONTROL, ADMIN, DPS_ACCESS_DENY },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_test_message ("row %" G_GSIZE_FORMAT, i);
      g_assert_cmpint (dps_access_decide (&table[i].caller,
                                          table[i].right,
                                          table[i].admin_group),
                       ==,
                       table[i].access);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/access/decides", test_table);
  return g_test_run ();
}
