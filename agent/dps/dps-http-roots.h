/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <openssl/x509.h>

/* The roots a server's chain may end in: the system's, and those of ca_pem (PEM) unless
 * it is NULL. The system's are looked up by hash when a chain needs one, so that a
 * handshake reads one certificate and not all; system_ca_file names a bundle to read
 * instead, or is NULL. The caller's. NULL with DPS_ERROR_NOT_CONFIGURED for roots that
 * cannot be loaded, or DPS_ERROR_FAILED. */
X509_STORE *dps_http_roots_load (const char *system_ca_file,
                                 GBytes *ca_pem,
                                 GError **error);

/* A text that is another where dps_http_roots_load() would load other roots; the
 * caller's. A file below the system's directory that is rewritten in place goes
 * unnoticed. */
char *dps_http_roots_describe (const char *system_ca_file, GBytes *ca_pem);
