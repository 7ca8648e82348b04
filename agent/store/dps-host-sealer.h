/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/dps-sealer.h"

/* DpsHostSealer: the level "host". T is absent, ikm = H: whoever can read the disk can
 * read the identity, file permissions are all there is. */
#define DPS_TYPE_HOST_SEALER (dps_host_sealer_get_type ())
G_DECLARE_FINAL_TYPE (DpsHostSealer, dps_host_sealer, DPS, HOST_SEALER, GObject)

DpsSealer *dps_host_sealer_new (void);
