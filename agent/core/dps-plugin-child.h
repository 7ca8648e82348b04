/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* DpsPluginChild: one dps-plugin-host process: its spawning, its end, and what it writes
 * to standard output and error. Main thread and default main context only (the kernel
 * ties the child's life to the thread that spawned it). */
typedef struct _DpsPluginChild DpsPluginChild;

/* wait_status as waitpid() has it. Called once, from the main loop. */
typedef void (*DpsPluginChildEnded) (int wait_status, gpointer data);

/* At most this much of a child's output reaches the log. */
#define DPS_PLUGIN_OUTPUT_MAX 4096

/* Exceptions from the confinement and from the rules for plugin files. */
typedef enum
{
  DPS_PLUGIN_ALLOW_NOTHING = 0,
  DPS_PLUGIN_ALLOW_UNIX = 1 << 0,      /* sockets of AF_UNIX */
  DPS_PLUGIN_ALLOW_ANY_OWNER = 1 << 1, /* see dps_plugin_runner_set_any_owner() */
} DpsPluginAllowed;

/* Starts host_path for the plugin in a process group, session environment and descriptor
 * table of its own: 0 is /dev/null, 1 and 2 are read here, 3 is the socket, and there are
 * no others. plugin_dir NULL = the compiled-in one. ended is called when the process is
 * reaped. NULL with error set where it can not be started. */
DpsPluginChild *dps_plugin_child_spawn (const char *host_path,
                                        const char *plugin_dir,
                                        const char *name,
                                        DpsPluginAllowed allowed,
                                        DpsPluginChildEnded ended,
                                        gpointer data,
                                        GError **error);

/* The agent's end of the socket, once; the caller's. */
GIOStream *dps_plugin_child_steal_stream (DpsPluginChild *self);

/* SIGKILL to the process and its group; nothing where it has ended. */
void dps_plugin_child_kill (DpsPluginChild *self);

/* Only after ended was called. */
void dps_plugin_child_free (DpsPluginChild *self);

/* One line that the child wrote, without its end: takes the level off its front ("<4>";
 * none = info), makes it UTF-8 and escapes control characters. Pure; the caller's. */
char *dps_plugin_child_parse_line (const char *line, gsize size, GLogLevelFlags *level);
