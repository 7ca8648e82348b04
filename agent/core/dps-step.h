/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-client.h"
#include "net/dps-failure.h"

/* What an answer of DPS means for the attempt. Pure. */
typedef enum
{
  DPS_STEP_POLL,     /* the operation goes on */
  DPS_STEP_ASSIGNED, /* there is an assignment */
  DPS_STEP_FAIL      /* this request failed; *failure says why */
} DpsStep;

/* One request to DPS and what came of it. */
typedef struct
{
  DpsOutcome outcome;
  GError *error; /* NULL where there is an answer to act on */
} DpsExchange;

void dps_exchange_free (DpsExchange *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsExchange, dps_exchange_free)

/* polling: the answer is to a status poll. *failure is set with DPS_STEP_FAIL only, and
 * is the caller's. */
DpsStep dps_step_decide (const DpsExchange *exchange,
                         gboolean polling,
                         DpsFailure **failure);

/* TRUE where an operation may still go on although a poll failed so: a poll that was lost
 * does not throw the registration away. */
gboolean dps_step_may_poll_again (const DpsFailure *failure);
