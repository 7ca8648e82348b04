/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"
#include "common/dps-log.h"

/* What is under way, or waited for, ends with another certificate or plans the next try.
 */
static gboolean
may_begin (DpsProvisioner *self)
{
  return self->attempt == NULL && self->timer == 0 && !self->preparing &&
         !dps_provisioner_must_wait (self) &&
         dps_settings_get_config (self->settings) != NULL;
}

gboolean
dps_provisioner_must_renew (DpsProvisioner *self)
{
  return dps_renewer_decide (self->renewer) != DPS_RENEWAL_LATER;
}

void
dps_provisioner_on_renewal_due (gpointer data)
{
  DpsProvisioner *self = data;

  if (!may_begin (self))
    return;
  dps_info ((TOPIC ("certificate")),
            "the device's certificate %s; this host asks for another",
            dps_renewer_decide (self->renewer) == DPS_RENEWAL_EXPIRED
                ? "has expired"
                : "is due for renewal");
  dps_provisioner_begin_attempt (self, WANT_NEW_IDENTITY);
}

/* No wait is cut short: the timer of systemd comes by whether or not a try has failed. */
gboolean
dps_provisioner_renew (DpsProvisioner *self, GError **error)
{
  if (!dps_provisioner_must_renew (self) || !may_begin (self))
    return TRUE;
  if (!dps_provisioner_refresh (self, error) ||
      !dps_keeper_is_readable (self->keeper, error))
    return FALSE;
  dps_provisioner_on_renewal_due (self);
  return TRUE;
}

gboolean
dps_provisioner_serves_on (DpsProvisioner *self)
{
  return dps_renewer_decide (self->renewer) == DPS_RENEWAL_DUE;
}
