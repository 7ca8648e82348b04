/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "bus/dps-presence.h"
#include "core/dps-access.h"
#include "core/dps-keeper.h"
#include "core/dps-provisioner.h"
#include "core/dps-rate.h"
#include "core/dps-report.h"

/* One method call, from its arrival to its answer, and the tables of methods. Main
 * thread. */

/* The reason by which a call holds the agent (dps-presence.h). */
#define DPS_HOLD_CALL "call"

/* What a method needs of the store before it runs. */
typedef enum
{
  DPS_NEEDS_NOTHING,
  DPS_NEEDS_STORE, /* opened, whatever came of it */
  DPS_MENDS_STORE  /* and tried again where it could not be read */
} DpsNeed;

typedef struct
{
  GObject *service; /* kept alive; the following are its own */
  DpsProvisioner *provisioner;
  DpsKeeper *keeper;
  DpsReport *report;
  DpsPresence *presence; /* held until the call ends */
  DpsRate *rate;         /* of what is signed for callers */
  GDBusMethodInvocation *invocation;
  const struct DpsMethod *method;
  uid_t uid; /* of the caller, once authorised */
} DpsCall;

typedef struct DpsMethod
{
  const char *signal; /* of the generated skeleton */
  DpsRight right;
  DpsNeed need;
  void (*run) (DpsCall *call); /* answers, and ends the call */
} DpsMethod;

/* The methods of org.dpsagent.Agent1.Credentials and .Control; signal NULL ends one. */
extern const DpsMethod dps_credentials_methods[];
extern const DpsMethod dps_control_methods[];

/* Each ends the call. error is taken, value sunk (NULL = no result). */
void dps_call_fail (DpsCall *call, GError *error);
void dps_call_answer (DpsCall *call, GVariant *value);
/* With the descriptor that value refers to as (h) 0; fd stays the caller's. */
void dps_call_answer_with_fd (DpsCall *call, GVariant *value, int fd);
/* For what has succeeded or failed without a result of its own. */
void dps_call_answer_done (DpsCall *call, gboolean done, GError *error);

/* The caller's. */
GVariant *dps_call_argument (DpsCall *call, gsize index);
