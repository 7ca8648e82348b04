/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "config/dps-config.h"
#include "dps/dps-http.h"

/* A connection-to-be as the [network] group wants it, which resumes from sessions and
 * shows identity (NULL = none); the caller's. Reads certificates, so it is for a worker.
 */
DpsHttp *dps_http_setup (DpsConfig *config,
                         DpsHttpSessions *sessions,
                         DpsTlsIdentity *identity,
                         GError **error);
