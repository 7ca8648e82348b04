/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device API of the provisioning service: register, operation status, registration
 * status. */
#pragma once

#include "em-issuer.h"
#include "em-registry.h"
#include "em-request.h"
#include "em-scenario.h"
#include "em-tpm.h"

typedef struct
{
  char *id_scope;
  char *default_hub;
  char *retry_after; /* NULL leaves the header out */
  guint polls;
  gboolean strict_content_type;
} EmDpsOptions;

/* A service, of borrowed parts. */
typedef struct
{
  const EmDpsOptions *options;
  EmEnrolments *enrolments;
  EmRegistry *registry;
  EmTpm *tpm;
  EmIssuer *issuer;
} EmDps;

/* TWEAK, which may be NULL, says what a scenario wants to come out of the operation. */
EmReply *em_dps_handle (const EmDps *self,
                        const EmRequest *request,
                        const EmAnswer *tweak);
