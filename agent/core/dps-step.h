/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-client.h"
#include "net/dps-failure.h"

/* What an answer of DPS means for the attempt. Pure. */
typedef enum
{
  DPS_STEP_POLL,     /* the operation goes on */
  DPS_STEP_ASSIGNED, /* there is an assignment */
  DPS_STEP_ANSWER,   /* the service challenges: answer, and register again */
  DPS_STEP_FAIL      /* this request failed; *failure says why */
} DpsStep;

/* Where the attempt is with the one challenge it may get (dps-protocol §5.4). */
typedef enum
{
  DPS_CHALLENGE_NONE,    /* the host has a key of its own: there is none */
  DPS_CHALLENGE_DUE,     /* a TPM's: the request had no token */
  DPS_CHALLENGE_ANSWERED /* the request had a token of the TPM's */
} DpsChallengeState;

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
                         DpsChallengeState challenge,
                         DpsFailure **failure);

/* TRUE where an operation may still go on although a poll failed so: a poll that was lost
 * does not throw the registration away. */
gboolean dps_step_may_poll_again (const DpsFailure *failure);
