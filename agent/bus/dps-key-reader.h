/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "common/dps-secret.h"

#include <gio/gio.h>

/* A key that comes with a call as a descriptor: argument index, of type h. Reads it to
 * its end, at most 1 KiB, in a worker, since a pipe may be slow. */
void dps_key_reader_read_async (GDBusMethodInvocation *invocation,
                                gsize index,
                                GAsyncReadyCallback callback,
                                gpointer data);

/* The caller's; NULL with DPS_ERROR_INVALID_ARGUMENT where there is no descriptor, else
 * as dps_secret_read_fd(). */
DpsSecret *dps_key_reader_read_finish (GAsyncResult *result, GError **error);
