/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* DpsTpmWatch: waits for a TPM that cannot be opened until it can, in the default main
 * context. It watches the name in its directory by inotify: that sees the node appear and
 * udev give it its group, needs no right, and is the same for a simulator's socket. A
 * uevent of the kernel comes before both, and says nothing of a socket. */
typedef struct _DpsTpmWatch DpsTpmWatch;

/* appeared is called once, where tcti (dps-tpm-device.h) can be opened after it appeared
 * or was changed; what is there already counts for nothing. */
DpsTpmWatch *dps_tpm_watch_new (const char *tcti,
                                void (*appeared) (gpointer data),
                                gpointer data);
void dps_tpm_watch_free (DpsTpmWatch *self);

/* Whether it can be opened now. */
gboolean dps_tpm_watch_is_there (const char *tcti);
