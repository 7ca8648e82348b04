/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* DpsPresence: the agent's stay on the bus. It owns the name, is held by named reasons,
 * and leaves when nothing has held it for a while: it gives the name back, serves what
 * had been sent to it until then, and only then says that it has left. A call at the
 * boundary goes either to this process or, by activation, to the next; none is lost. */
#define DPS_TYPE_PRESENCE (dps_presence_get_type ())
G_DECLARE_FINAL_TYPE (DpsPresence, dps_presence, DPS, PRESENCE, GObject)

/* idle_ms 0 = never leave by itself. left is called once, on the main loop. */
DpsPresence *dps_presence_new (GDBusConnection *connection,
                               const char *name,
                               guint idle_ms,
                               void (*left) (gpointer data),
                               gpointer data);

/* Asks for the name; call when everything is exported. */
gboolean dps_presence_enter (DpsPresence *self, GError **error);

/* Named holds; each hold is released once, under the same static name. */
void dps_presence_hold (DpsPresence *self, const char *reason);
void dps_presence_release (DpsPresence *self, const char *reason);

/* Leaves as soon as what is being served is done, whatever else holds. */
void dps_presence_leave (DpsPresence *self);
