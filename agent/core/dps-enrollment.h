/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "core/dps-keeper.h"
#include "core/dps-settings.h"

#include <gio/gio.h>

/* What an operator needs to enrol this host: lets the plugin of the configuration in
 * force, which there must be, describe it, with all that it can say of an enrolment. A
 * host with a symmetric key is known by its registration id alone: no key is read. Main
 * thread. */
void dps_enrollment_run_async (DpsSettings *settings,
                               DpsKeeper *keeper,
                               GAsyncReadyCallback callback,
                               gpointer data);

/* a{sv} as GetEnrollment answers it (dbus/org.dpsagent.Agent1.xml), the caller's; NULL
 * with *failure, the caller's, where the host cannot be described now. */
GVariant *dps_enrollment_run_finish (GAsyncResult *result, DpsFailure **failure);

/* That failure as a caller hears of it: DPS_ERROR with code, cause and remedy. */
GError *dps_enrollment_error (const DpsFailure *failure);
