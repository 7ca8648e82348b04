/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <openssl/evp.h>

/* SoftHSM2 at the places where its package has it, and where a confined process finds it:
 * /etc/softhsm and /var/lib/softhsm of a mount namespace of this process's own. */

/* TOKEN_MODULE, SoftHSM2 itself, comes from the build. */
/* The same, behind login-counter.c. */
#define TOKEN_COUNTING_MODULE "/usr/lib/softhsm/counting.so"
#define TOKEN_PIN "73924511"

/* FALSE where this user may not make one; then the tests are to be skipped. Before any
 * thread is started. */
gboolean token_fixture_enter (void);

/* Installs TOKEN_COUNTING_MODULE, after g_test_init(). */
void token_fixture_count (void);

/* A new token with TOKEN_PIN. */
void token_fixture_add (const char *label);
/* C_Login of that module since the last call. */
guint token_fixture_take_logins (void);
/* A private key and its public half; id in hex. */
void token_fixture_import (const char *token,
                           EVP_PKEY *key,
                           const char *label,
                           const char *id);
