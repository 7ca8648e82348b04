/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check of a shared access signature: a pure function of the header, the keys and the
 * clock.
 *
 * The signature covers the text of sr as it was sent; only then is sr decoded and
 * compared. That is why every spelling the official clients use passes, and a spelling
 * changed after signing does not. */
#pragma once

#include <glib.h>

/* What a device's clock may be behind ours, in seconds. */
#define EM_TOKEN_SKEW 60

typedef enum
{
  EM_TOKEN_OK,
  EM_TOKEN_ABSENT,
  EM_TOKEN_MALFORMED,
  EM_TOKEN_WRONG_RESOURCE,
  EM_TOKEN_WRONG_POLICY,
  EM_TOKEN_NO_KEY,
  EM_TOKEN_BAD_SIGNATURE,
  EM_TOKEN_EXPIRED,
  EM_N_TOKEN_VERDICTS,
} EmTokenVerdict;

/* Whether the decoded sr of a token names the resource asked for. */
typedef gboolean (*EmTokenSame) (const char *sr, const char *resource);

gboolean em_token_same_registration (const char *sr, const char *resource);
gboolean em_token_same_device (const char *sr, const char *resource);

/* POLICY is the skn a token may name; a token may always leave it out or empty. KEYS is a
 * NULL-terminated array. */
EmTokenVerdict em_token_check (const char *authorization,
                               const char *resource,
                               EmTokenSame same,
                               const char *policy,
                               GBytes *const *keys,
                               gint64 now);

const char *em_token_verdict_name (EmTokenVerdict verdict);
