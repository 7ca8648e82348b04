/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "abi/dps-plugin.h"

/* What a plugin hands out is measured before it is read. Each check names what it looked
 * at and is DPS_ERROR_LIMITS_EXCEEDED or DPS_ERROR_REJECTED. Pure. */

/* NULL (fine, unless required) or UTF-8 of at most max bytes without control characters;
 * line feeds pass where lines is set. */
gboolean dps_bounds_check_text (const char *text,
                                gsize max,
                                gboolean required,
                                gboolean lines,
                                const char *what,
                                GError **error);

/* min to max bytes; the size is compared first, the bytes are never touched. */
gboolean dps_bounds_check_bytes (const DpsPluginBytes *bytes,
                                 gsize min,
                                 gsize max,
                                 const char *what,
                                 GError **error);

/* NULL or pairs of name and value, ended by NULL, within DPS_PLUGIN_MATERIAL_*_MAX. */
gboolean dps_bounds_check_material (char *const *material, GError **error);

/* Wipes and frees what the plugin gave away, unless its size is over max: then nothing it
 * says about the buffer is believed, and the process is about to end anyway. */
void dps_bounds_clear_bytes (DpsPluginBytes *bytes, gsize max);
