/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <tss2/tss2_esys.h>

/* DpsTpm: ESAPI on an open descriptor (dps-tpm-device.h), for the store's sealer in the
 * agent and for the tpm plugin in its child. One thread, one use at a time. All functions
 * block, each command under its deadline (DPS_TPM_ERROR_TIMED_OUT). A command that the
 * TPM answers with RETRY, NV_RATE, TESTING or YIELDED is sent again, with growing pauses
 * and up to a bound, by the transport below ESAPI (TCG Part 3, §4).
 *
 * Errors are DPS_TPM_ERROR. The text names the step and the response code. */
typedef struct _DpsTpm DpsTpm;

/* Persistent handles by TCG's convention (Registry of Reserved TPM 2.0 Handles). */
#define DPS_TPM_HANDLE_EK 0x81010001u
#define DPS_TPM_HANDLE_SRK 0x81000001u

/* Deadlines of one command, in ms: for those that make a key, and for all others. */
#define DPS_TPM_DEADLINE_KEY (120 * 1000)
#define DPS_TPM_DEADLINE (8 * 1000)

/* fd stays the caller's and must outlive the result. No command is sent. */
DpsTpm *dps_tpm_new (int fd, GError **error);
/* Flushes every session and key that is still loaded through self; sends nothing after a
 * command has timed out. */
void dps_tpm_free (DpsTpm *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DpsTpm, dps_tpm_free)

/* Borrowed. */
ESYS_CONTEXT *dps_tpm_get_esys (DpsTpm *self);

/* The only way from a response code to an error: TRUE for success, else FALSE with error
 * set, step ("reading the endorsement key") at its front. Authorisation failures become
 * OWNER_AUTH, ENDORSEMENT_AUTH or SRK_AUTH by what the caller says is being authorised
 * (auth), integrity and decryption failures stay FAILED: only the caller knows what they
 * mean. */
typedef enum
{
  DPS_TPM_AUTH_NONE,
  DPS_TPM_AUTH_OWNER,
  DPS_TPM_AUTH_ENDORSEMENT,
  DPS_TPM_AUTH_SRK,
} DpsTpmAuth;
gboolean dps_tpm_check (TSS2_RC rc, DpsTpmAuth auth, const char *step, GError **error);

/* The response code without layer, and for format 1 without the number of parameter,
 * handle or session: 0x1df → 0x09f (TPM2_RC_INTEGRITY). Pure. */
TPM2_RC dps_tpm_rc_base (TSS2_RC rc);

/* Hierarchy and key passwords, of at most 64 bytes, a final line end cut off; NULL or
 * empty = none. Copied into ESAPI, wiped with self. A password goes over the wire only as
 * the key of an HMAC. For a hierarchy it costs a command (GetCapability): where the TPM
 * says that the hierarchy has none, as after a clear or on another board, the one given
 * does not count. */
gboolean dps_tpm_set_auth (DpsTpm *self,
                           DpsTpmAuth auth,
                           const guint8 *data,
                           gsize size,
                           GError **error);

gboolean dps_tpm_has_auth (DpsTpm *self, DpsTpmAuth auth);

/* A loaded key. Zero-initialised = none. */
typedef struct
{
  ESYS_TR tr;         /* ESYS_TR_NONE or 0 = none */
  gboolean transient; /* has to be flushed */
  TPM2B_PUBLIC public;
  TPM2B_NAME name;
} DpsTpmKey;

/* Whether a key is at the persistent handle, and if so that key (one command:
 * ReadPublic). FALSE with error for anything but "there" and "not there". */
gboolean dps_tpm_read_key (DpsTpm *self,
                           TPM2_HANDLE handle,
                           DpsTpmKey *key,
                           gboolean *found,
                           GError **error);

/* CreatePrimary in hierarchy (ESYS_TR_RH_OWNER, _ENDORSEMENT, _NULL), authorised as
 * dps_tpm_authorise() says: one command, or four where the hierarchy has a password. */
gboolean dps_tpm_create_primary (DpsTpm *self,
                                 ESYS_TR hierarchy,
                                 const TPM2B_PUBLIC *template,
                                 DpsTpmKey *key,
                                 GError **error);

/* Keeps key at handle (EvictControl, owner password). The key in hand stays loaded.
 * DPS_TPM_ERROR_NV_FULL where there is no room; a handle in use is never overwritten and
 * is FAILED. */
gboolean dps_tpm_persist (DpsTpm *self,
                          const DpsTpmKey *key,
                          TPM2_HANDLE handle,
                          GError **error);

/* Load under parent; *object is to be flushed. session authorises it, or, where that is
 * ESYS_TR_NONE, what dps_tpm_authorise() gives. */
gboolean dps_tpm_load (DpsTpm *self,
                       const DpsTpmKey *parent,
                       ESYS_TR session,
                       const TPM2B_PRIVATE *private,
                       const TPM2B_PUBLIC *public,
                       ESYS_TR *object,
                       GError **error);

/* Flushes a transient key, lets go of a persistent one; empties key. */
void dps_tpm_drop_key (DpsTpm *self, DpsTpmKey *key);

/* Templates (dps-protocol §5.1; TCG EK Credential Profile L-1; TCG Provisioning Guidance
 * H-1 for the storage keys). legacy: unique of size 0. Static. */
const TPM2B_PUBLIC *dps_tpm_template_ek (gboolean legacy);
const TPM2B_PUBLIC *dps_tpm_template_rsa_srk (void);
const TPM2B_PUBLIC *dps_tpm_template_ecc_srk (void);

/* Whether a public area is a storage parent (restricted decryption key with symmetric
 * protection), and whether it is the RSA-2048/SHA-256/AES-128-CFB one of dps-protocol
 * §5.1, whatever its other attributes. Pure. */
gboolean dps_tpm_is_storage_parent (const TPM2B_PUBLIC *public);
gboolean dps_tpm_is_dps_parent (const TPM2B_PUBLIC *public);

/* Whether dictionary-attack protection leaves the key alone (noDA): neither a wrong
 * password for it nor a power cut while it is in use counts as an attempt. Pure. */
gboolean dps_tpm_is_unguarded (const TPM2B_PUBLIC *public);

/* An HMAC session, salted to salt_key, with AES-128-CFB for parameters; *session is
 * ESYS_TR_NONE on failure. The salt is encrypted to the public area that the caller has
 * checked the Name of: no other key opens it. */
gboolean dps_tpm_start_session (DpsTpm *self,
                                const DpsTpmKey *salt_key,
                                ESYS_TR *session,
                                GError **error);

/* A policy session (SHA-256), unsalted, no parameter encryption. */
gboolean dps_tpm_start_policy (DpsTpm *self, ESYS_TR *session, GError **error);

/* What the next command does with the session: TPMA_SESSION_DECRYPT for its first
 * parameter, _ENCRYPT for the first of the response; last ends the session with it, where
 * it succeeds: dps_tpm_settle() after it. */
gboolean dps_tpm_use_session (DpsTpm *self,
                              ESYS_TR session,
                              TPMA_SESSION attributes,
                              gboolean last,
                              GError **error);

/* After a command that was the last of *session: lets go of it where rc is success, else
 * flushes it, since a command that failed ends no session. *session is ESYS_TR_NONE then.
 */
void dps_tpm_settle (DpsTpm *self, ESYS_TR *session, TSS2_RC rc);

/* What authorises the next command: ESYS_TR_PASSWORD where no password is set for auth,
 * else an HMAC session that ends with it (dps_tpm_settle()), salted to salt_key, or,
 * where that is NULL, to a transient key of the NULL hierarchy. */
gboolean dps_tpm_authorise (DpsTpm *self,
                            DpsTpmAuth auth,
                            const DpsTpmKey *salt_key,
                            ESYS_TR *session,
                            GError **error);

/* Wipes what ESAPI and SAPI still have of the last command, which took or gave a secret:
 * Create's sensitive area, and the first parameter of a response. To be called right
 * after the command, whatever came of it. Sends nothing. */
void dps_tpm_wipe_last (DpsTpm *self);

/* FlushContext of a session or transient object; sets it to ESYS_TR_NONE. ESYS_TR_NONE
 * and ESYS_TR_PASSWORD are fine. */
void dps_tpm_flush (DpsTpm *self, ESYS_TR *handle);
