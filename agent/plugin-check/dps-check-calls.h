/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-runner.h"
#include "plugin-check/dps-check-exercise.h"

/* Calls of a plugin's verbs, waited for: each in the real dps-plugin-host, confined as in
 * the agent, with the agent's deadlines and limits. */

typedef struct
{
  const char *plugin_host;
  char *directory; /* of the plugin */
  char *name;
  GPtrArray *log; /* char *: every line that the plugin's processes logged so far */
} DpsCheckHost;

/* What one call gets. Each may be NULL but for the input of answer and sign. */
typedef struct
{
  GHashTable *settings; /* char * → char * */
  GHashTable *secrets;  /* char * → DpsSecret * */
  const char *slot;     /* of sign */
  const char *mechanism;
  DpsSecret *input; /* the challenge of answer, the blob of sign */
  GBytes *data;     /* what to sign */
} DpsCheckInput;

typedef enum
{
  DPS_CHECK_ANSWERED,  /* it returned something, within the limits */
  DPS_CHECK_REFUSED,   /* the plugin, or the host for it, returned an error */
  DPS_CHECK_TIMED_OUT, /* its deadline passed */
  DPS_CHECK_DIED,      /* it crashed, left, or broke the connection */
  DPS_CHECK_NOT_LOADED,
} DpsCheckEnd;

typedef struct
{
  DpsCheckEnd end;
  GError *error; /* NULL where it answered */
  guint ms;      /* of the verb and of what surrounds it, without the loading */
  DpsPluginProbe *probe;
  DpsPluginDescription *description;
  DpsSecret *blob;
  GBytes *signature;
} DpsCheckOutcome;

/* Takes what plugins log instead of letting it be printed; once, before any call. */
void dps_check_host_init (DpsCheckHost *self,
                          const char *plugin_host,
                          const char *plugin_file);
void dps_check_host_clear (DpsCheckHost *self);

DpsCheckOutcome *dps_check_call (DpsCheckHost *self,
                                 DpsCheckVerb verb,
                                 const DpsCheckInput *input);

/* Its deadline in ms, as dps-plugin.h has it. */
guint dps_check_deadline (DpsCheckVerb verb);

void dps_check_outcome_free (DpsCheckOutcome *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsCheckOutcome, dps_check_outcome_free)
