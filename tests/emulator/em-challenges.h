/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The challenges that a registration may still answer: so many of each and so many in
 * all, for so long. A client that is too late starts anew. */
#pragma once

#include "em-tpm-blob.h"

#define EM_CHALLENGES_EACH 4
#define EM_CHALLENGES_MAX 4096
#define EM_CHALLENGE_SECONDS (60 * 60)

/* A host's TPM, as far as the service knows it. */
typedef struct
{
  EmTpmPublic ek;
  EmTpmPublic srk;
} EmTpmHost;

typedef struct
{
  char *registration_id;
  EmTpmHost host;
  GBytes *key; /* what was in the blob, and signs the answer */
  gint64 made;
} EmChallenge;

typedef struct _EmChallenges EmChallenges;

EmChallenges *em_challenges_new (void);
void em_challenges_free (EmChallenges *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmChallenges, em_challenges_free)

/* NOW is in seconds, of a clock that only goes forward. Takes a reference to KEY. */
void em_challenges_add (EmChallenges *self,
                        const char *registration_id,
                        const EmTpmHost *host,
                        GBytes *key,
                        gint64 now);
/* Those made for this registration and endorsement key, newest first; they belong to
 * SELF and stay until the next call. The caller owns the array. */
GPtrArray *em_challenges_find (EmChallenges *self,
                               const char *registration_id,
                               const EmTpmPublic *ek,
                               gint64 now);
guint em_challenges_count (EmChallenges *self);
