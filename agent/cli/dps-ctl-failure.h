/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cli/dps-ctl.h"

/* DpsCtlFailure: an error as dpsctl tells it: what went wrong and what to do about it. */
typedef struct
{
  DpsCtlExit exit;
  char *name;         /* D-Bus error name */
  char *code;         /* "DPS-E…", or "" */
  char *message;      /* without the name and the code */
  const char *remedy; /* static; "" where the message says it all */
} DpsCtlFailure;

/* What an error of GDBus, remote or local, means for the operator. */
DpsCtlFailure *dps_ctl_failure_from_error (const GError *error);
void dps_ctl_failure_free (DpsCtlFailure *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsCtlFailure, dps_ctl_failure_free)

/* Print the failure on standard error, as JSON on standard output too where asked, and
 * return the exit code. */
DpsCtlExit dps_ctl_fail (const DpsCtl *ctl, const GError *error);
DpsCtlExit dps_ctl_fail_with (const DpsCtl *ctl,
                              DpsCtlExit exit,
                              const char *code,
                              const char *remedy,
                              const char *format,
                              ...) G_GNUC_PRINTF (5, 6);
