/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The attestation plugins that are installed, by name. */

/* Sorted names of NAME.so in directory (NULL = the compiled-in one) that are plugin
 * names; empty where it cannot be read. The caller's. */
GStrv dps_plugin_list (const char *directory);

/* a(sss) of name, availability and reason for the D-Bus property Plugins: of the chosen
 * one as given, of the others "unknown". A chosen one that is not installed is listed as
 * "never", with the directory (as for dps_plugin_list()). chosen may be NULL. Floating.
 */
GVariant *dps_plugin_list_describe (const char *const *names,
                                    const char *directory,
                                    const char *chosen,
                                    const char *availability,
                                    const char *reason);
