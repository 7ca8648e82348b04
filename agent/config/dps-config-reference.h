/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Opens what a *-file key names: an absolute path or credential:NAME, the latter below
 * credentials_dir (NULL = none were passed). With secret set a path is held to the rule
 * for key files (design §5): owner root or the agent's user, readable by no group but
 * root's and the agent's, and by no others; without, to the one for configuration. A
 * descriptor, or -1 with DPS_ERROR_ACCESS_DENIED, DPS_ERROR_NOT_CONFIGURED (it is not
 * there) or a G_IO_ERROR. */
int dps_config_open_reference (const char *value,
                               const char *credentials_dir,
                               gboolean secret,
                               GError **error);
