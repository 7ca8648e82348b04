/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "core/dps-provisioner-private.h"

typedef struct
{
  DpsProvisioner *provisioner;
  DpsFailure *failure;
  void (*done) (DpsProvisioner *self, DpsFailure *failure);
} Judgement;

static void
on_known (gboolean synchronised, gpointer data)
{
  g_autofree Judgement *judgement = data;
  g_autoptr (DpsProvisioner) self = judgement->provisioner;
  g_autoptr (DpsFailure) failure = judgement->failure;

  if (synchronised)
    failure->kind = DPS_FAILURE_TLS_TIME_IN_SYNC;
  judgement->done (self, failure);
}

void
dps_provisioner_judge_clock (DpsProvisioner *self,
                             DpsFailure *failure,
                             void (*done) (DpsProvisioner *self, DpsFailure *failure))
{
  Judgement *judgement = g_new0 (Judgement, 1);

  judgement->provisioner = g_object_ref (self);
  judgement->failure = failure;
  judgement->done = done;
  if (failure->kind == DPS_FAILURE_TLS_TIME && self->ask_clock != NULL)
    self->ask_clock (self->clock_data, on_known, judgement);
  else
    on_known (FALSE, judgement);
}

void
dps_provisioner_set_clock (DpsProvisioner *self, DpsClockAsk ask, gpointer data)
{
  self->ask_clock = ask;
  self->clock_data = data;
}
