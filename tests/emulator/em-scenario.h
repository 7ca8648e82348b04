/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scenario file: rules that pick requests by kind and count, and say how to spoil
 * their answers. */
#pragma once

#include "em-issuer.h"
#include "em-reply.h"
#include "em-tpm-fault.h"

#include <gio/gio.h>

/* What becomes of a CSR. */
typedef enum
{
  EM_CSR_BY_POLICY, /* issued or ignored as the enrolment has it */
  EM_CSR_IGNORED,
  EM_CSR_REFUSED,
} EmCsrAnswer;

/* What one rule does. An answer with a status takes the place of the normal one, others
 * bend it. */
typedef struct
{
  gint64 status;
  GPtrArray *headers; /* name, value, name, value … */
  char *body;
  gint64 body_size;
  int framing; /* EmFraming */
  gint64 chunk_size;
  gint64 delay_ms;
  gboolean reset;
  gboolean close;
  char *retry_after;
  gboolean omit_retry_after;
  char *operation_status;
  gint64 error_code;
  char *error_message;
  char *hub;
  char *device_id;
  char *date;
  gboolean network_401;
  gint64 header_size;
  gboolean challenge;
  int tpm_blob;     /* EmTpmFault */
  int csr;          /* EmCsrAnswer */
  int issued_chain; /* EmIssueFault */
} EmAnswer;

typedef struct _EmScenario EmScenario;

EmScenario *em_scenario_new (void);
EmScenario *em_scenario_load (const char *path, GError **error);
void em_scenario_free (EmScenario *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmScenario, em_scenario_free)

/* The largest header any rule may add, for the server to make room. */
gsize em_scenario_header_max (EmScenario *self);

/* Counts the request for every rule it matches. Returns the answer of the first rule that
 * applies, which the scenario keeps, and its name; or NULL. */
const EmAnswer *em_scenario_match (EmScenario *self,
                                   gboolean hub,
                                   const char *method,
                                   const char *path,
                                   const char **name);

/* The answer in place of the normal one, or NULL if the rule only bends it. */
EmReply *em_answer_replace (const EmAnswer *self);
void em_answer_bend (const EmAnswer *self, EmReply *reply);
