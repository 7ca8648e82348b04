/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What a shared object says of itself, read without loading it. */
typedef struct
{
  GPtrArray *exports; /* char *: its symbols without the toolchain's (_init, …) */
  GPtrArray *needs;   /* char *: the libraries it names */
} DpsCheckElf;

/* DPS_ERROR_REJECTED where data is no shared object of this machine's word size, or where
 * its tables lead out of it. Pure. */
DpsCheckElf *dps_check_elf_parse (const guint8 *data, gsize size, GError **error);

void dps_check_elf_free (DpsCheckElf *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsCheckElf, dps_check_elf_free)
