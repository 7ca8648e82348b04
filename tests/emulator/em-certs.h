/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The emulator's own certificates: a CA that stays, and a server certificate made anew
 * when its names change. */
#pragma once

#include <gio/gio.h>

/* Leaves ca.pem, ca.key, server.pem and server.key in DIR and returns the text of the
 * last two. NAMES are host names or addresses. */
gboolean em_certs_prepare (const char *dir,
                           const char *const *names,
                           char **cert_pem,
                           char **key_pem,
                           GError **error);
