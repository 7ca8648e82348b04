/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TPM attestation, the service's half: the keys it makes for a host, and in what blobs
 * they go out. */
#pragma once

#include "em-log.h"
#include "em-registry.h"
#include "em-reply.h"
#include "em-tpm-fault.h"

typedef struct _EmTpm EmTpm;

/* REVEAL, which is borrowed, gets every key that is made, in clear. */
EmTpm *em_tpm_new (EmLog *reveal);
void em_tpm_free (EmTpm *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EmTpm, em_tpm_free)

/* The challenges whose keys may sign for this host; as em_challenges_find. */
GPtrArray *em_tpm_find (EmTpm *self, const char *registration_id, const EmTpmPublic *ek);

/* The 401 with a key to sign with. DATA is the text of part 6. */
EmReply *em_tpm_challenge (EmTpm *self,
                           const char *registration_id,
                           const EmTpmHost *host,
                           const char *data,
                           EmTpmFault fault);

/* Gives the record of a host a new key, and the blob in which the host is to get it. */
void em_tpm_renew_key (EmTpm *self, EmRecord *record, const char *data, EmTpmFault fault);
