/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tpm-enrollment.h"

char *
tpm_enrollment_text (const TpmEnrollment *self)
{
  GString *text = g_string_new ("individual enrollment, TPM\n");

  g_string_append_printf (text,
                          "registration id: %s\n"
                          "endorsement key: %s\n"
                          "storage root key, Name: %s (the service does not compare it)",
                          self->registration_id,
                          self->endorsement_key,
                          self->storage_root_key_name);
  if (self->other_registration_id != NULL)
    g_string_append_printf (text,
                            "\nregistration id of the other endorsement key template:"
                            " %s (see ek-template=, if the enrolment has this one)",
                            self->other_registration_id);
  return g_string_free (text, FALSE);
}
