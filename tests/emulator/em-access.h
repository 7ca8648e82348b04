/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who asks: the check of a device's credential against the enrolments. */
#pragma once

#include "em-request.h"
#include "em-token.h"
#include "em-tpm.h"

typedef struct
{
  const char *id_scope;
  const EmRequest *request;
  EmTpm *tpm;
  gboolean challenge; /* a good answer to a challenge gets another one */
  EmTpmFault fault;   /* of a blob that goes out */

  const char *registration_id;
  GPtrArray *candidates;     /* EmEnrolment */
  EmEnrolment *enrolment;    /* who vouches */
  EmTpmHost *host;           /* of the body, then of the challenge that was answered */
  EmTokenVerdict verdict;    /* EM_N_TOKEN_VERDICTS before the token was looked at */
  EmX509Verdict certificate; /* EM_N_X509_VERDICTS where none was asked for */
} EmAccess;

/* Looks up who may vouch for the registration; its ID is borrowed. */
void em_access_look_up (EmAccess *self,
                        EmEnrolments *enrolments,
                        const char *registration_id);
void em_access_clear (EmAccess *self);

/* With a TPM the body is part of the credential. */
gboolean em_access_needs_body (const EmAccess *self);
/* NULL if the device is who it says, else the answer. BODY may be NULL. */
EmReply *em_access_check (EmAccess *self, JsonObject *body);
