/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What of this host an enrolment needs; all text, borrowed. */
typedef struct
{
  const char *registration_id;
  const char *endorsement_key;       /* base64 of the TPM2B_PUBLIC */
  const char *storage_root_key_name; /* hex */
  const char *other_registration_id; /* of the other template's key; NULL = none */
} TpmEnrollment;

/* The record for people, with line ends. Pure; the caller's. */
char *tpm_enrollment_text (const TpmEnrollment *self);
