/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-guard.h"

#include <gio/gio.h>

/* DpsPluginQueue: the calls of one runner, served one after another, and the process that
 * is kept for the next of them. For dps-plugin-runner.c alone. */
typedef struct _DpsPluginQueue DpsPluginQueue;

/* name: the plugin's, borrowed. */
DpsPluginQueue *dps_plugin_queue_new (const char *name);

/* Only without calls. A process that is kept is killed; the main loop reaps it. */
void dps_plugin_queue_free (DpsPluginQueue *self);

/* ms that a process is kept after a verb that succeeded; 0 ends one that is. */
void dps_plugin_queue_set_linger (DpsPluginQueue *self, guint ms);

/* Copies guard; its data is destroyed with the queue. At most once. */
void dps_plugin_queue_set_guard (DpsPluginQueue *self, const DpsPluginGuard *guard);

/* Takes the task, whose data is a DpsPluginCall; serves it at once where no other is. */
void dps_plugin_queue_push (DpsPluginQueue *self, GTask *task);
