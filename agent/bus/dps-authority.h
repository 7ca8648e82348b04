/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-access.h"

#include <gio/gio.h>

/* DpsAuthority: finds out who sent a call, asks the decision function of core, and polkit
 * where that says so. Denies by default and fails closed. */
typedef struct _DpsAuthority DpsAuthority;

#define DPS_POLKIT_ACTION "org.dpsagent.control"

/* on_system_bus: polkit knows callers by their names there, and there alone; elsewhere it
 * is not asked, and the answer is no. */
DpsAuthority *dps_authority_new (GDBusConnection *connection, gboolean on_system_bus);
void dps_authority_free (DpsAuthority *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsAuthority, dps_authority_free)

/* Whether the sender of invocation has right; finish is FALSE with
 * DPS_ERROR_ACCESS_DENIED where it has not, and else gives the caller's UID. self
 * outlives the call. */
void dps_authority_check_async (DpsAuthority *self,
                                GDBusMethodInvocation *invocation,
                                DpsRight right,
                                GAsyncReadyCallback callback,
                                gpointer data);
gboolean dps_authority_check_finish (GAsyncResult *result, uid_t *uid, GError **error);
