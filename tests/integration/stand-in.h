/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps-agent-generated.h"

/* StandIn: what the contract promises of the agent, and no more, on a private bus; the
 * test says what it answers. It records what it was asked. */
typedef struct
{
  GDBusConnection *connection;
  DpsDBusAgent1 *agent;
  DpsDBusAgent1Control *control;
  DpsDBusAgent1Credentials *credentials;
  guint owner_id;

  /* How calls fail; NULL: they do not. */
  const char *error_name;
  const char *error_message;

  /* What Provision or Reprovision sets off: states entered one after the other, NULL at
   * the end. */
  const char *const *script;
  guint script_id;

  const char *enrollment; /* what GetEnrollment answers, as GVariant text */

  /* What was asked last. */
  char *method;
  GVariant *options;
  char *key_kind;
  int key_fd; /* -1: none */
} StandIn;

/* On the bus at address, owning the agent's name, in state idle. */
StandIn *stand_in_new (const char *address);
void stand_in_free (StandIn *self);

/* Enters a state, as the agent would: Since changes with it. A state may carry a reason
 * and a next attempt in so many seconds: "held|DPS-E401|cause|remedy|30". */
void stand_in_enter (StandIn *self, const char *state);

/* Gives the name back, as at idle exit. */
void stand_in_leave (StandIn *self);
