/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "abi/dps-plugin.h"

/* A plugin's shared object. What is checked is what is loaded: file and directory are
 * held by descriptor from the check to the loading. */

/* Loads NAME.so from directory, runs its constructors, and copies what it exports to
 * *info as far as both sides know it: verbs that the plugin does not have are NULL. The
 * module stays loaded until the process ends.
 * any_owner, for a plugin's author alone: the file and its directories may be anybody's.
 *
 * DPS_ERROR_INVALID_ARGUMENT (the name), NOT_SUPPORTED (no such file), ACCESS_DENIED (not
 * root's alone), REJECTED (no plugin, another ABI or name). */
gboolean dps_module_load (const char *directory,
                          const char *name,
                          gboolean any_owner,
                          DpsPluginInfo *info,
                          GError **error);

/* The comparison alone: what a module called name exports. Calls nothing. */
gboolean dps_module_check (const DpsPluginInfo *exported,
                           const char *name,
                           DpsPluginInfo *info,
                           GError **error);
