/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <openssl/evp.h>

/* SoftHSM2 at the places where its package has it, and where a confined process finds it:
 * /etc/softhsm and /var/lib/softhsm of a mount namespace of this process's own. */

#define TOKEN_MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define TOKEN_PIN "73924511"

/* FALSE where this user may not make one; then the tests are to be skipped. Before any
 * thread is started. */
gboolean token_fixture_enter (void);

/* A new token with TOKEN_PIN. */
void token_fixture_add (const char *label);
/* No token any more. */
void token_fixture_remove_all (void);
/* A private key and its public half; id in hex. */
void token_fixture_import (const char *token,
                           EVP_PKEY *key,
                           const char *label,
                           const char *id);
