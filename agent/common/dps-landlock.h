/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The newest Landlock ABI whose rights are all handled here; 7 added only logging. */
#define DPS_LANDLOCK_ABI_MAX 7

/* The Landlock ABI in force for a process that enters a ruleset now: what the kernel
 * offers, at most DPS_LANDLOCK_ABI_MAX; 0 = the kernel has none, or not enabled. */
guint dps_landlock_abi (void);
