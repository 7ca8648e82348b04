/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* DpsCtlProgress: where a wait shows how far it is. On a terminal one line that is
 * overwritten, else one line for each change; nothing where JSON is asked for. */
typedef struct
{
  gboolean quiet;
  gboolean live;
  guint width; /* columns of what stands on the live line */
  char *last;  /* what was shown last */
} DpsCtlProgress;

void dps_ctl_progress_init (DpsCtlProgress *self, gboolean quiet);

/* line: fit for a terminal (dps_ctl_view_line). key: what must differ from the last
 * call's for another line to be worth printing; on a terminal every call shows. */
void dps_ctl_progress_show (DpsCtlProgress *self, const char *key, const char *line);

/* Takes the live line off the terminal and frees what is held. */
void dps_ctl_progress_clear (DpsCtlProgress *self);

/* line cut to columns, never within a character. Free with g_free. */
char *dps_ctl_progress_cut (const char *line, guint columns, guint *used);
