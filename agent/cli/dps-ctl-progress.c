/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "cli/dps-ctl-progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

void
dps_ctl_progress_init (DpsCtlProgress *self, gboolean quiet)
{
  *self = (DpsCtlProgress){ .quiet = quiet, .live = isatty (STDOUT_FILENO) };
}

char *
dps_ctl_progress_cut (const char *line, guint columns, guint *used)
{
  const char *p;

  *used = 0;
  for (p = line; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      guint width = g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;

      if (*used + width > columns)
        break;
      *used += width;
    }
  return g_strndup (line, (gsize) (p - line));
}

static guint
terminal_width (void)
{
  struct winsize size = { 0 };

  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
    return 80;
  return size.ws_col;
}

/* Blanks instead of an escape sequence: the terminal's kind need not be known. */
static void
overwrite (DpsCtlProgress *self, const char *line)
{
  guint used;
  g_autofree char *cut = dps_ctl_progress_cut (line, terminal_width () - 1, &used);

  printf ("\r%s%*s", cut, self->width > used ? (int) (self->width - used) : 0, "");
  if (*cut == '\0')
    putchar ('\r');
  self->width = used;
}

void
dps_ctl_progress_show (DpsCtlProgress *self, const char *key, const char *line)
{
  if (self->quiet)
    return;
  if (self->live)
    overwrite (self, line);
  else if (g_strcmp0 (key, self->last) != 0)
    puts (line);
  fflush (stdout);
  g_free (self->last);
  self->last = g_strdup (key);
}

void
dps_ctl_progress_clear (DpsCtlProgress *self)
{
  if (self->live && !self->quiet && self->last != NULL)
    {
      overwrite (self, "");
      fflush (stdout);
    }
  g_clear_pointer (&self->last, g_free);
}
