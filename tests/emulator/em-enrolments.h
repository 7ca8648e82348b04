/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may register: the individual enrolments and the groups of the enrolments file. */
#pragma once

#include "em-tpm-blob.h"
#include "em-x509.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>

typedef enum
{
  EM_ENABLED,
  EM_DISABLED,
} EmStatus;

/* How a disabled enrolment shows: refused outright, or an operation that ends as
 * "disabled". */
typedef enum
{
  EM_DISABLED_401,
  EM_DISABLED_STATE,
} EmDisabledShape;

/* One registration's view of an enrolment; for a group, KEYS are the derived ones. With
 * an endorsement key there are none until one is made for the host, and with TRUST, which
 * only X.509 has, none at all. */
typedef struct
{
  char *registration_id;
  char *device_id;
  char *hub;
  char *group_id;
  GBytes *keys[3];
  EmTpmPublic *endorsement_key;
  EmX509Trust *trust;
  gint64 issued_lifetime; /* of certificates for CSRs, in seconds; 0 = none are issued */
  EmStatus status;
  EmDisabledShape disabled_shape;
  JsonNode *payload;
  gboolean echo;
} EmEnrolment;

void em_enrolment_free (EmEnrolment *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmEnrolment, em_enrolment_free)

typedef struct _EmEnrolments EmEnrolments;

EmEnrolments *em_enrolments_new (void);
EmEnrolments *em_enrolments_load (const char *path, GError **error);
void em_enrolments_free (EmEnrolments *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmEnrolments, em_enrolments_free)

/* The EmEnrolment objects that may vouch for the ID: its individual one alone if there is
 * one, else all groups. */
GPtrArray *em_enrolments_candidates (EmEnrolments *self, const char *registration_id);
