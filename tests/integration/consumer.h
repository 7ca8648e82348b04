/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "dps/dps-certificate.h"

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

/* What a local service does with the agent's interface Credentials. Errors of the bus end
 * the program, but for those of calls. */

GDBusConnection *consumer_connect (const char *address);

/* A reply and its descriptors, the caller's; fds may be NULL. */
GVariant *consumer_call (GDBusConnection *bus,
                         const char *method,
                         GVariant *parameters,
                         GUnixFDList **fds,
                         GError **error);

DpsCertificateChain *consumer_get_chain (GDBusConnection *bus, GError **error);
