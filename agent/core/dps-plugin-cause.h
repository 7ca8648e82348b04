/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "net/dps-failure.h"

/* The row of the table of failures that an error of the plugin runner belongs to: what
 * the plugin named (DpsHost.set_cause) where the agent knows the word, what is wrong with
 * the TPM where it could not be opened, else what follows from the error's code. A cause
 * is taken off the message, known or not. Pure. */
DpsFailureKind dps_plugin_cause_kind (GError *error);
