/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* The one gate through which errors leave for the bus: whatever its domain, an error
 * becomes one of org.dpsagent.Error.*, its message kept. */

/* A DPS_ERROR that says the same as error; the caller's. */
GError *dps_error_gate_convert (const GError *error);

/* Answers the invocation with error, which is consumed. */
void dps_error_gate_return (GDBusMethodInvocation *invocation, GError *error);
