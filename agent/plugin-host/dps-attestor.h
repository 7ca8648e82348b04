/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* DpsAttestor: the object /org/dpsagent/Attestor1 that the child exports. Serves one
 * plugin, one call at a time, in the main thread; checks what the plugin hands out before
 * any of it is copied. */
#define DPS_TYPE_ATTESTOR (dps_attestor_get_type ())
G_DECLARE_FINAL_TYPE (DpsAttestor, dps_attestor, DPS, ATTESTOR, GObject)

#define DPS_ATTESTOR_PATH "/org/dpsagent/Attestor1"

/* What is in force for this process beside the system call filter, as Load reports it. */
typedef struct
{
  guint landlock; /* ABI; 0 = none */
  gboolean unix_sockets;
} DpsAttestorConfinement;

/* For the plugin called name in plugin_dir; nothing is loaded yet. confinement is
 * copied. any_owner: see dps_module_load(). */
DpsAttestor *dps_attestor_new (const char *plugin_dir,
                               const char *name,
                               const DpsAttestorConfinement *confinement,
                               gboolean any_owner);

gboolean dps_attestor_export (DpsAttestor *self,
                              GDBusConnection *connection,
                              GError **error);
