/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Text as roff: hyphens that are to be typed stay hyphens, no line begins with a request.
 * The caller's. */
char *dps_roff_escape (const char *text);

/* Appends the man page template, with text (taken) in the place of mark, which it has
 * once, and the version in that of @VERSION@. */
gboolean dps_roff_fill (GString *out,
                        const char *template,
                        const char *mark,
                        char *text,
                        GError **error);
