/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What every verb is given: the global options. */
typedef struct
{
  gboolean json;
  const char *bus_address; /* NULL: the system bus */
  const char *config_dir;  /* NULL: the agent's own */
} DpsCtl;

/* The exit codes of dpsctl, a promise to scripts (dpsctl.1, "EXIT STATUS"). */
typedef enum
{
  DPS_CTL_EXIT_OK = 0,
  DPS_CTL_EXIT_FAILED = 1,
  DPS_CTL_EXIT_USAGE = 2,
  DPS_CTL_EXIT_NOT_PROVISIONED = 3,
  DPS_CTL_EXIT_DENIED = 4,
  DPS_CTL_EXIT_TIMED_OUT = 5,
  DPS_CTL_EXIT_NOT_CONFIGURED = 6,
} DpsCtlExit;

/* One verb: its face in the help, its options, and what it does. */
typedef struct
{
  const char *name;
  const char *arguments;       /* behind the name in the usage line, or "" */
  const char *summary;         /* one line, for the list of verbs */
  const char *details;         /* what help says beyond the summary, with one example */
  const GOptionEntry *options; /* NULL: none of its own */
  guint min_arguments;
  guint max_arguments;

  /* arguments are what is left behind the options, NULL-terminated. What went wrong has
   * been printed when this returns. */
  DpsCtlExit (*run) (const DpsCtl *ctl, char **arguments);
} DpsCtlVerb;

/* All verbs, in the order of the help, NULL-terminated. */
extern const DpsCtlVerb *const dps_ctl_verbs[];

const DpsCtlVerb *dps_ctl_verb_find (const char *name);

/* The help of verb, or the overview for NULL; free with g_free. */
char *dps_ctl_help (const DpsCtlVerb *verb);

extern const DpsCtlVerb dps_ctl_cancel;
extern const DpsCtlVerb dps_ctl_config;
extern const DpsCtlVerb dps_ctl_enrollment;
extern const DpsCtlVerb dps_ctl_help_verb;
extern const DpsCtlVerb dps_ctl_import_key;
extern const DpsCtlVerb dps_ctl_plugins;
extern const DpsCtlVerb dps_ctl_provision;
extern const DpsCtlVerb dps_ctl_reload;
extern const DpsCtlVerb dps_ctl_reset;
extern const DpsCtlVerb dps_ctl_status;
extern const DpsCtlVerb dps_ctl_token;
extern const DpsCtlVerb dps_ctl_wait;
