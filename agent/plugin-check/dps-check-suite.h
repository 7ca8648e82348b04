/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "plugin-check/dps-check-report.h"

/* The conformance suite for one plugin. */
typedef struct
{
  const char *file;
  const char *plugin_host;  /* dps-plugin-host */
  const char *exerciser;    /* dps-plugin-exercise */
  GHashTable *settings;     /* char * → char * */
  GHashTable *secrets;      /* char * → DpsSecret * */
  GHashTable *secret_files; /* char * → path, of the same names */
  GHashTable *published;    /* char *, the names of those that are public (a set) */
  gboolean forget;          /* forget is called too; it may change the machine */
} DpsCheckPlan;

/* Every check, each with one line to the report. Waits; main thread. */
void dps_check_suite_run (const DpsCheckPlan *plan, DpsCheckReport *report);
