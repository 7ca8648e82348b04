/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tpm-key-blob.h"
#include "tpm-settings.h"

#include "tpm/dps-tpm.h"

/* The endorsement key and the storage root key: found at their persistent handles, or
 * made once in the life of this process. Between two verbs nothing of ours is loaded in
 * the TPM; of a key that was made the process keeps the saved context. */

typedef struct
{
  gboolean found;
  DpsTpmKey key;        /* key.tr is ESYS_TR_NONE while key.transient is not loaded */
  TPMS_CONTEXT context; /* where key.transient */
} TpmHeldKey;

typedef struct
{
  DpsTpm *tpm;
  const DpsHost *host; /* of the verb that runs; for its log */
  TpmSettings settings;
  TpmHeldKey ek, srk;
  TpmParent parent; /* what srk is */
} TpmKeys;

/* Sends no command. fd stays the caller's. Takes the passwords from host's secrets
 * owner-auth, endorsement-auth and srk-auth. */
gboolean tpm_keys_open (TpmKeys *self,
                        const DpsHost *host,
                        const TpmSettings *settings,
                        GError **error);
void tpm_keys_close (TpmKeys *self);

/* What a failed verb learned is looked up anew by the next. */
void tpm_keys_forget (TpmKeys *self);

/* The endorsement key, at 0x81010001 or by its template; with persist-ek= it is then kept
 * there, but for where the owner's password is set and not configured (a warning). */
gboolean tpm_keys_find_ek (TpmKeys *self, GError **error);

/* The storage root key. What is at 0x81000001, where it can be the parent; what is there
 * stays there in any case. A password is tried on no key that counts wrong ones: such a
 * key is made again from its own public area, which needs none. Where that gives another
 * key, or what is there is no parent for this protocol, TCG's RSA template. */
gboolean tpm_keys_find_srk (TpmKeys *self, GError **error);

/* The storage root key that blob's key is wrapped by. Where this TPM has it no more,
 * DPS_TPM_ERROR_CLEARED or, where the endorsement key is another as well, _REPLACED. */
gboolean tpm_keys_find_parent (TpmKeys *self, const TpmKeyBlob *blob, GError **error);

/* The endorsement key of the other template: of the one that ek-template= does not say,
 * or, where that is the one in use, of the one that it says. *name is empty where both
 * are the one in use. Costs a command or two that make a key. */
gboolean tpm_keys_make_other_ek (TpmKeys *self,
                                 TPM2B_PUBLIC *public,
                                 TPM2B_NAME *name,
                                 GError **error);

/* Has a key in the TPM for the next commands, and no longer. */
gboolean tpm_keys_load (TpmKeys *self, TpmHeldKey *held, GError **error);
void tpm_keys_unload (TpmKeys *self, TpmHeldKey *held);

/* A line for the agent's log; without a secret. */
void tpm_keys_say (TpmKeys *self, DpsPluginLogLevel level, const char *format, ...)
    G_GNUC_PRINTF (3, 4);
