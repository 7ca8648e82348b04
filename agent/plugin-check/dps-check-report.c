/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-report.h"

#include <stdio.h>
#include <string.h>

static guint
count (const DpsCheckReport *self)
{
  return self->n_ok + self->n_failed + self->n_skipped;
}

/* The counters already have this one. Whatever a plugin said in text is one line. */
static void
write_line (const DpsCheckReport *self,
            const char *verdict,
            const DpsCheckRule *rule,
            const char *format,
            va_list args)
{
  g_autofree char *raw = g_strdup_vprintf (format, args);
  g_autofree char *text = g_utf8_make_valid (raw, -1);

  g_strdelimit (text, "\n\r\t\033", ' ');
  if (!self->tap)
    printf ("%-5s %-13s %s\n", verdict, rule->name, text);
  else if (g_str_equal (verdict, "skip"))
    printf ("ok %u - %s # SKIP %s\n", count (self), rule->name, text);
  else
    printf ("%s %u - %s\n# %s\n",
            g_str_equal (verdict, "ok") ? "ok" : "not ok",
            count (self),
            rule->name,
            text);
  fflush (stdout);
}

#define WRITE(verdict)                                                                   \
  G_STMT_START                                                                           \
  {                                                                                      \
    va_list args;                                                                        \
    va_start (args, format);                                                             \
    write_line (self, verdict, rule, format, args);                                      \
    va_end (args);                                                                       \
  }                                                                                      \
  G_STMT_END

void
dps_check_report_ok (DpsCheckReport *self,
                     const DpsCheckRule *rule,
                     const char *format,
                     ...)
{
  self->n_ok++;
  WRITE ("ok");
}

void
dps_check_report_skip (DpsCheckReport *self,
                       const DpsCheckRule *rule,
                       const char *format,
                       ...)
{
  self->n_skipped++;
  WRITE ("skip");
}

void
dps_check_report_fail (DpsCheckReport *self,
                       const DpsCheckRule *rule,
                       const char *format,
                       ...)
{
  const char *margin = self->tap ? "#" : "                   ";

  self->n_failed++;
  WRITE ("FAIL");
  printf ("%s the rule: %s\n%s what to do: %s\n",
          margin,
          rule->rule,
          margin,
          rule->remedy);
}

gboolean
dps_check_report_end (DpsCheckReport *self)
{
  if (self->tap)
    printf ("1..%u\n", count (self));
  else
    printf ("%u ok, %u failed, %u skipped%s\n",
            self->n_ok,
            self->n_failed,
            self->n_skipped,
            self->n_failed > 0     ? ": this plugin does not conform"
            : self->n_skipped == 0 ? ": this plugin conforms"
            : self->strict         ? ": what was skipped was not looked at"
                                   : ": what could be looked at conforms");
  return self->n_failed == 0 && !(self->strict && self->n_skipped > 0);
}
