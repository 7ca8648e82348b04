/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tpm/dps-tpm.h"

#include <string.h>
#include <tss2/tss2_sys.h>

/* No object that a context ever has. */
#define NO_OBJECT ((ESYS_TR) UINT32_MAX)

/* ESAPI stores what Create is called with, and the next one takes its place even where
 * its parent is unknown, so that nothing is sent. */
static void
wipe_input (ESYS_CONTEXT *esys)
{
  const TPM2B_SENSITIVE_CREATE sensitive = { 0 };
  const TPM2B_PUBLIC public = { 0 };
  const TPM2B_DATA outside = { 0 };
  const TPML_PCR_SELECTION pcrs = { 0 };

  Esys_Create_Async (esys,
                     NO_OBJECT,
                     ESYS_TR_PASSWORD,
                     ESYS_TR_NONE,
                     ESYS_TR_NONE,
                     &sensitive,
                     &public,
                     &outside,
                     &pcrs);
}

/* ESAPI decrypts a response where it lies, in the context's own buffer, of which SAPI
 * gives a view. */
static void
wipe_response (ESYS_CONTEXT *esys)
{
  TSS2_SYS_CONTEXT *sys;
  const uint8_t *parameter;
  size_t size;

  if (Esys_GetSysContext (esys, &sys) == TSS2_RC_SUCCESS &&
      Tss2_Sys_GetEncryptParam (sys, &size, &parameter) == TSS2_RC_SUCCESS)
    explicit_bzero ((uint8_t *) parameter, size);
}

void
dps_tpm_wipe_last (DpsTpm *self)
{
  wipe_response (dps_tpm_get_esys (self));
  wipe_input (dps_tpm_get_esys (self));
}
