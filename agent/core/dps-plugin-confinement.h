/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-plugin-runner.h"

/* What confines the plugins, for people: the D-Bus property PluginConfinement. */

/* The one exception, decided by the configuration: an x509 plugin whose key is a pkcs11:
 * URI opens sockets of AF_UNIX, for its token's daemon. Either may be NULL. Pure. */
gboolean dps_plugin_confinement_grants_unix (const char *attestation,
                                             const char *x509_key);

/* What will be in force for a plugin that is started on this kernel now. A filter that
 * can not be installed keeps the plugin from being loaded, so seccomp is always. */
DpsPluginConfinement dps_plugin_confinement_expect (gboolean unix_sockets);

/* a{sas}: a row for each name. chosen (may be NULL, and may be none of names) has
 * of_chosen, the others of_others. Words: "seccomp", "landlock-ABI" or "no-landlock",
 * "unix-sockets". Floating. Pure. */
GVariant *dps_plugin_confinement_describe (const char *const *names,
                                           const char *chosen,
                                           const DpsPluginConfinement *of_chosen,
                                           const DpsPluginConfinement *of_others);
