/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The a{sv} options of a method. Pure. */
typedef struct
{
  const char *name;
  const char *type; /* a D-Bus signature */
} DpsOption;

/* Every member of options is one of the n known ones and of its type; otherwise
 * DPS_ERROR_INVALID_ARGUMENT naming it and those that are known. */
gboolean dps_options_check (GVariant *options,
                            const DpsOption *known,
                            gsize n,
                            GError **error);
