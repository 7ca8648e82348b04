/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the service remembers: a record for each registration, and which device is in
 * which hub. */
#pragma once

#include "em-challenges.h"
#include "em-enrolments.h"

/* A device may re-register for ever; only this many of its operations can still be asked
 * for. */
#define EM_OPERATIONS_MAX 10

typedef struct
{
  char *id;
  guint polls_left;
  char *status;
} EmOperation;

typedef struct
{
  EmEnrolment *enrolment;
  JsonNode *request_payload;
  EmTpmHost *host;          /* NULL without a TPM */
  char *authentication_key; /* the blob of the last assignment, or NULL */
  GQueue operations;        /* newest first */
  char *hub;
  char *device_id;
  const char *substatus;
  GBytes *hub_keys[3];
  EmX509Trust *hub_trust;  /* in place of keys, or NULL */
  X509_REQ *csr;           /* of the newest registration, or NULL */
  JsonArray *issued_chain; /* of the last assignment, or NULL */
  int error_code;
  char *error_message;
  gint64 created;
  gint64 updated;
  char *etag;
} EmRecord;

typedef struct _EmRegistry EmRegistry;

EmRegistry *em_registry_new (void);
void em_registry_free (EmRegistry *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmRegistry, em_registry_free)

/* Records belong to the registry. */
EmRecord *em_registry_find (EmRegistry *self, const char *registration_id);
EmRecord *em_registry_find_device (EmRegistry *self,
                                   const char *hub,
                                   const char *device_id);

/* Makes or renews the record, which takes the enrolment, and adds an operation to it. */
EmRecord *em_registry_register (EmRegistry *self, EmEnrolment *enrolment, guint polls);
EmOperation *em_record_find_operation (EmRecord *self, const char *id);
void em_registry_assign (EmRegistry *self,
                         EmRecord *record,
                         const char *hub,
                         const char *device_id);
/* From now on the hub wants such certificates alone. */
void em_record_set_hub_trust (EmRecord *self, EmX509Trust *trust);
/* Stamps a change. */
void em_record_touch (EmRecord *self);
