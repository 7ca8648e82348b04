/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "common/dps-log.h"
#include "data/dps-roff.h"
#include "net/dps-failure.h"

#include <stdio.h>
#include <string.h>

/* Build-time generator: writes the documents that come from the table of failures.
 *
 *   dps-failure-doc catalog         the journal's message catalogue
 *   dps-failure-doc man TEMPLATE    TEMPLATE with @FAILURES@ and @VERSION@ filled in
 */

static const char *
schedule_text (const DpsFailureRow *row)
{
  return row->healing == DPS_HEALS_BY_ITSELF
             ? "The agent tries again by itself, backing off up to ten minutes."
             : "An operator must act; the agent looks again every 5 to 30 minutes.";
}

static void
append_catalog (GString *out)
{
  for (guint i = DPS_FAILURE_NONE + 1; i < DPS_N_FAILURES; i++)
    {
      const DpsFailureRow *row = dps_failure_row (i);
      char id[DPS_LOG_MESSAGE_ID_SIZE];

      dps_log_message_id (row->code, id);
      g_string_append_printf (out,
                              "-- %s\nSubject: %s: %s\nDefined-By: dps-agent\n\n"
                              "What to do: %s.\n\n%s See dps-agentd(8).\n\n",
                              id,
                              row->code,
                              row->cause,
                              row->remedy,
                              schedule_text (row));
    }
}

static char *
failures_as_roff (void)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = DPS_FAILURE_NONE + 1; i < DPS_N_FAILURES; i++)
    {
      const DpsFailureRow *row = dps_failure_row (i);
      g_autofree char *code = dps_roff_escape (row->code);
      g_autofree char *cause = dps_roff_escape (row->cause);
      g_autofree char *remedy = dps_roff_escape (row->remedy);

      g_string_append_printf (out,
                              ".TP\n.BR %s \" (%s, %s)\"\n%s.\nWhat to do: %s.\n",
                              code,
                              row->phase,
                              row->healing == DPS_HEALS_BY_ITSELF ? "heals by itself"
                                                                  : "operator",
                              cause,
                              remedy);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

int
main (int argc, char **argv)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  if (argc == 2 && strcmp (argv[1], "catalog") == 0)
    append_catalog (out);
  else if (argc != 3 || strcmp (argv[1], "man") != 0)
    {
      fprintf (stderr, "usage: %s catalog | man TEMPLATE\n", argv[0]);
      return 2;
    }
  else if (!dps_roff_fill (out, argv[2], "@FAILURES@\n", failures_as_roff (), &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 1;
    }
  return fputs (out->str, stdout) < 0 || fflush (stdout) != 0;
}
