/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What libFuzzer calls, and play-corpus.c without it. A wrong result aborts. */
int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);
