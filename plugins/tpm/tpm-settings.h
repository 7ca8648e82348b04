/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dps-plugin.h>
#include <tss2/tss2_tpm2_types.h>

/* [plugin tpm], and what the agent adds to it. */
typedef struct
{
  gboolean legacy_ek;           /* ek-template= */
  gboolean persist_ek;          /* persist-ek= */
  gboolean hex;                 /* registration-id-form= */
  TPM2_HANDLE persist_handle;   /* persist-handle=; 0 = none */
  gboolean describe_enrollment; /* what describing costs a command that makes a key */
} TpmSettings;

/* Pure. What is not set has its default. NULL, or the name of the setting whose value is
 * none. */
const char *tpm_settings_read (const DpsHost *host, TpmSettings *settings);
