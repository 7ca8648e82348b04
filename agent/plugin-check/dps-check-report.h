/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* DpsCheckReport: the lines that a run writes to standard output, one for each check, and
 * how many were good. */
typedef struct
{
  gboolean tap;    /* as TAP; else for people */
  gboolean strict; /* what is skipped is not good */
  guint n_ok;
  guint n_failed;
  guint n_skipped;
} DpsCheckReport;

/* What a plugin has to keep, and what its author can do where it does not. */
typedef struct
{
  const char *name; /* of the check */
  const char *rule; /* as dps-plugin.h has it */
  const char *remedy;
} DpsCheckRule;

void dps_check_report_ok (DpsCheckReport *self,
                          const DpsCheckRule *rule,
                          const char *format,
                          ...) G_GNUC_PRINTF (3, 4);

/* Shows what was seen with the rule and the remedy. */
void dps_check_report_fail (DpsCheckReport *self,
                            const DpsCheckRule *rule,
                            const char *format,
                            ...) G_GNUC_PRINTF (3, 4);

void dps_check_report_skip (DpsCheckReport *self,
                            const DpsCheckRule *rule,
                            const char *format,
                            ...) G_GNUC_PRINTF (3, 4);

/* The plan of a TAP, or a sentence. TRUE where nothing failed and, if strict, nothing was
 * skipped. */
gboolean dps_check_report_end (DpsCheckReport *self);
