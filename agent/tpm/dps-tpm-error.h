/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What goes wrong with a TPM, sorted by what an operator does about it. Each code has one
 * word; under that word the tpm plugin names it to the agent (DpsHost.set_cause), whose
 * table of failures has a row for it. The numbers are not stable, the words are. */
#define DPS_TPM_ERROR (dps_tpm_error_quark ())

typedef enum
{
  DPS_TPM_ERROR_NO_DEVICE,           /* the device or socket is not there */
  DPS_TPM_ERROR_PERMISSION,          /* it is there and may not be opened */
  DPS_TPM_ERROR_RAW_ONLY,            /* /dev/tpm0 without /dev/tpmrm0 */
  DPS_TPM_ERROR_TIMED_OUT,           /* no response within the command's deadline */
  DPS_TPM_ERROR_LOST,                /* connection gone, or a response that is none */
  DPS_TPM_ERROR_CLEARED,             /* same TPM, another owner seed than before */
  DPS_TPM_ERROR_REPLACED,            /* another TPM than before */
  DPS_TPM_ERROR_OWNER_AUTH,          /* the owner hierarchy wants another password */
  DPS_TPM_ERROR_ENDORSEMENT_AUTH,    /* the endorsement hierarchy does */
  DPS_TPM_ERROR_SRK_AUTH,            /* the storage root key does */
  DPS_TPM_ERROR_LOCKOUT,             /* dictionary-attack lockout is active */
  DPS_TPM_ERROR_OTHER_EK,            /* a challenge for another endorsement key */
  DPS_TPM_ERROR_OTHER_SRK,           /* a challenge for another storage root key */
  DPS_TPM_ERROR_CHALLENGE_MALFORMED, /* it does not parse (dps-protocol §5.5) */
  DPS_TPM_ERROR_CHALLENGE_DAMAGED,   /* it parses and an integrity value does not fit */
  DPS_TPM_ERROR_BUSY,                /* RETRY, NV_RATE or TESTING, for too long */
  DPS_TPM_ERROR_MEMORY,              /* no room for objects or sessions */
  DPS_TPM_ERROR_NV_FULL,             /* no room for a persistent key */
  DPS_TPM_ERROR_NOT_SUPPORTED,       /* lacks a command or an algorithm */
  DPS_TPM_ERROR_FAILED,              /* anything else; the text has the code */
  DPS_TPM_N_ERRORS
} DpsTpmError;

GQuark dps_tpm_error_quark (void);

/* "tpm-no-device" and so on; static. */
const char *dps_tpm_error_word (DpsTpmError code);

/* FALSE where word is none of them. */
gboolean dps_tpm_error_from_word (const char *word, DpsTpmError *code);
