/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Whether the clock of this host is known to be synchronised, as
 * org.freedesktop.timedate1 says (NTPSynchronized); FALSE too where it does not answer
 * within seconds. known is called once, on the main loop. */
void dps_timedate_ask (GDBusConnection *connection,
                       void (*known) (gboolean synchronised, gpointer data),
                       gpointer data);
